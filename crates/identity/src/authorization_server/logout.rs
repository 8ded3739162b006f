//! Logout that begins at a client (`OpenID` Connect RP-Initiated Logout 1.0).
//!
//! The ID token that the client has got says which session is meant; its own time may be over. Without one nothing is ended:
//! there is nobody here to ask the person whether it was them or a page that has laid out a link.

use bartizan_config::Tokens;
use bartizan_model::UserId;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    AuthorizationServer, OAuthError, OwnTokens, TokenError, authorization::with_query, client, redirect_uri,
};
use crate::{
    TokenHeader,
    account::{AccountError, Visit},
    token::{CompactToken, check_signature, json, json::Object},
};

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct LogoutRequest {
    /// An ID token of the session (`id_token_hint`).
    pub id_token: SecretString,
    /// The client, which must be the one that the token is for.
    pub client: Option<String>,
    /// Where the person is to go afterwards (`post_logout_redirect_uri`).
    pub redirect_uri: Option<String>,
    /// Comes back as it is.
    pub state: Option<String>,
}

impl AuthorizationServer {
    /// Ends the session that an ID token is from, with the tokens of every client that came of it. Answers where the person
    /// goes, if the client has said so. One that has ended already is no error.
    pub async fn end_session(
        &self,
        request: &LogoutRequest,
        visit: &Visit,
    ) -> Result<Option<String>, TokenError> {
        let refused = |why| TokenError::refused(OAuthError::InvalidRequest, why);
        let tokens = self.settings();
        let claims = self.own.id_token(request.id_token.expose_secret().as_bytes(), &tokens);
        let claims = claims.ok_or_else(|| refused("`id_token_hint` is no ID token of this server"))?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if request.client.as_ref().is_some_and(|client| client != text("aud")) {
            return Err(refused("`id_token_hint` is for another client"));
        }
        // Before anything is ended.
        let client = client::known(&tokens, text("aud"));
        let registered = client.map(|client| client.post_logout_redirect_uris.as_slice()).unwrap_or_default();
        if request.redirect_uri.as_ref().is_some_and(|uri| !redirect_uri::is_registered(registered, uri)) {
            return Err(refused("`post_logout_redirect_uri` is not registered"));
        }
        let user = UserId::from(text("sub"));
        let ended = self.accounts.revoke_session(text("sid"), Some(&user), user.as_str(), visit).await;
        if let Err(error) = ended
            && !matches!(error, AccountError::Missing(_))
        {
            return Err(error.into());
        }
        let state = request.state.as_deref().map(|state| ("state", state));
        Ok(request.redirect_uri.as_ref().map(|uri| match state {
            Some(state) => with_query(uri, &[state]),
            None => uri.clone(),
        }))
    }
}

impl OwnTokens {
    /// The claims of an ID token of this gateway, whether its time is over or not.
    fn id_token(&self, token: &[u8], tokens: &Tokens) -> Option<Object> {
        let token = CompactToken::parse(token).ok()?;
        let header = TokenHeader::parse(&token.header).ok()?;
        let keys = self.keys().keys();
        check_signature(&token, &header, keys.as_ref()?).ok()?;
        let claims = json::parse_object(&token.payload).ok()?;
        let is_text =
            |name: &str| claims.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let counts = header.token_type() == Some("jwt")
            && claims.get("iss").and_then(Value::as_str) == Some(&tokens.issuer)
            && ["sub", "aud", "sid"].into_iter().all(is_text);
        counts.then_some(claims)
    }
}
