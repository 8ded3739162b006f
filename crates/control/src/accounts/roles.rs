//! `/auth/roles` and `/auth/bindings`: what those who manage an organisation do there.
//!
//! They act in the organisation of their session and give what they have themselves.

use axum::Json;
use bartizan_identity::account::{AccountError, Authority, CurrentSession};
use bartizan_model::OrganizationId;
use http::StatusCode;

use super::visitor::Holder;
use crate::{
    api::{
        page::Page,
        roles::{Bindings, NewBinding, NewRole, Role, RolePermissions, Roles, Unbound, WhichRole, holder},
    },
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// What it takes.
pub(super) const MANAGE: &str = "organization:manage";

/// The roles of the organisation's own. Takes the permission `organization:manage`.
#[utoipa::path(
    get,
    path = "/roles",
    operation_id = "list_own_roles",
    security(("session" = [])),
    responses(
        (status = 200, description = "By name.", body = Roles),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn list_own_roles(Holder { accounts, token, .. }: Holder) -> Result<Json<Roles>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    Ok(Json(accounts.custom_roles(organization(&session)?).await?.into()))
}

/// Makes a role of the organisation's own, with no more than the session has. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    post,
    path = "/roles",
    operation_id = "create_own_role",
    security(("session" = [])),
    request_body = NewRole,
    responses(
        (status = 200, description = "The role.", body = Role),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the role would have one that the session has not."),
        (status = 409, description = "The name is taken."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn create_own_role(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(NewRole { name, permissions }): JsonBody<NewRole>,
) -> Result<Json<Role>, Failure> {
    let session = accounts.fresh_permitted_session(&token, MANAGE, &visit).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    let made = accounts.create_custom_role(organization, &name, &permissions, &authority, &visit).await?;
    Ok(Json(made.into()))
}

/// Gives a role of the organisation's own other permissions, none that the session has not. They count for everybody who
/// has it, at once. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/roles/{role}/permissions",
    operation_id = "set_own_role_permissions",
    security(("session" = [])),
    params(("role" = String, Path, description = "Its name.")),
    request_body = RolePermissions,
    responses(
        (status = 200, description = "The role.", body = Role),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the role has or would have one that the session has not."),
        (status = 404, description = "There is none."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn set_own_role_permissions(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(role): PathParameter<String>,
    JsonBody(RolePermissions { permissions }): JsonBody<RolePermissions>,
) -> Result<Json<Role>, Failure> {
    let session = accounts.fresh_permitted_session(&token, MANAGE, &visit).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    let set =
        accounts.set_custom_role_permissions(organization, &role, &permissions, &authority, &visit).await?;
    Ok(Json(set.into()))
}

/// Forgets a role of the organisation's own, and takes it from everybody. Takes the permission `organization:manage`.
#[utoipa::path(
    delete,
    path = "/roles",
    operation_id = "delete_own_role",
    security(("session" = [])),
    params(WhichRole),
    responses(
        (status = 200, description = "What it was.", body = Role),
        (status = 403, description = "Without the permission, or the role has one that the session has not."),
        (status = 404, description = "There is none.")
    )
)]
pub(crate) async fn delete_own_role(
    Holder { accounts, token, visit, .. }: Holder,
    QueryParameters(WhichRole { role }): QueryParameters<WhichRole>,
) -> Result<Json<Role>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    let authority = Authority::Manager(&session);
    let gone = accounts.delete_custom_role(organization(&session)?, &role, &authority, &visit).await?;
    Ok(Json(gone.into()))
}

/// Who has which role in the organisation. Takes the permission `organization:manage`.
#[utoipa::path(
    get,
    path = "/bindings",
    operation_id = "list_own_bindings",
    security(("session" = [])),
    params(Page),
    responses(
        (status = 200, description = "By name, a thousand at once.", body = Bindings),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn list_own_bindings(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Bindings>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    Ok(Json(accounts.bindings(organization(&session)?, &page.into()).await?.into()))
}

/// Gives a role to a member or a service of the organisation, with no more than the session has. Takes the permission
/// `organization:manage`.
#[utoipa::path(
    post,
    path = "/bindings",
    operation_id = "bind_own_role",
    security(("session" = [])),
    request_body = NewBinding,
    responses(
        (status = 204, description = "They have it."),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the role has one that the session has not."),
        (status = 404, description = "There is no such member or service."),
        (status = 422, description = "Something makes no sense.")
    )
)]
pub(crate) async fn bind_own_role(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(new): JsonBody<NewBinding>,
) -> Result<StatusCode, Failure> {
    let session = accounts.fresh_permitted_session(&token, MANAGE, &visit).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    accounts.bind_role(organization, &new.read()?, &authority, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a role from a member or a service of the organisation. Takes the permission `organization:manage`.
#[utoipa::path(
    delete,
    path = "/bindings",
    operation_id = "unbind_own_role",
    security(("session" = [])),
    params(Unbound),
    responses(
        (status = 204, description = "They no longer have it."),
        (status = 403, description = "Without the permission, or the role has one that the session has not."),
        (status = 404, description = "They did not have it.")
    )
)]
pub(crate) async fn unbind_own_role(
    Holder { accounts, token, visit, .. }: Holder,
    QueryParameters(Unbound { user, service, role }): QueryParameters<Unbound>,
) -> Result<StatusCode, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    accounts.unbind_role(organization, &holder(user, service)?, &role, &authority, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The organisation that the session acts for.
pub(super) fn organization(session: &CurrentSession) -> Result<&str, AccountError> {
    let organization = session.organization.as_ref().map(OrganizationId::as_str);
    organization.ok_or_else(|| AccountError::Forbidden("your session acts for no organisation".into()))
}
