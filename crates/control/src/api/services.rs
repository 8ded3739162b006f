//! `/v1/services`: machines of organisations, and what they prove themselves with.

use std::time::Duration;

use axum::Json;
use bartizan_identity::account::{
    Accounts, CredentialKind as Kind, NewCredential as New, NewService as NewKnown, Page, Part,
    Service as Known,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    keys::{Overlap, Suspension, exposed},
    organizations::NewName,
    zone::{self, MachineZone},
};
use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
};

/// Services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Services {
    /// The oldest first.
    pub services: Vec<Service>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A service: a machine of an organisation, with an identity of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Its client id.
    pub id: String,
    /// The id of its organisation.
    pub organization: String,
    /// Its name there.
    #[schema(example = "payment-service")]
    pub name: String,
    /// What it may do, beside its roles.
    pub permissions: Vec<String>,
    /// What of the tokens that it is called with it may carry on (RFC 8693); empty: it exchanges none.
    pub exchange: Vec<String>,
    /// From which zone it calls; null: that of services of its identity provider.
    #[schema(example = "services")]
    pub zone: Option<String>,
    /// Since when it is known.
    pub created: Timestamp,
    /// Since when it is suspended.
    pub suspended: Option<Timestamp>,
    /// Why.
    pub suspended_because: Option<String>,
    /// What it proves itself with.
    pub credentials: Vec<ServiceCredential>,
}

/// Something a service may prove itself with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceCredential {
    /// Its id.
    pub id: String,
    /// Of which kind.
    pub kind: CredentialKind,
    /// Of `keys` the JWK set, of a `certificate` what it must show; of a `secret` nothing.
    pub value: Option<String>,
    /// Since when it counts.
    pub created: Timestamp,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A secret (RFC 6749).
    Secret,
    /// Public keys whose private halves sign assertions (RFC 7523).
    Keys,
    /// A client certificate (RFC 8705).
    Certificate,
}

/// A service, and its secret, which is shown now and never again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct IssuedService {
    /// The secret.
    #[schema(value_type = String, example = "bzn_client_7aQx…")]
    #[serde(serialize_with = "exposed")]
    pub secret: SecretString,
    /// The service.
    pub service: Service,
}

/// A service to be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// Its organisation, by id or name.
    #[schema(example = "Acme")]
    pub organization: String,
    /// Its name, which no other of the organisation has.
    #[schema(min_length = 1, max_length = 100, example = "payment-service")]
    pub name: String,
    /// What it may do, beside its roles.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["payment:read", "payment:write"]))]
    pub permissions: Vec<String>,
    /// What of the tokens that it is called with it may carry on (RFC 8693); without it, it exchanges none.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["orders:read"]))]
    pub exchange: Vec<String>,
    /// From which zone it calls: `public`, `gateway`, `services` or `data`; without it that of services of its identity
    /// provider.
    #[serde(default)]
    #[schema(example = "services")]
    pub zone: Option<String>,
}

/// What a service may do, beside its roles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePermissions {
    /// All of it: what is not here it may not do any more.
    #[schema(max_items = 100, example = json!(["payment:read"]))]
    pub permissions: Vec<String>,
}

/// What of the tokens that it is called with a service may carry on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceExchange {
    /// All of it; `*` is whatever a token allows, nothing ends its exchanges.
    #[schema(max_items = 100, example = json!(["orders:read"]))]
    pub exchange: Vec<String>,
}

/// A credential whose secret part the gateway does not know: one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredential {
    /// Public keys: a JWK set (RFC 7517), or one JWK, as text.
    #[serde(default)]
    pub keys: Option<String>,
    /// What a certificate must show: `sha256:` and 64 hexadecimal digits, or a subject alternative name after `uri:`,
    /// `dns:` or `email:`.
    #[serde(default)]
    #[schema(example = "uri:spiffe://shop.test/billing")]
    pub certificate: Option<String>,
}

/// Whose services.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// Those of an organisation, by id or name.
    organization: Option<String>,
    /// What `next` of the part before was; without it the first part.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    #[serde(default, deserialize_with = "super::page::limit")]
    limit: Option<u32>,
}

/// The services.
#[utoipa::path(
    get,
    path = "/v1/services",
    operation_id = "list_services",
    tag = "services",
    params(Whose),
    responses((status = 200, description = "The oldest first, a thousand at once.", body = Services))
)]
pub(crate) async fn list_services(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(Whose { organization, after, limit }): QueryParameters<Whose>,
) -> Result<Json<Services>, Failure> {
    let part = accounts.services(organization.as_deref(), &Page { after, limit }).await?;
    Ok(Json(part.into()))
}

/// Makes a service. The answer holds its secret, which is not shown again.
#[utoipa::path(
    post,
    path = "/v1/services",
    operation_id = "create_service",
    tag = "services",
    request_body = NewService,
    responses(
        (status = 200, description = "The service and its secret.", body = IssuedService),
        (status = 404, description = "There is no such organisation."),
        (status = 409, description = "The name is taken, or there are no accounts.")
    )
)]
pub(crate) async fn create_service(
    Administration { accounts, visit }: Administration,
    JsonBody(NewService { organization, name, permissions, exchange, zone }): JsonBody<NewService>,
) -> Result<Json<IssuedService>, Failure> {
    let zone = zone::read(zone.as_deref())?;
    let new = NewKnown { organization, name, permissions, exchange, zone };
    Ok(Json(accounts.create_service(new, Accounts::OPERATOR, &visit).await?.into()))
}

/// One service.
#[utoipa::path(
    get,
    path = "/v1/services/{service}",
    operation_id = "read_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn read_service(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(service): PathParameter<String>,
) -> Result<Json<Service>, Failure> {
    Ok(Json(accounts.service(&service).await?.into()))
}

/// Forgets a service, with its credentials, roles and API keys.
#[utoipa::path(
    delete,
    path = "/v1/services/{service}",
    operation_id = "delete_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    responses((status = 200, description = "What it was.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn delete_service(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
) -> Result<Json<Service>, Failure> {
    Ok(Json(accounts.delete_service(&service, Accounts::OPERATOR, &visit).await?.into()))
}

/// Gives a service another secret, which is not shown again. The one so far works a while longer, if you say so.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/rotate",
    operation_id = "rotate_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = Overlap,
    responses(
        (status = 200, description = "The service and its new secret.", body = IssuedService),
        (status = 404, description = "None.")
    )
)]
pub(crate) async fn rotate_service(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(Overlap { overlap_seconds }): JsonBody<Overlap>,
) -> Result<Json<IssuedService>, Failure> {
    let overlap = Duration::from_secs(overlap_seconds);
    let rotated = accounts.rotate_service_secret(&service, overlap, Accounts::OPERATOR, &visit).await?;
    Ok(Json(rotated.into()))
}

/// Refuses a service and its API keys until it is resumed.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/suspend",
    operation_id = "suspend_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = Suspension,
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn suspend_service(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<Json<Service>, Failure> {
    let suspended = accounts.suspend_service(&service, Some(&reason), Accounts::OPERATOR, &visit).await?;
    Ok(Json(suspended.into()))
}

/// Lets a suspended service in again.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/resume",
    operation_id = "resume_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn resume_service(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
) -> Result<Json<Service>, Failure> {
    Ok(Json(accounts.suspend_service(&service, None, Accounts::OPERATOR, &visit).await?.into()))
}

/// Gives a service other permissions.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/permissions",
    operation_id = "set_service_permissions",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = ServicePermissions,
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn set_service_permissions(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(ServicePermissions { permissions }): JsonBody<ServicePermissions>,
) -> Result<Json<Service>, Failure> {
    let set = accounts.set_service_permissions(&service, &permissions, Accounts::OPERATOR, &visit).await?;
    Ok(Json(set.into()))
}

/// Says what of the tokens that it is called with a service may carry on (RFC 8693). Less than before ends what it has
/// exchanged, and its tokens.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/exchange",
    operation_id = "set_service_exchange",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = ServiceExchange,
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn set_service_exchange(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(ServiceExchange { exchange }): JsonBody<ServiceExchange>,
) -> Result<Json<Service>, Failure> {
    let set = accounts.set_service_exchange(&service, &exchange, Accounts::OPERATOR, &visit).await?;
    Ok(Json(set.into()))
}

/// Says from which zone a service calls. Its tokens so far end.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/zone",
    operation_id = "set_service_zone",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = MachineZone,
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn set_service_zone(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(MachineZone { zone }): JsonBody<MachineZone>,
) -> Result<Json<Service>, Failure> {
    let zone = zone::read(zone.as_deref())?;
    Ok(Json(accounts.set_service_zone(&service, zone, Accounts::OPERATOR, &visit).await?.into()))
}

/// Gives a service another name.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/name",
    operation_id = "rename_service",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = NewName,
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 404, description = "None."),
        (status = 409, description = "The name is taken, or there are no accounts.")
    )
)]
pub(crate) async fn rename_service(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(NewName { name }): JsonBody<NewName>,
) -> Result<Json<Service>, Failure> {
    Ok(Json(accounts.rename_service(&service, &name, Accounts::OPERATOR, &visit).await?.into()))
}

/// Lets a service prove itself with public keys or a certificate, too.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/credentials",
    operation_id = "add_service_credential",
    tag = "services",
    params(("service" = String, Path, description = "Its client id.")),
    request_body = NewCredential,
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn add_service_credential(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    JsonBody(new): JsonBody<NewCredential>,
) -> Result<Json<Service>, Failure> {
    let added = accounts.add_service_credential(&service, &new.read()?, Accounts::OPERATOR, &visit).await?;
    Ok(Json(added.into()))
}

/// Which credential.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichCredential {
    /// Its id.
    pub(crate) credential: String,
}

/// Takes a credential from a service, at once.
#[utoipa::path(
    delete,
    path = "/v1/services/{service}/credentials",
    operation_id = "remove_service_credential",
    tag = "services",
    params(("service" = String, Path, description = "Its client id."), WhichCredential),
    responses((status = 200, description = "It.", body = Service), (status = 404, description = "None."))
)]
pub(crate) async fn remove_service_credential(
    Administration { accounts, visit }: Administration,
    PathParameter(service): PathParameter<String>,
    QueryParameters(WhichCredential { credential }): QueryParameters<WhichCredential>,
) -> Result<Json<Service>, Failure> {
    let left = accounts.remove_service_credential(&service, &credential, Accounts::OPERATOR, &visit).await?;
    Ok(Json(left.into()))
}

impl NewCredential {
    pub(crate) fn read(self) -> Result<New, Failure> {
        match (self.keys, self.certificate) {
            (Some(keys), None) => Ok(New::Keys(keys)),
            (None, Some(certificate)) => Ok(New::Certificate(certificate)),
            _ => Err(Failure::new(FailureCode::InvalidValue, "say either `keys` or `certificate`")),
        }
    }
}

impl From<Part<Known>> for Services {
    fn from(part: Part<Known>) -> Self {
        Self { services: part.items.into_iter().map(Service::from).collect(), next: part.next }
    }
}

impl From<Known> for Service {
    fn from(known: Known) -> Self {
        let credentials = known.credentials.into_iter().map(|credential| ServiceCredential {
            id: credential.id,
            kind: match credential.kind {
                Kind::Secret => CredentialKind::Secret,
                Kind::Keys => CredentialKind::Keys,
                Kind::Certificate => CredentialKind::Certificate,
            },
            value: Some(credential.value).filter(|value| !value.is_empty()),
            created: credential.created.into(),
            expires: credential.expires.map(Into::into),
        });
        Self {
            id: known.id,
            organization: known.organization,
            name: known.name,
            permissions: known.permissions.iter().map(ToString::to_string).collect(),
            exchange: known.exchange.iter().map(ToString::to_string).collect(),
            zone: known.zone.map(|zone| zone.to_string()),
            created: known.created.into(),
            suspended: known.suspended.map(Into::into),
            suspended_because: known.suspended.map(|_| known.suspended_because),
            credentials: credentials.collect(),
        }
    }
}

impl From<(Known, SecretString)> for IssuedService {
    fn from((service, secret): (Known, SecretString)) -> Self {
        Self { secret, service: service.into() }
    }
}
