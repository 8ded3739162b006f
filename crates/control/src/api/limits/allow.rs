//! `POST /v1/limits/allow`: lets somebody off a policy for a while.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use bartizan_config::Dimension;
use bartizan_limits::{AllowError, Allowance, Chosen, Nanos, Whom, escaped, unescaped};
use bartizan_model::Name;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, OneOfBuilder, RefOr, Schema, Type,
        schema::{AdditionalProperties, KnownFormat, SchemaFormat},
    },
};

use super::{LONGEST_ALLOWED_VALUE, Which, moment, unavailable, value};
use crate::{
    LimitsInUse, Timestamp,
    api::addresses::prefix::Prefix,
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// Somebody to let off: either a value or a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLimitAllowance {
    /// The policy; without it all of them.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub policy: Option<Name>,
    /// Requests that a rule counts by this value, as `/v1/limits/top` shows it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Requests from this address or prefix, whatever they are counted by.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// For how long, in seconds; 0 ends it.
    pub for_seconds: f64,
}

/// Somebody whose requests a policy does not count for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitAllowance {
    /// The policy; null for all of them.
    #[schema(example = "voice")]
    pub policy: Option<String>,
    /// Requests that a rule counts by this value; null for a network.
    pub value: Option<String>,
    /// Requests from these addresses; null for a value.
    #[schema(example = "203.0.113.0/24")]
    pub network: Option<String>,
    /// Until when.
    pub until: Timestamp,
}

const FOR_SECONDS: RangeInclusive<f64> = 0.0..=NewLimitAllowance::LONGEST.as_secs_f64();

/// Lets a value or a network off the limits of a policy, or of all, for a while: its requests are not counted until then.
/// To end it for all policies ends every entry for the value or network.
///
/// Replaces an earlier entry for the same. Where gateways share a store, it stands there and holds for all of them, within a
/// second; without one it is kept in memory, also when the configuration changes, until the gateway stops.
#[utoipa::path(
    post,
    path = "/v1/limits/allow",
    operation_id = "allow_limit",
    tag = "limits",
    request_body = NewLimitAllowance,
    responses(
        (status = 200, description = "The entry as it stands.", body = LimitAllowance),
        (status = 404, description = "There is no such policy, or no such entry to end."),
        (status = 409, description = "The list is full."),
        (status = 503, description = "The shared store does not answer: somebody new is let off by this gateway alone, and nothing \
                                      that stands in the store has ended.")
    )
)]
pub(crate) async fn allow_limit(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(new): JsonBody<NewLimitAllowance>,
) -> Result<Json<LimitAllowance>, Failure> {
    let limits = shared.system.limits();
    let now = limits.limiter.now();
    let asked = new.parse(now).map_err(|detail| Failure::new(FailureCode::InvalidValue, detail))?;
    let is_same = |known: &Allowance| known.policy == asked.policy && known.whom == asked.whom;
    let before = limits.limiter.allowances().list(now).into_iter().find(is_same);
    let before = before.map(|before| LimitAllowance::of(&before, now));
    let allowance =
        if asked.until > now { limits.allow(asked).await } else { limits.count_again(asked).await };
    let (allowance, failure) = match allowance {
        Ok(allowance) => (allowance, None),
        Err(Unshared { here: Some(allowance), failure }) => (allowance, Some(failure)),
        Err(Unshared { here: None, failure }) => return Err(failure),
    };
    let stands = LimitAllowance::of(&allowance, now);
    tracing::info!(
        audit = true,
        action = "limits.allow",
        policy = stands.policy,
        value = stands.value,
        network = stands.network,
        until = %stands.until,
        operator = operator.name(),
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator changed who is not counted"
    );
    let change = json!({ "before": before, "after": stands });
    shared
        .record("limits.allow", stands.policy.as_deref().unwrap_or("every policy"), change, &operator)
        .await;
    failure.map_or(Ok(Json(stands)), Err)
}

/// What the shared store does not know of, or nobody does.
struct Unshared {
    /// What holds at this gateway.
    here: Option<Allowance>,
    failure: Failure,
}

impl From<Failure> for Unshared {
    fn from(failure: Failure) -> Self {
        Self { here: None, failure }
    }
}

impl LimitsInUse {
    /// Adds the entry, with the value in the form in which the policy counts it.
    async fn allow(&self, mut asked: Allowance) -> Result<Allowance, Unshared> {
        let policies = self.policies();
        let mut rules = Which { policy: asked.policy.as_ref(), rule: None }.of(&policies)?;
        if asked.policy.is_none() {
            // Who is let off everywhere is not whoever writes the same into a header.
            rules.retain(|(_, rule)| Chosen::of(&rule.per) == Chosen::ByOthers);
        }
        if let Whom::Value(written) = &asked.whom {
            let meant = value::meant(&rules, written).ok_or_else(|| value::impossible(&rules, written))?;
            asked.whom = Whom::Value(meant.into());
        }
        match self.limiter.allow(asked.clone()).await {
            Ok(()) => Ok(asked),
            Err(error @ AllowError::Full(_)) => {
                Err(Failure::new(FailureCode::LimitAllowancesFull, error.to_string()).into())
            }
            Err(error @ AllowError::HereAlone(_)) => {
                let failure = Failure::new(FailureCode::SharedStoreUnavailable, format!("let off {error}"));
                Err(Unshared { here: Some(asked), failure })
            }
        }
    }

    /// Removes the entry as it is listed, whatever the configuration says of the policy by now.
    async fn count_again(&self, asked: Allowance) -> Result<Allowance, Unshared> {
        let Allowance { policy, whom, until } = asked;
        let mut forms = vec![whom.clone()];
        if let Whom::Value(written) = &whom {
            let policies = self.policies();
            let rules = Which { policy: policy.as_ref(), rule: None }.of(&policies).unwrap_or_default();
            let meant = value::meant(&rules, written);
            let values = meant.into_iter().chain(value::counted(&[Dimension::Address], written));
            forms.extend(values.map(|value| Whom::Value(value.into())));
        }
        let removed = self.limiter.count_again(policy.as_ref(), &forms).await;
        let removed = removed.map_err(|error| unavailable(&error))?;
        if let Some(removed) = removed {
            return Ok(Allowance { until, policy, ..removed });
        }
        let whom = match whom {
            Whom::Value(value) => escaped(&value),
            Whom::Network(network) => network.to_string(),
        };
        let who = policy.map_or_else(
            || "no policy lets anybody off".into(),
            |policy| format!("`{policy}` lets nobody off"),
        );
        Err(Failure::new(FailureCode::NotFound, format!("{who} as `{whom}`")).into())
    }
}

impl NewLimitAllowance {
    /// Who is to be let off for longer belongs into the configuration.
    pub const LONGEST: Duration = Duration::from_hours(31 * 24);

    fn parse(self, now: Nanos) -> Result<Allowance, String> {
        let whom = match (self.value, self.network) {
            (Some(value), None) => {
                if value.chars().count() > LONGEST_ALLOWED_VALUE {
                    return Err("`value` is at most 1024 characters long".into());
                }
                Whom::Value(unescaped(&value).into())
            }
            (None, Some(network)) => {
                let Prefix(network) = network.parse()?;
                Whom::Network(network)
            }
            _ => return Err("say either `value` or `network`".into()),
        };
        if !FOR_SECONDS.contains(&self.for_seconds) {
            return Err("`for_seconds` must be 0 to 2678400".into());
        }
        let ahead = Duration::from_secs_f64(self.for_seconds).as_nanos();
        let until = now.get().saturating_add(u64::try_from(ahead).unwrap_or(u64::MAX));
        Ok(Allowance { policy: self.policy, whom, until: Nanos::new(until) })
    }
}

impl LimitAllowance {
    pub(super) fn of(allowance: &Allowance, now: Nanos) -> Self {
        let (value, network) = match &allowance.whom {
            Whom::Value(value) => (Some(escaped(value)), None),
            Whom::Network(network) => (None, Some(network.to_string())),
        };
        let policy = allowance.policy.as_ref().map(ToString::to_string);
        Self { policy, value, network, until: moment(allowance.until, now) }
    }
}

/// A key that is there has a value: `null` is none.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl utoipa::PartialSchema for NewLimitAllowance {
    /// Exactly one of `value` and `network`, which no derivation says.
    fn schema() -> RefOr<Schema> {
        let value = ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(LONGEST_ALLOWED_VALUE))
            .description(Some("Requests that a rule counts by this value, as `/v1/limits/top` shows it."))
            .examples(["shop-users/ada"]);
        OneOfBuilder::new()
            .description(Some("Somebody to let off: either a value or a network."))
            .item(Self::form("A value.", "value", value.into()))
            .item(Self::form("A network.", "network", <Prefix as utoipa::PartialSchema>::schema()))
            .into()
    }
}

impl ToSchema for NewLimitAllowance {}

impl NewLimitAllowance {
    fn form(description: &str, key: &str, whom: RefOr<Schema>) -> Schema {
        let policy = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9._-]{1,64}$"))
            .description(Some("The policy; without it all of them."))
            .examples(["voice"]);
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Number)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double)))
            .minimum(Some(*FOR_SECONDS.start()))
            .maximum(Some(*FOR_SECONDS.end()))
            .description(Some("For how long, in seconds; 0 ends it."))
            .examples([3600]);
        ObjectBuilder::new()
            .description(Some(description))
            .property("policy", policy)
            .property(key, whom)
            .property("for_seconds", seconds)
            .required(key)
            .required("for_seconds")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}
