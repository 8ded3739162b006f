//! `/v1/organizations`: organisations and who is what in them.

use axum::Json;
use bartizan_identity::account::{Accounts, Membership, Organization as Known};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::JsonBody,
    failure::Failure,
};

/// Every organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Organizations {
    /// By name.
    pub organizations: Vec<Organization>,
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
    responses((status = 200, description = "Every organisation, by name.", body = Organizations))
)]
pub(crate) async fn list_organizations(
    KnownAccounts(accounts): KnownAccounts,
) -> Result<Json<Organizations>, Failure> {
    let known = accounts.organizations().await?;
    Ok(Json(Organizations { organizations: known.into_iter().map(Organization::from).collect() }))
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

impl From<Vec<Membership>> for Members {
    fn from(known: Vec<Membership>) -> Self {
        let member = |known: Membership| Member {
            user: known.user,
            email: known.email,
            role: known.role,
            suspended: known.suspended.map(Timestamp::from),
        };
        Self { members: known.into_iter().map(member).collect() }
    }
}

impl From<Known> for Organization {
    fn from(known: Known) -> Self {
        Self { id: known.id.to_string(), name: known.name, created: known.created.into() }
    }
}
