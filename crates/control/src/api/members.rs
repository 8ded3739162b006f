//! `/v1/organizations/{organization}/members`: who is what in an organisation, and who is so no longer.

use axum::Json;
use bartizan_identity::account::{Authority, MemberChange, PersonId};
use http::StatusCode;
use serde::Deserialize;

use super::{keys::Suspension, organizations::Members, page::Page};
use crate::{
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// A member of an organisation.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct WhichMember {
    /// The id or the name.
    organization: String,
    /// The id or the e-mail address.
    user: String,
}

/// Who is what in an organisation.
#[utoipa::path(
    get,
    path = "/v1/organizations/{organization}/members",
    operation_id = "list_members",
    tag = "organizations",
    params(("organization" = String, Path, description = "The id or the name."), Page),
    responses((status = 200, description = "By address, a thousand people at once.", body = Members), (status = 404, description = "None."))
)]
pub(crate) async fn list_members(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(organization): PathParameter<String>,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Members>, Failure> {
    Ok(Json(accounts.members(&organization, &page.into()).await?.into()))
}

/// Lets a person act for an organisation no longer, until they are resumed. Their account stays as it is.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/members/{user}/suspend",
    operation_id = "suspend_member",
    tag = "organizations",
    params(WhichMember),
    request_body = Suspension,
    responses(
        (status = 204, description = "They are suspended there."),
        (status = 404, description = "There is no such member.")
    )
)]
pub(crate) async fn suspend_member(
    administration: Administration,
    which: PathParameter<WhichMember>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<StatusCode, Failure> {
    change(administration, which, MemberChange::Suspend(&reason)).await
}

/// Gives a person who is suspended in an organisation their roles back.
#[utoipa::path(
    post,
    path = "/v1/organizations/{organization}/members/{user}/resume",
    operation_id = "resume_member",
    tag = "organizations",
    params(WhichMember),
    responses(
        (status = 204, description = "They have their roles back."),
        (status = 404, description = "There is no such suspended member.")
    )
)]
pub(crate) async fn resume_member(
    administration: Administration,
    which: PathParameter<WhichMember>,
) -> Result<StatusCode, Failure> {
    change(administration, which, MemberChange::Resume).await
}

/// Takes a person out of an organisation. Their account stays.
#[utoipa::path(
    delete,
    path = "/v1/organizations/{organization}/members/{user}",
    operation_id = "remove_member",
    tag = "organizations",
    params(WhichMember),
    responses(
        (status = 204, description = "They belong to it no longer."),
        (status = 404, description = "There is no such member.")
    )
)]
pub(crate) async fn remove_member(
    administration: Administration,
    which: PathParameter<WhichMember>,
) -> Result<StatusCode, Failure> {
    change(administration, which, MemberChange::Remove).await
}

async fn change(
    Administration { accounts, visit }: Administration,
    PathParameter(WhichMember { organization, user }): PathParameter<WhichMember>,
    change: MemberChange<'_>,
) -> Result<StatusCode, Failure> {
    accounts.change_member(&organization, &PersonId(user), change, &Authority::Operator, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}
