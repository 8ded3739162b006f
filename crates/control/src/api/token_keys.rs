//! `/v1/tokens/keys`: what signs tokens, and another in its place.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_identity::{
    account::Accounts,
    authorization_server::{self, KeyChange, SigningKeys},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::tokens::failure;
use crate::{Timestamp, control::Shared, extract::JsonBody, failure::Failure, operator::Operator};

/// The keys that sign and verify tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenKeys {
    /// All that are published, the oldest first.
    pub keys: Vec<TokenKey>,
    /// When the next one takes over by itself.
    pub rotates: Timestamp,
}

/// A key that signs, has signed or is to sign tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenKey {
    /// Its `kid`.
    pub id: String,
    /// What it signs with.
    #[schema(example = "EdDSA")]
    pub algorithm: String,
    /// What it is there for.
    pub state: TokenKeyState,
    /// Since when.
    pub since: Timestamp,
}

/// What a key is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenKeyState {
    /// It signs after the one that does now.
    Next,
    /// It signs.
    Active,
    /// It has signed, and verifies until nothing of that counts any longer.
    Retiring,
}

/// What becomes of the keys so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenKeyRotation {
    /// Whether they are dropped, because somebody else may know them: every access token and ID token so far is refused.
    /// Refresh tokens go on.
    pub revoke: bool,
}

/// The keys that sign and verify tokens.
#[utoipa::path(
    get,
    path = "/v1/tokens/keys",
    operation_id = "list_token_keys",
    tag = "tokens",
    responses((status = 200, description = "The oldest first.", body = TokenKeys))
)]
pub(crate) async fn list_token_keys(State(shared): State<Arc<Shared>>) -> Result<Json<TokenKeys>, Failure> {
    Ok(Json(shared.tokens()?.signing_keys().await.map_err(failure)?.into()))
}

/// Lets another key sign now. This gateway does at once, others of the store within five seconds.
#[utoipa::path(
    post,
    path = "/v1/tokens/keys/rotate",
    operation_id = "rotate_token_keys",
    tag = "tokens",
    request_body = TokenKeyRotation,
    responses((status = 200, description = "The keys now.", body = TokenKeys))
)]
pub(crate) async fn rotate_token_keys(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    JsonBody(TokenKeyRotation { revoke }): JsonBody<TokenKeyRotation>,
) -> Result<Json<TokenKeys>, Failure> {
    let change = if revoke { KeyChange::Revoke } else { KeyChange::Rotate };
    let changed = shared.tokens()?.change_keys(change, Accounts::OPERATOR, &operator.visit()).await;
    Ok(Json(changed.map_err(failure)?.into()))
}

impl From<SigningKeys> for TokenKeys {
    fn from(keys: SigningKeys) -> Self {
        let key = |key: authorization_server::PublishedKey| TokenKey {
            id: key.id,
            algorithm: key.algorithm,
            state: key.state.into(),
            since: key.since.into(),
        };
        Self { keys: keys.published.into_iter().map(key).collect(), rotates: keys.rotates.into() }
    }
}

impl From<authorization_server::KeyState> for TokenKeyState {
    fn from(state: authorization_server::KeyState) -> Self {
        match state {
            authorization_server::KeyState::Next => Self::Next,
            authorization_server::KeyState::Active => Self::Active,
            authorization_server::KeyState::Retiring => Self::Retiring,
        }
    }
}
