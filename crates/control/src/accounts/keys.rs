//! `/auth/keys`: the API keys of the person who asks.

use std::time::{Duration, SystemTime};

use axum::Json;
use bartizan_identity::account::{KeyHolder, NewOwnKey};
use serde::Deserialize;
use utoipa::ToSchema;

use super::visitor::Holder;
use crate::{
    Timestamp,
    api::keys::{ApiKey, ApiKeys, IssuedApiKey, KeyRate, Overlap, Suspension},
    extract::{JsonBody, PathParameter},
    failure::Failure,
};

/// A key to be made for the person who asks. It acts for the organisation of their session.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOwnApiKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "nightly export")]
    pub name: String,
    /// What it may do: a part of what the session may.
    #[schema(min_items = 1, max_items = 100, example = json!(["orders:read"]))]
    pub permissions: Vec<String>,
    /// The addresses and prefixes it may be used from; none: from everywhere.
    #[serde(default)]
    #[schema(max_items = 32, example = json!(["192.0.2.0/24"]))]
    pub addresses: Vec<String>,
    /// How often it may be used, as `100/min` or `10/s burst 20`, besides what limits everybody; without one as often as
    /// that allows.
    #[serde(default)]
    #[schema(example = "100/min burst 20")]
    pub rate: Option<String>,
    /// When it ends; without it only when somebody ends it.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// The API keys of the person who asks, for the organisation of their session. Takes the permission `api_key:read`.
#[utoipa::path(
    get,
    path = "/keys",
    operation_id = "list_own_keys",
    security(("session" = [])),
    responses(
        (status = 200, description = "The newest first.", body = ApiKeys),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn list_own_keys(Holder { accounts, token, .. }: Holder) -> Result<Json<ApiKeys>, Failure> {
    let session = accounts.permitted_session(&token, "api_key:read").await?;
    let keys = accounts.own_api_keys(KeyHolder::of(&session), None).await?;
    Ok(Json(ApiKeys { keys: keys.into_iter().map(ApiKey::from).collect() }))
}

/// Makes a key. The answer holds its secret, which is not shown again. Takes the permission `api_key:create`.
#[utoipa::path(
    post,
    path = "/keys",
    operation_id = "create_own_key",
    security(("session" = [])),
    request_body = NewOwnApiKey,
    responses(
        (status = 200, description = "The key and its secret.", body = IssuedApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the key would have one that the session has not."),
        (status = 409, description = "A person has a hundred keys at most."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn create_own_key(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewOwnApiKey { name, permissions, addresses, rate, expires }): JsonBody<NewOwnApiKey>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let new = NewOwnKey { name, permissions, addresses, rate, expires: expires.map(SystemTime::from) };
    Ok(Json(accounts.create_own_api_key(&token, new, &visit).await?.into()))
}

/// Gives a key of the person, for the organisation of their session, another secret. Takes the permission `api_key:update`.
#[utoipa::path(
    post,
    path = "/keys/{key}/rotate",
    operation_id = "rotate_own_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = Overlap,
    responses(
        (status = 200, description = "The key and its new secret.", body = IssuedApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission."),
        (status = 404, description = "There is none of yours with this id, or it is revoked.")
    )
)]
pub(crate) async fn rotate_own_key(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(Overlap { overlap_seconds }): JsonBody<Overlap>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let session = accounts.fresh_permitted_session(&token, "api_key:update", &visit).await?;
    let (holder, overlap) = (KeyHolder::of(&session), Duration::from_secs(overlap_seconds));
    Ok(Json(accounts.rotate_api_key(&key, Some(holder), overlap, holder.user.as_str(), &visit).await?.into()))
}

/// Says how often a key of the person, for the organisation of their session, may be used. Takes the permission
/// `api_key:update`.
#[utoipa::path(
    post,
    path = "/keys/{key}/rate",
    operation_id = "set_own_key_rate",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = KeyRate,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission."),
        (status = 404, description = "There is none of yours with this id, or it is revoked."),
        (status = 422, description = "It is no rate.")
    )
)]
pub(crate) async fn set_own_key_rate(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(KeyRate { rate }): JsonBody<KeyRate>,
) -> Result<Json<ApiKey>, Failure> {
    let session = accounts.fresh_permitted_session(&token, "api_key:update", &visit).await?;
    let (holder, rate) = (KeyHolder::of(&session), rate.as_deref());
    Ok(Json(accounts.set_api_key_rate(&key, Some(holder), rate, holder.user.as_str(), &visit).await?.into()))
}

/// Refuses a key of the person, for the organisation of their session, until it is resumed. Takes the permission
/// `api_key:update`.
#[utoipa::path(
    post,
    path = "/keys/{key}/suspend",
    operation_id = "suspend_own_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = Suspension,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 403, description = "Without the permission, or somebody else has suspended it."),
        (status = 404, description = "There is none of yours with this id, or it is revoked."),
        (status = 422, description = "The reason makes no sense.")
    )
)]
pub(crate) async fn suspend_own_key(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<Json<ApiKey>, Failure> {
    // Whoever fears that a key has leaked is not asked for a second factor first.
    let session = accounts.permitted_session(&token, "api_key:update").await?;
    let (holder, reason) = (KeyHolder::of(&session), Some(reason.as_str()));
    let suspended =
        accounts.suspend_api_key(&key, Some(holder), reason, holder.user.as_str(), &visit).await?;
    Ok(Json(suspended.into()))
}

/// Lets a key work again that its person has suspended. Takes the permission `api_key:update`.
#[utoipa::path(
    post,
    path = "/keys/{key}/resume",
    operation_id = "resume_own_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or somebody else has suspended it."),
        (status = 404, description = "There is none of yours with this id, or it is revoked.")
    )
)]
pub(crate) async fn resume_own_key(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    let session = accounts.fresh_permitted_session(&token, "api_key:update", &visit).await?;
    let holder = KeyHolder::of(&session);
    let resumed = accounts.suspend_api_key(&key, Some(holder), None, holder.user.as_str(), &visit).await?;
    Ok(Json(resumed.into()))
}

/// Ends a key of the person, for the organisation of their session, for good. Takes the permission `api_key:delete`.
#[utoipa::path(
    delete,
    path = "/keys/{key}",
    operation_id = "revoke_own_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    responses(
        (status = 200, description = "The key as it was left.", body = ApiKey),
        (status = 403, description = "Without the permission."),
        (status = 404, description = "There is none of yours with this id, or it is revoked.")
    )
)]
pub(crate) async fn revoke_own_key(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    let session = accounts.permitted_session(&token, "api_key:delete").await?;
    let holder = KeyHolder::of(&session);
    Ok(Json(accounts.revoke_api_key(&key, Some(holder), holder.user.as_str(), &visit).await?.into()))
}
