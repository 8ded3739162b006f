//! `/v1/tokens`: what the gateway has issued tokens for, and their end.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_identity::{
    account::{Accounts, Page, PersonId},
    authorization_server::{AuthorizationServer, AuthorizationSummary, Revoked, TokenError},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    control::Shared,
    extract::{JsonBody, QueryParameters},
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// Authorisations that have not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenAuthorizations {
    /// The newest first.
    pub authorizations: Vec<TokenAuthorization>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What a person has authorised a client to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenAuthorization {
    /// The `grant_id` of its access tokens.
    pub id: String,
    /// The client that has the tokens.
    pub client: String,
    /// The id of the person.
    pub user: String,
    /// The id of the organisation it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What the tokens may be used for.
    pub scope: String,
    /// Whether they are bound to a key or a certificate.
    pub bound: bool,
    /// When it began.
    pub created: Timestamp,
    /// When tokens were issued last.
    pub seen: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// Whose authorisations.
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

/// What people have authorised clients to do.
#[utoipa::path(
    get,
    path = "/v1/tokens/authorizations",
    operation_id = "list_authorizations",
    tag = "tokens",
    params(Whose),
    responses(
        (status = 200, description = "The newest first, a thousand at once.", body = TokenAuthorizations),
        (status = 404, description = "There is no such person.")
    )
)]
pub(crate) async fn list_authorizations(
    State(shared): State<Arc<Shared>>,
    QueryParameters(Whose { user, after, limit }): QueryParameters<Whose>,
) -> Result<Json<TokenAuthorizations>, Failure> {
    let (who, page) = (user.map(PersonId), Page { after, limit });
    let part = shared.tokens()?.authorizations(who.as_ref(), &page).await.map_err(failure)?;
    let authorizations = part.items.into_iter().map(TokenAuthorization::from).collect();
    Ok(Json(TokenAuthorizations { authorizations, next: part.next }))
}

impl From<AuthorizationSummary> for TokenAuthorization {
    fn from(summary: AuthorizationSummary) -> Self {
        Self {
            id: summary.id,
            client: summary.client,
            user: summary.user,
            organization: summary.organization,
            scope: summary.scope,
            bound: summary.is_bound,
            created: summary.created.into(),
            seen: summary.seen.into(),
            expires: summary.expires.into(),
        }
    }
}

/// Whose tokens end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRevocation {
    /// What `id` names.
    pub kind: RevokedKind,
    /// The `jti` of an access token; the `grant_id` of an authorisation; the id or address of a person; the id or name of
    /// an organisation.
    #[schema(min_length = 1, max_length = 254)]
    pub id: String,
}

/// What tokens are revoked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RevokedKind {
    /// One access token.
    Token,
    /// What came of one authorisation: its refresh token, too.
    Authorization,
    /// Everything that one person has authorised. Their sessions stay.
    Person,
    /// Everything that was authorised for one organisation.
    Organization,
}

/// Ends tokens. They are refused at once here, and within a second by every gateway of the same store.
#[utoipa::path(
    post,
    path = "/v1/tokens/revocations",
    operation_id = "revoke_tokens",
    tag = "tokens",
    request_body = TokenRevocation,
    responses(
        (status = 204, description = "They have ended, if there were any."),
        (status = 404, description = "There is no such person or organisation.")
    )
)]
pub(crate) async fn revoke_tokens(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(TokenRevocation { kind, id }): JsonBody<TokenRevocation>,
) -> Result<StatusCode, Failure> {
    if !(1..=254).contains(&id.len()) {
        return Err(Failure::new(FailureCode::InvalidValue, "`id` has 1 to 254 bytes"));
    }
    let what = match kind {
        RevokedKind::Token => Revoked::Token(id),
        RevokedKind::Authorization => Revoked::Authorization(id),
        RevokedKind::Person => Revoked::Person(PersonId(id)),
        RevokedKind::Organization => Revoked::Organization(id),
    };
    let revoked = shared.tokens()?.revoke(&what, Accounts::OPERATOR, &operator.visit()).await;
    revoked.map_err(failure)?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn failure(error: TokenError) -> Failure {
    match error {
        TokenError::Account(error) => error.into(),
        TokenError::Store(error) => bartizan_identity::account::AccountError::Store(error).into(),
        error => {
            tracing::error!(%error, "tokens failed inside");
            Failure::new(FailureCode::InternalError, "this failed inside: see the log")
        }
    }
}

impl Shared {
    pub(super) fn tokens(&self) -> Result<&AuthorizationServer, Failure> {
        let detail = "this gateway issues no tokens: add `tokens` under `accounts` in its configuration, and restart it";
        self.tokens.as_deref().ok_or_else(|| Failure::new(FailureCode::TokensNotConfigured, detail))
    }
}
