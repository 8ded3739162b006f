//! `/v1/organizations`: organisations and who is what in them.

use axum::Json;
use bartizan_identity::account::{Accounts, Holdings, Membership, Organization as Known, Part};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// Every organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Organizations {
    /// By name.
    pub organizations: Vec<Organization>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Organization {
    /// Its id, which upstreams see as `x-organization-id`.
    pub id: String,
    /// Its name, which no other has.
    pub name: String,
    /// Since when it is known.
    pub created: Timestamp,
}

/// An organisation, and what it has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OrganizationDetails {
    /// The organisation.
    pub organization: Organization,
    /// How many people have a role there, or had one that is suspended.
    pub members: u64,
    /// How many services it has.
    pub services: u64,
    /// How many API keys act for it that are not revoked.
    pub keys: u64,
}

/// A name to be given to something that has one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewName {
    /// The name.
    #[schema(min_length = 1, max_length = 100, example = "Acme")]
    pub name: String,
}

/// How far it goes.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Deletion {
    /// Also if it has members, services or keys.
    force: bool,
}

/// An organisation to be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    /// Its name, which no other has.
    #[schema(min_length = 1, max_length = 100, example = "Acme")]
    pub name: String,
}

/// Who is what in an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// By address; somebody with two roles stands here twice.
    pub members: Vec<Member>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What somebody is in an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The id of the person.
    pub user: String,
    /// Their address.
    pub email: String,
    /// What they are.
    pub role: String,
    /// Since when they are suspended there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Timestamp>,
}

/// Every organisation.
#[utoipa::path(
    get,
    path = "/v1/organizations",
    operation_id = "list_organizations",
    tag = "organizations",
    params(Page),
    responses((status = 200, description = "By name, a thousand at once.", body = Organizations))
)]
pub(crate) async fn list_organizations(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Organizations>, Failure> {
    let part = accounts.organizations(&page.into()).await?;
    let organizations = part.items.into_iter().map(Organization::from).collect();
    Ok(Json(Organizations { organizations, next: part.next }))
}

/// Makes an organisation.
#[utoipa::path(
    post,
    path = "/v1/organizations",
    operation_id = "create_organization",
    tag = "organizations",
    request_body = NewOrganization,
    responses(
        (status = 200, description = "The organisation.", body = Organization),
        (status = 409, description = "The name is taken, or there are no accounts.")
    )
)]
pub(crate) async fn create_organization(
    Administration { accounts, visit }: Administration,
    JsonBody(NewOrganization { name }): JsonBody<NewOrganization>,
) -> Result<Json<Organization>, Failure> {
    let made = accounts.create_organization(&name, Accounts::OPERATOR, &visit).await?;
    Ok(Json(made.into()))
}

/// One organisation, and what it has.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}",
    operation_id = "read_organization",
    tag = "organizations",
    params(("organization" = String, Path, description = "The id or the name.")),
    responses(
        (status = 200, description = "The organisation.", body = OrganizationDetails),
        (status = 404, description = "None.")
    )
)]
pub(crate) async fn read_organization(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(organization): PathParameter<String>,
) -> Result<Json<OrganizationDetails>, Failure> {
    let (organization, Holdings { members, services, keys }) = accounts.holdings(&organization).await?;
    Ok(Json(OrganizationDetails { organization: organization.into(), members, services, keys }))
}

/// Gives an organisation another name.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/name",
    operation_id = "rename_organization",
    tag = "organizations",
    params(("organization" = String, Path, description = "The id or the name so far.")),
    request_body = NewName,
    responses(
        (status = 200, description = "The organisation.", body = Organization),
        (status = 404, description = "None."),
        (status = 409, description = "The name is taken, or there are no accounts.")
    )
)]
pub(crate) async fn rename_organization(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    JsonBody(NewName { name }): JsonBody<NewName>,
) -> Result<Json<Organization>, Failure> {
    let renamed = accounts.rename_organization(&organization, &name, Accounts::OPERATOR, &visit).await?;
    Ok(Json(renamed.into()))
}

/// Forgets an organisation, with its roles, invitations, services and API keys. What acts for it ends: sessions, tokens and
/// keys. The accounts of its people stay.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization}",
    operation_id = "delete_organization",
    tag = "organizations",
    params(("organization" = String, Path, description = "The id or the name."), Deletion),
    responses(
        (status = 200, description = "What it was.", body = Organization),
        (status = 404, description = "None."),
        (status = 409, description = "It has members, services or keys, or there are no accounts.")
    )
)]
pub(crate) async fn delete_organization(
    Administration { accounts, visit }: Administration,
    PathParameter(organization): PathParameter<String>,
    QueryParameters(Deletion { force }): QueryParameters<Deletion>,
) -> Result<Json<Organization>, Failure> {
    let gone = accounts.delete_organization(&organization, force, Accounts::OPERATOR, &visit).await?;
    Ok(Json(gone.into()))
}

impl From<Part<Membership>> for Members {
    fn from(known: Part<Membership>) -> Self {
        let member = |known: Membership| Member {
            user: known.user,
            email: known.email,
            role: known.role,
            suspended: known.suspended.map(Timestamp::from),
        };
        Self { members: known.items.into_iter().map(member).collect(), next: known.next }
    }
}

impl From<Known> for Organization {
    fn from(known: Known) -> Self {
        Self { id: known.id.to_string(), name: known.name, created: known.created.into() }
    }
}
