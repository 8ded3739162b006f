//! The authorization endpoint: a person who has logged in sends a code to a registered client (RFC 6749, section 4.1;
//! RFC 7636; RFC 9207).
//!
//! Clients are registered by whoever runs the gateway, so nobody is asked whether they agree.

use std::time::{Duration, SystemTime};

use bartizan_config::{TokenClient, Tokens};
use bartizan_store::Statement;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;

use super::{AuthorizationServer, OAuthError, TokenError, client, scope::Scope};
use crate::{
    OpaqueToken, SessionToken, TokenHash,
    account::AccountError,
    session::{
        live::{LiveSession, Unavailable},
        moment::{milliseconds, now, span},
    },
};

/// How long a code counts (RFC 6749, section 4.1.2, allows ten minutes).
const CODE: Duration = Duration::from_mins(1);
/// Who is asked to log in again has done so when it is no longer ago than this.
const JUST_NOW: Duration = Duration::from_mins(1);
/// The longest `state` and `nonce` that are carried.
const LONGEST: usize = 2048;

pub(super) const CODE_PREFIX: &str = "btz_code";

/// What a client asks for through a person's browser.
#[derive(Debug, Clone, Default)]
pub struct AuthorizationRequest {
    /// `client_id`.
    pub client: String,
    /// `redirect_uri`.
    pub redirect_uri: String,
    /// `response_type`.
    pub response_type: String,
    /// `scope`.
    pub scope: String,
    /// `state`, which comes back as it is.
    pub state: Option<String>,
    /// `code_challenge`.
    pub code_challenge: String,
    /// `code_challenge_method`.
    pub code_challenge_method: String,
    /// `resource`, as often as it occurs.
    pub resources: Vec<String>,
    /// `nonce`, for the ID token.
    pub nonce: String,
    /// `prompt`.
    pub prompt: String,
    /// `max_age`, in seconds.
    pub max_age: Option<u64>,
    /// `dpop_jkt`: the key that the tokens will be bound to.
    pub dpop_key: String,
    /// All of it as it came, to come back after a login.
    pub query: String,
}

/// Where the browser goes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The value of `Location`.
    pub location: String,
}

impl AuthorizationServer {
    /// Decides about a request. An error is for the person to see: nobody may be sent to where it asks.
    pub async fn authorize(
        &self,
        request: &AuthorizationRequest,
        session: Option<&SessionToken>,
    ) -> Result<Authorization, TokenError> {
        let tokens = self.settings();
        let client = client::known(&tokens, &request.client).ok_or_else(|| {
            TokenError::refused(OAuthError::InvalidClient, "there is no client with this `client_id`")
        })?;
        if !client.redirect_uris.contains(&request.redirect_uri) {
            let why = "`redirect_uri` is none of those that are registered for this client";
            return Err(TokenError::refused(OAuthError::InvalidRequest, why));
        }
        match self.decide(&tokens, client, request, session).await {
            Ok(location) => Ok(Authorization { location }),
            Err(TokenError::Refused(error, description)) => {
                let answer = [("error", error.as_str()), ("error_description", &*description)];
                Ok(Authorization { location: back(&tokens, request, &answer) })
            }
            Err(error) => Err(error),
        }
    }

    async fn decide(
        &self,
        tokens: &Tokens,
        client: &TokenClient,
        request: &AuthorizationRequest,
        session: Option<&SessionToken>,
    ) -> Result<String, TokenError> {
        check(client, request)?;
        let scope = Scope::parse(&request.scope)?.for_client(&client.scopes)?;
        let resources = client::targets(tokens, &request.resources)?;
        let session = match session {
            Some(token) => {
                let live = self.accounts.live.read(&token.digest()).await;
                live.map_err(|Unavailable| TokenError::Account(AccountError::Unavailable))?
            }
            None => None,
        };
        let Some(session) = session.filter(|session| is_fresh(session, request)) else {
            return log_in(tokens, request);
        };
        let code = self.code(client, request, &scope, &resources, &session).await?;
        Ok(back(tokens, request, &[("code", code.secret().expose_secret())]))
    }

    async fn code(
        &self,
        client: &TokenClient,
        request: &AuthorizationRequest,
        scope: &Scope,
        resources: &[String],
        session: &LiveSession,
    ) -> Result<OpaqueToken, TokenError> {
        const KEEP: &str = "INSERT INTO authorization_codes (code_hash, family_id, client_id, user_id, \
            organization_id, session_id, redirect_uri, challenge, scope, resources, nonce, dpop_key, \
            authenticated_at, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let code = OpaqueToken::generate(&CODE_PREFIX.parse()?)?;
        let place = session.organization.as_ref().map_or("", bartizan_model::OrganizationId::as_str);
        let keep = Statement::new(KEEP)
            .text(stored(&code.hash()))
            .text(uuid::Uuid::now_v7().to_string())
            .text(client.id.as_str())
            .text(session.user.as_str())
            .text(place)
            .text(session.id.as_str())
            .text(request.redirect_uri.as_str())
            .text(request.code_challenge.as_str())
            .text(scope.to_string())
            .text(resources.join(" "))
            .text(request.nonce.as_str())
            .text(request.dpop_key.as_str())
            .integer(milliseconds(session.created))
            .integer(now().saturating_add(span(CODE)));
        self.store.within(place).execute(keep).await?;
        Ok(code)
    }
}

/// How a hash stands in the store.
pub(super) fn stored(hash: &TokenHash) -> String {
    URL_SAFE_NO_PAD.encode(hash.as_bytes())
}

fn check(client: &TokenClient, request: &AuthorizationRequest) -> Result<(), TokenError> {
    if request.response_type != "code" {
        let why = "only `response_type=code` is understood";
        return Err(TokenError::refused(OAuthError::UnsupportedResponseType, why));
    }
    if request.code_challenge_method != "S256" {
        let why = "PKCE is needed: `code_challenge_method=S256`";
        return Err(TokenError::refused(OAuthError::InvalidRequest, why));
    }
    if !is_sha256(&request.code_challenge) {
        let why = "`code_challenge` is not the base64url SHA-256 of a verifier";
        return Err(TokenError::refused(OAuthError::InvalidRequest, why));
    }
    if !request.dpop_key.is_empty() && !is_sha256(&request.dpop_key) {
        let why = "`dpop_jkt` is not the thumbprint of a key";
        return Err(TokenError::refused(OAuthError::InvalidRequest, why));
    }
    if request.nonce.len() > LONGEST || request.state.as_ref().is_some_and(|state| state.len() > LONGEST) {
        return Err(TokenError::refused(OAuthError::InvalidRequest, "`state` or `nonce` is too long"));
    }
    if client.redirect_uris.is_empty() {
        return Err(TokenError::refused(
            OAuthError::UnauthorizedClient,
            "this client has nowhere to send people to",
        ));
    }
    Ok(())
}

fn is_sha256(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether the login is recent enough for the client (`OpenID` Connect Core 1.0, section 3.1.2.1).
fn is_fresh(session: &LiveSession, request: &AuthorizationRequest) -> bool {
    let age = SystemTime::now().duration_since(session.created).unwrap_or_default();
    let asked = request.prompt.split(' ').any(|word| word == "login").then_some(JUST_NOW);
    // Who is sent back from the login has taken a moment for it, also where the client asks for none.
    let most = request.max_age.map(|seconds| Duration::from_secs(seconds).max(JUST_NOW));
    asked.into_iter().chain(most).all(|most| age <= most)
}

/// Sends a person to where they can log in, if they may be shown something.
fn log_in(tokens: &Tokens, request: &AuthorizationRequest) -> Result<String, TokenError> {
    let is_silent = request.prompt.split(' ').any(|word| word == "none");
    let page = tokens.login_page.as_ref().filter(|_| !is_silent);
    let page =
        page.ok_or_else(|| TokenError::refused(OAuthError::LoginRequired, "the person must log in"))?;
    let return_to = format!("{}/authorize?{}", tokens.endpoints, request.query);
    Ok(with_query(page, &[("return_to", &return_to)]))
}

/// Back to the client, with the name of who answers (RFC 9207) and what it said itself.
fn back(tokens: &Tokens, request: &AuthorizationRequest, answer: &[(&str, &str)]) -> String {
    let mut parameters = answer.to_vec();
    if let Some(state) = &request.state {
        parameters.push(("state", state));
    }
    parameters.push(("iss", &tokens.issuer));
    with_query(&request.redirect_uri, &parameters)
}

fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let encoded = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect::<Vec<_>>()
        .join("&");
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{encoded}")
}
