//! `/auth/members`: the members of the organisation, for those who manage it.

use axum::Json;
use bartizan_identity::account::{Authority, MemberChange, PersonId};
use http::StatusCode;

use super::{
    roles::{MANAGE, organization},
    visitor::Holder,
};
use crate::{
    api::{
        keys::Suspension,
        organizations::Members,
        page::Page,
        sessions::{Session, Sessions},
    },
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// Who is what in the organisation. Takes the permission `organization:manage`.
#[utoipa::path(
    get,
    path = "/members",
    operation_id = "list_own_members",
    security(("session" = [])),
    params(Page),
    responses(
        (status = 200, description = "By address, a thousand people at once.", body = Members),
        (status = 403, description = "Without the permission.")
    )
)]
pub(crate) async fn list_own_members(
    Holder { accounts, token, .. }: Holder,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Members>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    Ok(Json(accounts.members(organization(&session)?, &page.into()).await?.into()))
}

/// The sessions of a member that act for the organisation. Takes the permission `organization:manage`.
#[utoipa::path(
    get,
    path = "/members/{user}/sessions",
    operation_id = "list_own_member_sessions",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the e-mail address."), Page),
    responses(
        (status = 200, description = "The newest first, a thousand at once.", body = Sessions),
        (status = 403, description = "Without the permission."),
        (status = 404, description = "There is no such member.")
    )
)]
pub(crate) async fn list_own_member_sessions(
    Holder { accounts, token, .. }: Holder,
    PathParameter(user): PathParameter<String>,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Sessions>, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    let part = accounts.member_sessions(organization, &PersonId(user), &page.into(), &authority).await?;
    Ok(Json(Sessions { sessions: part.items.into_iter().map(Session::from).collect(), next: part.next }))
}

/// Ends the sessions of a member that act for the organisation, and no others. Takes the permission `organization:manage`.
#[utoipa::path(
    delete,
    path = "/members/{user}/sessions",
    operation_id = "end_own_member_sessions",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses(
        (status = 204, description = "They have ended."),
        (status = 403, description = "Without the permission, or for who may do more than the session."),
        (status = 404, description = "There is no such member.")
    )
)]
pub(crate) async fn end_own_member_sessions(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(user): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    let session = accounts.permitted_session(&token, MANAGE).await?;
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    accounts.end_member_sessions(organization, &PersonId(user), &authority, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a member act for the organisation no longer, until they are resumed. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/members/{user}/suspend",
    operation_id = "suspend_own_member",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    request_body = Suspension,
    responses(
        (status = 204, description = "They are suspended."),
        (status = 403, description = "Without the permission, for who may do more than the session, or for oneself."),
        (status = 404, description = "There is no such member."),
        (status = 422, description = "The reason makes no sense.")
    )
)]
pub(crate) async fn suspend_own_member(
    holder: Holder,
    PathParameter(user): PathParameter<String>,
    JsonBody(Suspension { reason }): JsonBody<Suspension>,
) -> Result<StatusCode, Failure> {
    change(holder, user, MemberChange::Suspend(&reason)).await
}

/// Gives a suspended member their roles back. Takes the permission `organization:manage`.
#[utoipa::path(
    post,
    path = "/members/{user}/resume",
    operation_id = "resume_own_member",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses(
        (status = 204, description = "They have their roles back."),
        (status = 401, description = "There is no session, or its person must be proven again."),
        (status = 403, description = "Without the permission, or the roles have one that the session has not."),
        (status = 404, description = "There is no such suspended member.")
    )
)]
pub(crate) async fn resume_own_member(
    holder: Holder,
    PathParameter(user): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    change(holder, user, MemberChange::Resume).await
}

/// Takes a member out of the organisation; their account stays. Takes the permission `organization:manage`.
#[utoipa::path(
    delete,
    path = "/members/{user}",
    operation_id = "remove_own_member",
    security(("session" = [])),
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses(
        (status = 204, description = "They belong to it no longer."),
        (status = 403, description = "Without the permission, for who may do more than the session, or for oneself."),
        (status = 404, description = "There is no such member.")
    )
)]
pub(crate) async fn remove_own_member(
    holder: Holder,
    PathParameter(user): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    change(holder, user, MemberChange::Remove).await
}

async fn change(
    Holder { accounts, token, visit, .. }: Holder,
    user: String,
    change: MemberChange<'_>,
) -> Result<StatusCode, Failure> {
    let session = match change {
        MemberChange::Resume => accounts.fresh_permitted_session(&token, MANAGE, &visit).await?,
        MemberChange::Suspend(_) | MemberChange::Remove => accounts.permitted_session(&token, MANAGE).await?,
    };
    let (organization, authority) = (organization(&session)?, Authority::Manager(&session));
    accounts.change_member(organization, &PersonId(user), change, &authority, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}
