//! `/auth/organization/services`: the services of an organisation, for those who manage it.

use std::time::Duration;

use axum::Json;
use bartizan_identity::account::ServiceChange;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{roles::MANAGE, visitor::Holder};
use crate::{
    api::{
        keys::{Overlap, Suspension},
        organizations::NewName,
        page::Page,
        services::{IssuedService, NewCredential, Service, ServicePermissions, Services, WhichCredential},
    },
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// A service to be known, of the organisation that the session acts for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganizationService {
    /// Its name, which no other of the organisation has.
    #[schema(min_length = 1, max_length = 100, example = "payment-service")]
    pub name: String,
    /// What it may do, beside its roles: a part of what the session may.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["payment:read", "payment:write"]))]
    pub permissions: Vec<String>,
}

/// The services of the organisation. Takes the permission `organization:manage`.
#[utoipa::path(
    get,
    path = "/organization/services",
    operation_id = "list_organization_services",
    security(("session" = [])),
    params(Page),
    responses(
        (status = 200, description = "The oldest first, a thousand at once.", body = Services),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn list_organization_services(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Services>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    Ok(Json(accounts.organization_services(&session, &page.into()).await?.into()))
}

/// Makes a service of the organisation, with no more than the session has. The answer holds its secret, which is not shown
/// again. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services",
    operation_id = "create_organization_service",
    security(("session" = [])),
    request_body = NewOrganizationService,
    responses(
        (status = 200, description = "The service and its secret.", body = IssuedService),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the service would have one that the session has not."),
        (status = 409, description = "The name is taken."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn create_organization_service(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewOrganizationService { name, permissions }): JsonBody<NewOrganizationService>,
) -> Result<Json<IssuedService>, Failure> {
    let session = accounts.fresh_permitted_session(&token, MANAGE, &visit).await?;
    Ok(Json(accounts.create_organization_service(&session, &name, &permissions, &visit).await?.into()))
}

/// Gives a service of the organisation another secret, which is not shown again. The one so far works a while longer, if
/// you say so. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/rotate",
    operation_id = "rotate_organization_service",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    request_body = Overlap,
    responses(
        (status = 200, description = "The service and its new secret.", body = IssuedService),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn rotate_organization_service(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(service): PathParameter<String>,
    JsonBody(Overlap { overlap_seconds }): JsonBody<Overlap>,
) -> Result<Json<IssuedService>, Failure> {
    let session = accounts.fresh_permitted_session(&token, MANAGE, &visit).await?;
    let overlap = Duration::from_secs(overlap_seconds);
    Ok(Json(accounts.rotate_organization_service(&session, &service, overlap, &visit).await?.into()))
}

/// Refuses a service of the organisation, and its API keys, until it is resumed. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/suspend",
    operation_id = "suspend_organization_service",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    request_body = Suspension,
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id."),
        (status = 422, description = "The reason makes no sense.")
    )
)]
pub(crate) async fn suspend_organization_service(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::Suspend(&reason)).await
}

/// Lets a suspended service of the organisation in again. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/resume",
    operation_id = "resume_organization_service",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn resume_organization_service(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::Resume).await
}

/// Gives a service of the organisation other permissions, none that the session has not. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/permissions",
    operation_id = "set_organization_service_permissions",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    request_body = ServicePermissions,
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the service has or would have one that the session has not."),
        (status = 404, description = "There is none with this id."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn set_organization_service_permissions(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
    JsonBody(ServicePermissions { permissions }): JsonBody<ServicePermissions>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::SetPermissions(&permissions)).await
}

/// Gives a service of the organisation another name. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/name",
    operation_id = "rename_organization_service",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    request_body = NewName,
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id."),
        (status = 409, description = "The name is taken."),
        (status = 422, description = "It is no name.")
    )
)]
pub(crate) async fn rename_organization_service(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
    JsonBody(NewName { name }): JsonBody<NewName>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::Rename(&name)).await
}

/// Lets a service of the organisation prove itself with public keys or a certificate, too. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    post,
    path = "/organization/services/{service}/credentials",
    operation_id = "add_organization_service_credential",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    request_body = NewCredential,
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn add_organization_service_credential(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
    JsonBody(new): JsonBody<NewCredential>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::AddCredential(&new.read()?)).await
}

/// Takes a credential from a service of the organisation, at once. Takes the permission `organization:manage`.
#[utoipa::path(
    delete,
    path = "/organization/services/{service}/credentials",
    operation_id = "remove_organization_service_credential",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id."), WhichCredential),
    responses(
        (status = 200, description = "It.", body = Service),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn remove_organization_service_credential(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
    QueryParameters(WhichCredential { credential }): QueryParameters<WhichCredential>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::RemoveCredential(&credential)).await
}

/// Forgets a service of the organisation, with its credentials, roles and API keys. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    delete,
    path = "/organization/services/{service}",
    operation_id = "delete_organization_service",
    security(("session" = [])),
    params(("service" = String, Path, description = "Its client id.")),
    responses(
        (status = 200, description = "What it was.", body = Service),
        (status = 403, description = "Without the permission, or for a service that may do more than the session."),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn delete_organization_service(
    holder: Holder,
    PathParameter(service): PathParameter<String>,
) -> Result<Json<Service>, Failure> {
    change(holder, &service, ServiceChange::Delete).await
}

/// Whatever takes something away is done at once; for the rest its person is proven lately.
async fn change(
    Holder { accounts, token, visit, .. }: Holder,
    service: &str,
    change: ServiceChange<'_>,
) -> Result<Json<Service>, Failure> {
    let session = match change {
        ServiceChange::Suspend(_) | ServiceChange::RemoveCredential(_) | ServiceChange::Delete => {
            accounts.permitted_session(&token, MANAGE).await?
        }
        ServiceChange::Resume
        | ServiceChange::Rename(_)
        | ServiceChange::SetPermissions(_)
        | ServiceChange::AddCredential(_) => accounts.fresh_permitted_session(&token, MANAGE, &visit).await?,
    };
    Ok(Json(accounts.change_organization_service(&session, service, change, &visit).await?.into()))
}
