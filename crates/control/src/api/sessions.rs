//! `/v1/sessions`: who is logged in.

use axum::Json;
use bartizan_identity::account::{Accounts, Page, PersonId, SessionSummary};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
};

/// Sessions that have not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// The newest first.
    pub sessions: Vec<Session>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Its id. No secret: it opens nothing.
    pub id: String,
    /// The id of the person.
    pub user: String,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last, to about five minutes.
    pub seen: Timestamp,
    /// When it ends, unless it is used.
    pub expires: Timestamp,
    /// From where it began.
    pub address: String,
    /// What the client called itself then.
    pub client: String,
}

/// Whose sessions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Whose {
    /// The id or the e-mail address of a person; without it everybody.
    user: Option<String>,
    /// What `next` of the part before was; without it the first part.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    #[serde(default, deserialize_with = "super::page::limit")]
    limit: Option<u32>,
}

/// Whose sessions are to end: one of both.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OneOwner {
    /// The id or the e-mail address of a person.
    user: Option<String>,
    /// The id or the name of an organisation: those that act for it.
    organization: Option<String>,
}

/// Sessions that have not ended.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    params(Whose),
    responses((status = 200, description = "The newest first, a thousand at once.", body = Sessions))
)]
pub(crate) async fn list_sessions(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(Whose { user, after, limit }): QueryParameters<Whose>,
) -> Result<Json<Sessions>, Failure> {
    let owner = match user {
        Some(user) => Some(accounts.person(&PersonId(user)).await?.id),
        None => None,
    };
    let part = accounts.sessions_of(owner.as_ref(), &Page { after, limit }).await?;
    Ok(Json(Sessions { sessions: part.items.into_iter().map(Session::from).collect(), next: part.next }))
}

/// Ends a session.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{session}",
    operation_id = "end_session",
    tag = "sessions",
    params(("session" = String, Path, description = "The id of the session.")),
    responses((status = 204, description = "It has ended."), (status = 404, description = "There is none."))
)]
pub(crate) async fn end_session(
    Administration { accounts, visit }: Administration,
    PathParameter(session): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.revoke_session(&session, None, Accounts::OPERATOR, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends every session of somebody, or for an organisation.
#[utoipa::path(
    delete,
    path = "/v1/sessions",
    operation_id = "end_sessions",
    tag = "sessions",
    params(OneOwner),
    responses(
        (status = 204, description = "They have ended."),
        (status = 404, description = "Nobody, or no such organisation."),
        (status = 422, description = "Neither a person nor an organisation, or both.")
    )
)]
pub(crate) async fn end_sessions(
    Administration { accounts, visit }: Administration,
    QueryParameters(owner): QueryParameters<OneOwner>,
) -> Result<StatusCode, Failure> {
    match owner {
        OneOwner { user: Some(user), organization: None } => {
            accounts.revoke_sessions_of(&PersonId(user), Accounts::OPERATOR, &visit).await?;
        }
        OneOwner { user: None, organization: Some(organization) } => {
            accounts.revoke_sessions_for(&organization, Accounts::OPERATOR, &visit).await?;
        }
        _ => return Err(Failure::new(FailureCode::InvalidValue, "name a `user` or an `organization`")),
    }
    Ok(StatusCode::NO_CONTENT)
}

impl From<SessionSummary> for Session {
    fn from(session: SessionSummary) -> Self {
        Self {
            id: session.id.to_string(),
            user: session.user.to_string(),
            created: session.created.into(),
            seen: session.seen.into(),
            expires: session.expires.into(),
            address: session.address,
            client: session.client,
        }
    }
}
