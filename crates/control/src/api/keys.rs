//! `/v1/keys`: API keys that are kept in the store.

use std::time::{Duration, SystemTime};

use axum::Json;
use bartizan_identity::account::{
    Accounts, ApiKey as Known, KeyFilter, KeyOwner, NewApiKey as New, PersonId,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use super::zone::{self, MachineZone};
use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
};

/// API keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeys {
    /// The newest first, a thousand at most: ask for those `after` the last.
    pub keys: Vec<ApiKey>,
}

/// An API key. Its secret is known to its holder only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// Its id, which upstreams see as `x-user-id`.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How it begins.
    #[schema(example = "bzn_live_7aQx…")]
    pub hint: String,
    /// The id of the person it belongs to.
    pub user: Option<String>,
    /// The client id of the service it belongs to. With neither, it is its organisation's.
    pub service: Option<String>,
    /// The id of the organisation it acts for.
    pub organization: Option<String>,
    /// What it may do, as far as its owner may.
    pub permissions: Vec<String>,
    /// From where it may be used; empty: from everywhere.
    pub addresses: Vec<String>,
    /// How often it may be used, besides what limits its route; null: as often as that allows.
    #[schema(example = "100/min burst 20")]
    pub rate: Option<String>,
    /// From which zone it calls; null: that of its identity provider.
    #[schema(example = "services")]
    pub zone: Option<String>,
    /// Whether it works, as far as it depends on the key.
    pub state: ApiKeyState,
    /// Why it is suspended.
    pub suspended_because: Option<String>,
    /// Since when it is known.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// Until when the secret before the last rotation still works.
    pub overlap_until: Option<Timestamp>,
    /// When it was used last, to a few seconds.
    pub last_used: Option<Timestamp>,
    /// How often it was used.
    pub uses: u64,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyState {
    /// It does.
    Active,
    /// Not until it is resumed.
    Suspended,
    /// Not any more: its time is over.
    Expired,
    /// Not any more: somebody has ended it.
    Revoked,
}

/// A key, and its secret, which is shown now and never again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedApiKey {
    /// The secret.
    #[schema(value_type = String, example = "bzn_live_7aQx…")]
    #[serde(serialize_with = "exposed")]
    pub secret: SecretString,
    /// The key.
    pub key: ApiKey,
}

/// A key to be made, for a person, a service, or an organisation alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "nightly export")]
    pub name: String,
    /// The person it belongs to, by id or e-mail address.
    #[serde(default)]
    pub user: Option<String>,
    /// The service it belongs to, by client id. It acts for the service's organisation.
    #[serde(default)]
    pub service: Option<String>,
    /// The organisation it acts for, by id or name.
    #[serde(default)]
    pub organization: Option<String>,
    /// What it may do, as far as its owner may; `*` is everything.
    #[schema(min_items = 1, max_items = 100, example = json!(["orders:read"]))]
    pub permissions: Vec<String>,
    /// The addresses and prefixes it may be used from; none: from everywhere.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["192.0.2.0/24"]))]
    pub addresses: Vec<String>,
    /// How often it may be used, as the configuration writes rates, besides what limits its route; without one as often
    /// as that allows.
    #[serde(default)]
    #[schema(example = "100/min burst 20")]
    pub rate: Option<String>,
    /// From which zone it calls: `public`, `gateway`, `services` or `data`; without it that of its identity provider.
    #[serde(default)]
    #[schema(example = "services")]
    pub zone: Option<String>,
    /// When it ends; without it only when somebody ends it.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// How long the secret so far goes on working.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlap {
    /// In seconds; 0 ends it at once.
    #[schema(minimum = 0, maximum = 2_592_000, example = 3600)]
    #[serde(deserialize_with = "whole_seconds")]
    pub overlap_seconds: u64,
}

/// In JSON Schema `1.0` is an integer, too.
fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = Duration::try_from_secs_f64(f64::deserialize(deserializer)?);
    let whole = seconds.ok().filter(|seconds| seconds.subsec_nanos() == 0);
    whole.map(|seconds| seconds.as_secs()).ok_or_else(|| D::Error::custom("whole seconds are 0 or more"))
}

/// How often a key may be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRate {
    /// A rate as the configuration writes it, besides what limits the route; null or none: as often as that allows.
    #[serde(default)]
    #[schema(example = "100/min burst 20")]
    pub rate: Option<String>,
}

/// Why something is suspended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// For whoever looks at it later.
    #[schema(min_length = 1, max_length = 200, example = "found in a public repository")]
    pub reason: String,
}

/// Which keys.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Those of a person, by id or e-mail address.
    user: Option<String>,
    /// Those of a service, by client id.
    service: Option<String>,
    /// Those that act for an organisation, by id or name.
    organization: Option<String>,
    /// Also those that are revoked.
    revoked: bool,
    /// Those after the key with this id, in the order of the list.
    after: Option<String>,
}

/// The API keys in the store.
#[utoipa::path(
    get,
    path = "/v1/keys",
    operation_id = "list_keys",
    tag = "keys",
    params(Which),
    responses((status = 200, description = "The newest first.", body = ApiKeys))
)]
pub(crate) async fn list_keys(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(Which { user, service, organization, revoked, after }): QueryParameters<Which>,
) -> Result<Json<ApiKeys>, Failure> {
    let user = user.map(PersonId);
    let filter = KeyFilter { user, service, organization, with_revoked: revoked, after };
    let keys = accounts.api_keys(&filter).await?;
    Ok(Json(ApiKeys { keys: keys.into_iter().map(ApiKey::from).collect() }))
}

/// Makes a key. The answer holds its secret, which is not shown again.
#[utoipa::path(
    post,
    path = "/v1/keys",
    operation_id = "create_key",
    tag = "keys",
    request_body = NewApiKey,
    responses(
        (status = 200, description = "The key and its secret.", body = IssuedApiKey),
        (status = 404, description = "There is no such owner.")
    )
)]
pub(crate) async fn create_key(
    Administration { accounts, visit }: Administration,
    JsonBody(new): JsonBody<NewApiKey>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let owner = match (new.user, new.service, new.organization) {
        (Some(user), None, organization) => KeyOwner::Person(PersonId(user), organization),
        (None, Some(service), None) => KeyOwner::Service(service),
        (None, None, Some(organization)) => KeyOwner::Organization(organization),
        _ => {
            let detail = "say whose key it is: `user` (with an `organization` or without), `service`, or \
                          `organization` alone";
            return Err(Failure::new(FailureCode::InvalidValue, detail));
        }
    };
    let NewApiKey { name, permissions, addresses, rate, zone, expires, .. } = new;
    let (zone, expires) = (zone::read(zone.as_deref())?, expires.map(SystemTime::from));
    let new = New { name, owner, permissions, addresses, rate, zone, expires };
    Ok(Json(accounts.create_api_key(new, Accounts::OPERATOR, &visit).await?.into()))
}

/// One key.
#[utoipa::path(
    get,
    path = "/v1/keys/{key}",
    operation_id = "read_key",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The key.", body = ApiKey), (status = 404, description = "None."))
)]
pub(crate) async fn read_key(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    Ok(Json(accounts.api_key(&key, None).await?.into()))
}

/// Gives a key another secret, which is not shown again. The one so far works a while longer, if you say so.
#[utoipa::path(
    post,
    path = "/v1/keys/{key}/rotate",
    operation_id = "rotate_key",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    request_body = Overlap,
    responses(
        (status = 200, description = "The key and its new secret.", body = IssuedApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn rotate_key(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
    JsonBody(Overlap { overlap_seconds }): JsonBody<Overlap>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let overlap = Duration::from_secs(overlap_seconds);
    Ok(Json(accounts.rotate_api_key(&key, None, overlap, Accounts::OPERATOR, &visit).await?.into()))
}

/// Refuses a key until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/keys/{key}/suspend",
    operation_id = "suspend_key",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    request_body = Suspension,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn suspend_key(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<Json<ApiKey>, Failure> {
    Ok(Json(accounts.suspend_api_key(&key, None, Some(&reason), Accounts::OPERATOR, &visit).await?.into()))
}

/// Lets a suspended key work again.
#[utoipa::path(
    post,
    path = "/v1/keys/{key}/resume",
    operation_id = "resume_key",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn resume_key(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    Ok(Json(accounts.suspend_api_key(&key, None, None, Accounts::OPERATOR, &visit).await?.into()))
}

/// Says how often a key may be used.
#[utoipa::path(
    post,
    path = "/v1/keys/{key}/rate",
    operation_id = "set_key_rate",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    request_body = KeyRate,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn set_key_rate(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
    JsonBody(KeyRate { rate }): JsonBody<KeyRate>,
) -> Result<Json<ApiKey>, Failure> {
    let set = accounts.set_api_key_rate(&key, None, rate.as_deref(), Accounts::OPERATOR, &visit).await?;
    Ok(Json(set.into()))
}

/// Says from which zone a key calls.
#[utoipa::path(
    post,
    path = "/v1/keys/{key}/zone",
    operation_id = "set_key_zone",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    request_body = MachineZone,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn set_key_zone(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
    JsonBody(MachineZone { zone }): JsonBody<MachineZone>,
) -> Result<Json<ApiKey>, Failure> {
    let zone = zone::read(zone.as_deref())?;
    Ok(Json(accounts.set_api_key_zone(&key, zone, Accounts::OPERATOR, &visit).await?.into()))
}

/// Ends a key for good.
#[utoipa::path(
    delete,
    path = "/v1/keys/{key}",
    operation_id = "revoke_key",
    tag = "keys",
    params(("key" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "The key as it was left.", body = ApiKey),
        (status = 404, description = "None, or it is revoked.")
    )
)]
pub(crate) async fn revoke_key(
    Administration { accounts, visit }: Administration,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    Ok(Json(accounts.revoke_api_key(&key, None, Accounts::OPERATOR, &visit).await?.into()))
}

impl From<Known> for ApiKey {
    fn from(known: Known) -> Self {
        let is_over = known.expires.is_some_and(|expires| expires <= SystemTime::now());
        let state = match (known.revoked, known.suspended) {
            (Some(_), _) => ApiKeyState::Revoked,
            _ if is_over => ApiKeyState::Expired,
            (None, Some(_)) => ApiKeyState::Suspended,
            (None, None) => ApiKeyState::Active,
        };
        Self {
            id: known.id,
            name: known.name,
            hint: known.hint,
            user: known.user,
            service: known.service,
            organization: known.organization,
            permissions: known.permissions.iter().map(ToString::to_string).collect(),
            addresses: known.addresses,
            rate: known.rate.map(|rate| rate.to_string()),
            zone: known.zone.map(|zone| zone.to_string()),
            state,
            suspended_because: known.suspended.map(|_| known.suspended_because),
            created: known.created.into(),
            expires: known.expires.map(Into::into),
            overlap_until: known.overlap.map(Into::into),
            last_used: known.last_used.map(Into::into),
            uses: known.uses,
        }
    }
}

impl From<(Known, SecretString)> for IssuedApiKey {
    fn from((key, secret): (Known, SecretString)) -> Self {
        Self { secret, key: key.into() }
    }
}

/// The one place where a secret leaves: to whoever it was made for.
pub(crate) fn exposed<S: serde::Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
