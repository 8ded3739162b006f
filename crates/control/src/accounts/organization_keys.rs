//! `/auth/organization/keys`: the API keys that act for an organisation, for those who manage it.

use std::time::{Duration, SystemTime};

use axum::Json;
use bartizan_identity::account::{KeyFilter, NewOrganizationKey as New, OrganizationKeyChange};
use serde::Deserialize;
use utoipa::ToSchema;

use super::visitor::Holder;
use crate::{
    Timestamp,
    api::keys::{ApiKey, ApiKeys, IssuedApiKey, KeyRate, Overlap, Suspension},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// A key to be made for the organisation that the session acts for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganizationKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100, example = "nightly export")]
    pub name: String,
    /// The service of the organisation that it belongs to, by client id; without one to the organisation itself.
    #[serde(default)]
    pub service: Option<String>,
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

/// Which keys.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichKeys {
    /// Those of a service, by client id.
    service: Option<String>,
    /// Also those that are revoked.
    revoked: bool,
    /// Those after the key with this id, in the order of the list.
    after: Option<String>,
}

/// The API keys that act for the organisation of the session: its own, those of its services and those of its members.
/// Takes the permissions `organization:manage` and `api_key:read`.
#[utoipa::path(
    get,
    path = "/organization/keys",
    operation_id = "list_organization_keys",
    security(("session" = [])),
    params(WhichKeys),
    responses(
        (status = 200, description = "The newest first, a thousand at most.", body = ApiKeys),
        (status = 403, description = "Without the permissions.")
    )
)]
pub(crate) async fn list_organization_keys(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(WhichKeys { service, revoked, after }): QueryParameters<WhichKeys>,
) -> Result<Json<ApiKeys>, Failure> {
    let session = accounts.permitted_session(&token, "api_key:read").await?;
    let filter = KeyFilter { service, with_revoked: revoked, after, ..KeyFilter::default() };
    let keys = accounts.organization_keys(&session, &filter).await?;
    Ok(Json(ApiKeys { keys: keys.into_iter().map(ApiKey::from).collect() }))
}

/// Makes a key of the organisation, or of one of its services, with no more than the session has and for no longer. The
/// answer holds its secret, which is not shown again. Takes the permissions `organization:manage` and `api_key:create`.
#[utoipa::path(
    post,
    path = "/organization/keys",
    operation_id = "create_organization_key",
    security(("session" = [])),
    request_body = NewOrganizationKey,
    responses(
        (status = 200, description = "The key and its secret.", body = IssuedApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permissions, or the key would have one that the session has not."),
        (status = 404, description = "There is no such service in the organisation."),
        (status = 409, description = "An organisation has a thousand keys at most."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn create_organization_key(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(new): JsonBody<NewOrganizationKey>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let session = accounts.fresh_permitted_session(&token, "api_key:create", &visit).await?;
    let NewOrganizationKey { name, service, permissions, addresses, rate, expires } = new;
    let expires = expires.map(SystemTime::from);
    let new = New { name, service, permissions, addresses, rate, expires };
    Ok(Json(accounts.create_organization_key(&session, new, &visit).await?.into()))
}

/// Gives a key of the organisation, or of one of its services, another secret. A member's key is rotated by the member.
/// Takes the permissions `organization:manage` and `api_key:update`.
#[utoipa::path(
    post,
    path = "/organization/keys/{key}/rotate",
    operation_id = "rotate_organization_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = Overlap,
    responses(
        (status = 200, description = "The key and its new secret.", body = IssuedApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permissions, for a member's key, or one that may do more than the session."),
        (status = 404, description = "There is none with this id, or it is revoked.")
    )
)]
pub(crate) async fn rotate_organization_key(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(Overlap { overlap_seconds }): JsonBody<Overlap>,
) -> Result<Json<IssuedApiKey>, Failure> {
    let session = accounts.fresh_permitted_session(&token, "api_key:update", &visit).await?;
    let overlap = Duration::from_secs(overlap_seconds);
    Ok(Json(accounts.rotate_organization_key(&session, &key, overlap, &visit).await?.into()))
}

/// Refuses a key that acts for the organisation, a member's, too, until it is resumed. Takes the permissions
/// `organization:manage` and `api_key:update`.
#[utoipa::path(
    post,
    path = "/organization/keys/{key}/suspend",
    operation_id = "suspend_organization_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = Suspension,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 403, description = "Without the permissions, or for a key that may do more than the session."),
        (status = 404, description = "There is none with this id, or it is revoked."),
        (status = 422, description = "The reason makes no sense.")
    )
)]
pub(crate) async fn suspend_organization_key(
    holder: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<Json<ApiKey>, Failure> {
    change(holder, &key, "api_key:update", OrganizationKeyChange::Suspend(&reason)).await
}

/// Lets a suspended key work again. Takes the permissions `organization:manage` and `api_key:update`.
#[utoipa::path(
    post,
    path = "/organization/keys/{key}/resume",
    operation_id = "resume_organization_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permissions, or for a key that may do more than the session."),
        (status = 404, description = "There is none with this id, or it is revoked.")
    )
)]
pub(crate) async fn resume_organization_key(
    holder: Holder,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    change(holder, &key, "api_key:update", OrganizationKeyChange::Resume).await
}

/// Says how often a key that acts for the organisation may be used. Takes the permissions `organization:manage` and
/// `api_key:update`.
#[utoipa::path(
    post,
    path = "/organization/keys/{key}/rate",
    operation_id = "set_organization_key_rate",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    request_body = KeyRate,
    responses(
        (status = 200, description = "The key.", body = ApiKey),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permissions, or for a key that may do more than the session."),
        (status = 404, description = "There is none with this id, or it is revoked."),
        (status = 422, description = "It is no rate.")
    )
)]
pub(crate) async fn set_organization_key_rate(
    holder: Holder,
    PathParameter(key): PathParameter<String>,
    JsonBody(KeyRate { rate }): JsonBody<KeyRate>,
) -> Result<Json<ApiKey>, Failure> {
    change(holder, &key, "api_key:update", OrganizationKeyChange::SetRate(rate.as_deref())).await
}

/// Ends a key that acts for the organisation, a member's, too, for good. Takes the permissions `organization:manage` and
/// `api_key:delete`.
#[utoipa::path(
    delete,
    path = "/organization/keys/{key}",
    operation_id = "revoke_organization_key",
    security(("session" = [])),
    params(("key" = String, Path, description = "The id of the key.")),
    responses(
        (status = 200, description = "The key as it was left.", body = ApiKey),
        (status = 403, description = "Without the permissions, or for a key that may do more than the session."),
        (status = 404, description = "There is none with this id, or it is revoked.")
    )
)]
pub(crate) async fn revoke_organization_key(
    holder: Holder,
    PathParameter(key): PathParameter<String>,
) -> Result<Json<ApiKey>, Failure> {
    change(holder, &key, "api_key:delete", OrganizationKeyChange::Revoke).await
}

/// Whatever takes something away is done at once; for the rest its person is proven lately.
async fn change(
    Holder { accounts, token, visit, .. }: Holder,
    key: &str,
    permission: &str,
    change: OrganizationKeyChange<'_>,
) -> Result<Json<ApiKey>, Failure> {
    let session = match change {
        OrganizationKeyChange::Resume | OrganizationKeyChange::SetRate(_) => {
            accounts.fresh_permitted_session(&token, permission, &visit).await?
        }
        OrganizationKeyChange::Suspend(_) | OrganizationKeyChange::Revoke => {
            accounts.permitted_session(&token, permission).await?
        }
    };
    Ok(Json(accounts.change_organization_key(&session, key, change, &visit).await?.into()))
}
