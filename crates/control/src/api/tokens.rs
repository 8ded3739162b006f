//! `/v1/tokens/revocations`: ends tokens that the gateway has issued.

use std::sync::Arc;

use axum::extract::State;
use bartizan_identity::{
    account::{Accounts, PersonId},
    authorization_server::{AuthorizationServer, Revoked, TokenError},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    control::Shared,
    extract::JsonBody,
    failure::{Failure, FailureCode},
    operator::Operator,
};

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

fn failure(error: TokenError) -> Failure {
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
    fn tokens(&self) -> Result<&AuthorizationServer, Failure> {
        let detail = "this gateway issues no tokens: add `tokens` under `accounts` in its configuration, and restart it";
        self.tokens.as_deref().ok_or_else(|| Failure::new(FailureCode::TokensNotConfigured, detail))
    }
}
