//! `/v1/addresses`: which addresses are blocked or allowed.

pub(crate) mod prefix;

use std::{
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Json, extract::State};
use bartizan_reputation::{Entry, ReputationError};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    Timestamp,
    control::Shared,
    extract::{JsonBody, QueryParameters},
    failure::{Failure, FailureCode},
    operator::Operator,
};
use prefix::Prefix;

/// Blocked and allowed addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Addresses {
    /// Ordered by prefix, IPv4 first.
    pub addresses: Vec<AddressEntry>,
    /// How many there are in all.
    pub total: usize,
}

/// What is known about an address or a prefix. The most specific entry decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AddressEntry {
    /// The addresses it is about.
    #[schema(example = "203.0.113.0/24")]
    pub prefix: String,
    /// Whether they may ask.
    pub standing: Standing,
    /// When the entry ends; null when it lasts until the gateway stops.
    pub until: Option<Timestamp>,
    /// Why, in the words of whoever set it.
    pub reason: String,
}

/// An entry to set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddressEntry {
    /// An address or a prefix; host bits are dropped.
    #[schema(value_type = Prefix)]
    pub address: String,
    /// Whether it may ask.
    pub standing: Standing,
    /// How long, in seconds; until the gateway stops when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 315_360_000, example = 3600)]
    pub for_seconds: Option<f64>,
    /// Why. No control characters.
    #[serde(default)]
    #[schema(max_length = 256, pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
    pub reason: String,
}

/// Whether an address may ask at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Every request is refused.
    Blocked,
    /// Not to be blocked by a wider entry. It must authenticate like everybody.
    Allowed,
}

/// Which part of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// How many at most.
    #[serde(default = "Page::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: usize,
    /// Only those that stand after this prefix: the last one of the page before.
    after: Option<Prefix>,
}

/// Which entry.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The address or prefix, exactly as it was set.
    address: Prefix,
}

impl Page {
    const MAX: usize = 1000;

    fn default_limit() -> usize {
        100
    }
}

/// A second to ten years, which is longer than a gateway runs.
const FOR_SECONDS: RangeInclusive<f64> = 1.0..=315_360_000.0;
const MAX_REASON: usize = 256;

/// The blocked and allowed addresses.
#[utoipa::path(
    get,
    path = "/v1/addresses",
    operation_id = "list_addresses",
    tag = "addresses",
    params(Page),
    responses((status = 200, description = "One page of them.", body = Addresses))
)]
pub(crate) async fn list_addresses(
    State(shared): State<Arc<Shared>>,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Addresses>, Failure> {
    if !(1..=Page::MAX).contains(&page.limit) {
        return Err(Failure::new(FailureCode::MalformedRequest, "`limit` must be 1 to 1000"));
    }
    let entries = shared.addresses.entries(SystemTime::now());
    let start = page.after.map_or(0, |Prefix(after)| entries.partition_point(|(prefix, _)| *prefix <= after));
    let addresses = entries.iter().skip(start).take(page.limit).map(AddressEntry::from).collect();
    Ok(Json(Addresses { addresses, total: entries.len() }))
}

/// Blocks or allows an address or a prefix, replacing an earlier entry of the same prefix.
#[utoipa::path(
    post,
    path = "/v1/addresses",
    operation_id = "set_address",
    tag = "addresses",
    request_body = NewAddressEntry,
    responses(
        (status = 200, description = "The entry as it stands.", body = AddressEntry),
        (status = 409, description = "The lists are full.")
    )
)]
pub(crate) async fn set_address(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(new): JsonBody<NewAddressEntry>,
) -> Result<Json<AddressEntry>, Failure> {
    let (prefix, entry) = new.parse().map_err(|detail| Failure::new(FailureCode::InvalidValue, detail))?;
    let before = shared.addresses.set(prefix, entry.clone()).map_err(|error| {
        let code = match &error {
            ReputationError::Full { .. } => FailureCode::AddressListsFull,
            _ => FailureCode::InvalidValue,
        };
        Failure::new(code, error.to_string())
    })?;
    let stands = AddressEntry::from(&(prefix, entry));
    audit("addresses.set", &stands, &operator);
    let before = before.map(|before| AddressEntry::from(&(prefix, before)));
    let change = json!({ "before": before, "after": stands });
    shared.record("addresses.set", &stands.prefix, change, &operator).await;
    Ok(Json(stands))
}

/// Removes the entry of exactly this address or prefix.
#[utoipa::path(
    delete,
    path = "/v1/addresses",
    operation_id = "remove_address",
    tag = "addresses",
    params(Which),
    responses(
        (status = 200, description = "The entry that was removed.", body = AddressEntry),
        (status = 404, description = "There is none.")
    )
)]
pub(crate) async fn remove_address(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    QueryParameters(Which { address: Prefix(prefix) }): QueryParameters<Which>,
) -> Result<Json<AddressEntry>, Failure> {
    let Some(entry) = shared.addresses.remove(prefix) else {
        return Err(Failure::new(FailureCode::NotFound, format!("there is no entry for `{prefix}`")));
    };
    let removed = AddressEntry::from(&(prefix, entry));
    audit("addresses.remove", &removed, &operator);
    let change = json!({ "before": removed, "after": null });
    shared.record("addresses.remove", &removed.prefix, change, &operator).await;
    Ok(Json(removed))
}

fn audit(action: &'static str, entry: &AddressEntry, operator: &Operator) {
    tracing::info!(
        audit = true,
        action,
        prefix = entry.prefix,
        standing = entry.standing.as_str(),
        until = entry.until.map(tracing::field::display),
        reason = entry.reason,
        operator = operator.name(),
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator changed the address lists"
    );
}

impl NewAddressEntry {
    fn parse(self) -> Result<(IpNet, Entry), String> {
        let Prefix(prefix) = self.address.parse()?;
        if self.reason.chars().count() > MAX_REASON || self.reason.contains(char::is_control) {
            return Err("`reason` is at most 256 characters without control characters".into());
        }
        let until = match self.for_seconds {
            None => None,
            Some(seconds) if FOR_SECONDS.contains(&seconds) => {
                Some(SystemTime::now() + Duration::from_secs_f64(seconds))
            }
            Some(_) => return Err("`for_seconds` must be 1 to 315360000".into()),
        };
        Ok((prefix, Entry::new(self.standing.into(), until, &self.reason)))
    }
}

impl From<&(IpNet, Entry)> for AddressEntry {
    fn from((prefix, entry): &(IpNet, Entry)) -> Self {
        Self {
            prefix: prefix.to_string(),
            standing: entry.standing.into(),
            until: entry.until.map(Timestamp::from),
            reason: entry.reason.as_ref().into(),
        }
    }
}

impl Standing {
    /// Its name in the API and in the log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Allowed => "allowed",
        }
    }
}

impl From<Standing> for bartizan_reputation::Standing {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Blocked => Self::Blocked,
            Standing::Allowed => Self::Allowed,
        }
    }
}

impl From<bartizan_reputation::Standing> for Standing {
    fn from(standing: bartizan_reputation::Standing) -> Self {
        match standing {
            bartizan_reputation::Standing::Blocked => Self::Blocked,
            bartizan_reputation::Standing::Allowed => Self::Allowed,
        }
    }
}
