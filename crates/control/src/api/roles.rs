//! `/v1/organizations/{organization}/roles` and `/bindings`: roles of an organisation's own, and who has which.

use std::{sync::Arc, time::SystemTime};

use axum::{Json, extract::State};
use bartizan_identity::account::{
    Authority, CustomRole, NewBinding as New, Part, PersonId, RoleBinding as Known, RoleHolder,
};
use bartizan_model::Grant;
use bartizan_policy::BuiltInRole;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    control::Shared,
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
};

/// Roles of an organisation's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Roles {
    /// By name.
    pub roles: Vec<Role>,
}

/// A role of an organisation's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it grants, in this organisation.
    pub permissions: Vec<String>,
    /// Since when it is known.
    pub created: Timestamp,
}

/// Roles that are known everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownRoles {
    /// Those of the configuration, then those that exist without being written.
    pub roles: Vec<KnownRole>,
}

/// A role that is known everywhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KnownRole {
    /// Its name.
    #[schema(example = "viewer")]
    pub name: String,
    /// What it grants.
    pub permissions: Vec<String>,
    /// Whether it exists without being written.
    pub built_in: bool,
}

/// The roles of the configuration, and those that exist without being written, with what they grant.
#[utoipa::path(
    get,
    path = "/v1/roles",
    operation_id = "list_known_roles",
    tag = "roles",
    responses((status = 200, description = "The roles.", body = KnownRoles))
)]
pub(crate) async fn list_known_roles(State(shared): State<Arc<Shared>>) -> Json<KnownRoles> {
    let config = shared.system.config();
    let texts = |grants: &[Grant]| grants.iter().map(ToString::to_string).collect();
    let written = config.roles.iter().map(|role| KnownRole {
        name: role.name.to_string(),
        permissions: texts(&role.grants),
        built_in: false,
    });
    let is_written = |name: &str| config.roles.iter().any(|role| role.name.as_str() == name);
    let others = BuiltInRole::ALL.into_iter().filter(|role| !is_written(role.name()));
    let others = others.map(|role| KnownRole {
        name: role.name().to_owned(),
        permissions: texts(&role.grants()),
        built_in: true,
    });
    Json(KnownRoles { roles: written.chain(others).collect() })
}

/// A role to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// Its name, which no role of the configuration has.
    #[schema(min_length = 1, max_length = 64, example = "support")]
    pub name: String,
    /// What it grants.
    #[schema(min_items = 1, max_items = 100, example = json!(["tickets:*"]))]
    pub permissions: Vec<String>,
}

/// What a role grants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RolePermissions {
    /// All of it: what is not here it grants no more.
    #[schema(min_items = 1, max_items = 100, example = json!(["tickets:*"]))]
    pub permissions: Vec<String>,
}

/// Who has which role in an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Bindings {
    /// By name.
    pub bindings: Vec<Binding>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A role that somebody has in an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Binding {
    /// The id of the person.
    pub user: Option<String>,
    /// The client id of the service.
    pub service: Option<String>,
    /// The address of the person, or the name of the service.
    pub name: String,
    /// The role; one of the organisation's own is `custom/NAME`.
    #[schema(example = "custom/support")]
    pub role: String,
    /// What it is cut down to; empty: not at all.
    pub scope: Vec<String>,
    /// Since when.
    pub created: Timestamp,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// A role to be given, to a person or a service. One that they have already gets this scope and this end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBinding {
    /// The person, by id or e-mail address.
    #[serde(default)]
    pub user: Option<String>,
    /// The service, by client id.
    #[serde(default)]
    pub service: Option<String>,
    /// The role: of the configuration, built in, or the organisation's own.
    #[schema(example = "support")]
    pub role: String,
    /// What it is cut down to; empty: not at all.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["tickets:read"]))]
    pub scope: Vec<String>,
    /// When it ends.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

/// A role to be taken away.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Unbound {
    /// The person, by id or e-mail address.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// The service, by client id.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The role.
    pub(crate) role: String,
}

/// Which role of an organisation's own.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct RoleOfOrganization {
    /// The id or the name.
    organization: String,
    /// The name of the role.
    role: String,
}

/// Which role.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichRole {
    /// Its name.
    pub(crate) role: String,
}

/// The roles of an organisation's own.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/roles",
    operation_id = "list_roles",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name.")),
    responses((status = 200, description = "By name.", body = Roles), (status = 404, description = "None."))
)]
pub(crate) async fn list_roles(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(organization): PathParameter<String>,
) -> Result<Json<Roles>, Failure> {
    Ok(Json(accounts.custom_roles(&organization).await?.into()))
}

/// Makes a role of an organisation's own.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/roles",
    operation_id = "create_role",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name.")),
    request_body = NewRole,
    responses(
        (status = 200, description = "The role.", body = Role),
        (status = 404, description = "There is no such organisation."),
        (status = 409, description = "The name is taken, or there are no accounts.")
    )
)]
pub(crate) async fn create_role(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    JsonBody(NewRole { name, permissions }): JsonBody<NewRole>,
) -> Result<Json<Role>, Failure> {
    let made =
        accounts.create_custom_role(&organization, &name, &permissions, &Authority::Operator, &visit).await?;
    Ok(Json(made.into()))
}

/// Gives a role of an organisation's own other permissions. They count for everybody who has it, at once.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/roles/{role}/permissions",
    operation_id = "set_role_permissions",
    tag = "roles",
    params(RoleOfOrganization),
    request_body = RolePermissions,
    responses((status = 200, description = "The role.", body = Role), (status = 404, description = "None."))
)]
pub(crate) async fn set_role_permissions(
    Administration { accounts, visit }: Administration,
    PathParameter(RoleOfOrganization { organization, role }): PathParameter<RoleOfOrganization>,
    JsonBody(RolePermissions { permissions }): JsonBody<RolePermissions>,
) -> Result<Json<Role>, Failure> {
    let operator = Authority::Operator;
    let set =
        accounts.set_custom_role_permissions(&organization, &role, &permissions, &operator, &visit).await?;
    Ok(Json(set.into()))
}

/// Forgets a role of an organisation's own, and takes it from everybody.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization}/roles",
    operation_id = "delete_role",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name."), WhichRole),
    responses((status = 200, description = "What it was.", body = Role), (status = 404, description = "None."))
)]
pub(crate) async fn delete_role(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    QueryParameters(WhichRole { role }): QueryParameters<WhichRole>,
) -> Result<Json<Role>, Failure> {
    let gone = accounts.delete_custom_role(&organization, &role, &Authority::Operator, &visit).await?;
    Ok(Json(gone.into()))
}

/// Who has which role in an organisation.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/bindings",
    operation_id = "list_bindings",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name."), Page),
    responses((status = 200, description = "By name, a thousand at once.", body = Bindings), (status = 404, description = "None."))
)]
pub(crate) async fn list_bindings(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(organization): PathParameter<String>,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Bindings>, Failure> {
    Ok(Json(accounts.bindings(&organization, &page.into()).await?.into()))
}

/// Gives a role in an organisation, to a person or a service.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/bindings",
    operation_id = "bind_role",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name.")),
    request_body = NewBinding,
    responses(
        (status = 204, description = "They have it."),
        (status = 404, description = "There is no such organisation, person or service.")
    )
)]
pub(crate) async fn bind_role(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    JsonBody(new): JsonBody<NewBinding>,
) -> Result<StatusCode, Failure> {
    accounts.bind_role(&organization, &new.read()?, &Authority::Operator, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a role in an organisation away.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization}/bindings",
    operation_id = "unbind_role",
    tag = "roles",
    params(("organization" = String, Path, description = "The id or the name."), Unbound),
    responses(
        (status = 204, description = "They no longer have it."),
        (status = 404, description = "They did not have it.")
    )
)]
pub(crate) async fn unbind_role(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    QueryParameters(Unbound { user, service, role }): QueryParameters<Unbound>,
) -> Result<StatusCode, Failure> {
    let holder = holder(user, service)?;
    accounts.unbind_role(&organization, &holder, &role, &Authority::Operator, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn holder(user: Option<String>, service: Option<String>) -> Result<RoleHolder, Failure> {
    match (user, service) {
        (Some(user), None) => Ok(RoleHolder::Person(PersonId(user))),
        (None, Some(service)) => Ok(RoleHolder::Service(service)),
        _ => Err(Failure::new(FailureCode::InvalidValue, "say either `user` or `service`")),
    }
}

impl NewBinding {
    pub(crate) fn read(self) -> Result<New, Failure> {
        let Self { user, service, role, scope, expires } = self;
        Ok(New { holder: holder(user, service)?, role, scope, expires: expires.map(SystemTime::from) })
    }
}

impl From<CustomRole> for Role {
    fn from(known: CustomRole) -> Self {
        Self {
            name: known.name,
            permissions: known.permissions.iter().map(ToString::to_string).collect(),
            created: known.created.into(),
        }
    }
}

impl From<Vec<CustomRole>> for Roles {
    fn from(known: Vec<CustomRole>) -> Self {
        Self { roles: known.into_iter().map(Role::from).collect() }
    }
}

impl From<Part<Known>> for Bindings {
    fn from(known: Part<Known>) -> Self {
        let binding = |known: Known| Binding {
            user: known.user,
            service: known.service,
            name: known.name,
            role: known.role,
            scope: known.scope.iter().map(ToString::to_string).collect(),
            created: known.created.into(),
            expires: known.expires.map(Into::into),
        };
        Self { bindings: known.items.into_iter().map(binding).collect(), next: known.next }
    }
}
