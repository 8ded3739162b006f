//! The authorization endpoint: a person who has logged in sends a code to a registered client (RFC 6749, section 4.1;
//! RFC 7636; RFC 9207).
//!
//! Clients are registered by whoever runs the gateway, so nobody is asked whether they agree.

use std::time::Duration;

use bartizan_config::{TokenClient, Tokens};
use bartizan_store::Statement;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::ExposeSecret;

use super::{
    AuthorizationServer, OAuthError, TokenError, authentication::Authentication, client, login_demand,
    redirect_uri, scope::Scope,
};
use crate::{
    MULTI_FACTOR_CLASSES, OpaqueToken, SessionToken, TokenHash,
    account::{AccountError, Visit},
    session::{
        live::{LiveSession, Unavailable},
        moment::{milliseconds, now, span},
    },
};

/// How long a code counts (RFC 6749, section 4.1.2, allows ten minutes).
const CODE: Duration = Duration::from_mins(1);
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
    /// `acr_values`.
    pub acr_values: String,
    /// `request` or `request_uri`, of which none is read.
    pub request_object: Option<RequestObject>,
    /// [`super::LOGIN_DEMANDED`]: what was added to the request when its person was sent to the login.
    pub login_demanded: String,
    /// All of it as it came but for that, to come back after a login.
    pub query: String,
}

/// How a client sends its parameters as a JWT (RFC 9101).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestObject {
    /// `request`.
    Value,
    /// `request_uri`.
    Reference,
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
        visit: &Visit,
    ) -> Result<Authorization, TokenError> {
        let tokens = self.settings();
        let client = client::known(&tokens, &request.client).ok_or_else(|| {
            TokenError::refused(OAuthError::InvalidClient, "there is no client with this `client_id`")
        })?;
        if !redirect_uri::is_registered(&client.redirect_uris, &request.redirect_uri) {
            let why = "`redirect_uri` is none of those that are registered for this client";
            return Err(TokenError::refused(OAuthError::InvalidRequest, why));
        }
        match self.decide((&tokens, client), request, session, visit).await {
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
        (tokens, client): (&Tokens, &TokenClient),
        request: &AuthorizationRequest,
        session: Option<&SessionToken>,
        visit: &Visit,
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
        let key = &self.own.nonce_key;
        let demanded = login_demand::read(key, request, now());
        let session = session.filter(|session| is_fresh(session, request, demanded));
        if session.as_ref().is_some_and(LiveSession::must_enrol) {
            let why = "a role of the person asks for a second factor, and the time to enrol one is over";
            return Err(TokenError::refused(OAuthError::UnmetAuthenticationRequirements, why));
        }
        let is_enough = |session: &LiveSession| is_enough(session, request, visit);
        let session = match session {
            Some(session) if is_enough(&session) => session,
            // They have just come from the login, and this is all that they could show.
            Some(session) if demanded.is_some_and(|at| milliseconds(session.proven) >= at) => {
                let error = OAuthError::UnmetAuthenticationRequirements;
                return Err(TokenError::refused(
                    error,
                    "the person has shown no second factor, or not from where they are",
                ));
            }
            _ => return log_in(tokens, request, &login_demand::make(key, request, now())),
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
            authenticated_at, expires_at, methods) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        let code = OpaqueToken::generate(&CODE_PREFIX.parse()?)?;
        let place = session.organization.as_ref().map_or("", bartizan_model::OrganizationId::as_str);
        let authentication = Authentication::from(session);
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
            .integer(authentication.at)
            .integer(now().saturating_add(span(CODE)))
            .text(authentication.methods.stored());
        self.store.within(place).execute(keep).await?;
        Ok(code)
    }
}

/// How a hash stands in the store.
pub(super) fn stored(hash: &TokenHash) -> String {
    URL_SAFE_NO_PAD.encode(hash.as_bytes())
}

fn check(client: &TokenClient, request: &AuthorizationRequest) -> Result<(), TokenError> {
    if let Some(object) = request.request_object {
        let error = match object {
            RequestObject::Value => OAuthError::RequestNotSupported,
            RequestObject::Reference => OAuthError::RequestUriNotSupported,
        };
        return Err(TokenError::refused(error, "parameters are read from the query only"));
    }
    if has_prompt(request, "none") && request.prompt.trim() != "none" {
        let why = "`prompt=none` stands alone";
        return Err(TokenError::refused(OAuthError::InvalidRequest, why));
    }
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

/// Whether the person was proven recently enough for the client (`OpenID` Connect Core 1.0, section 3.1.2.1), or has been
/// since they were sent to the login for it.
fn is_fresh(session: &LiveSession, request: &AuthorizationRequest, demanded: Option<i64>) -> bool {
    let proven = milliseconds(session.proven);
    if demanded.is_some_and(|at| proven >= at) {
        return true;
    }
    let age = now().saturating_sub(proven);
    let is_recent = |most: u64| most > 0 && age <= span(Duration::from_secs(most));
    !has_prompt(request, "login") && request.max_age.is_none_or(is_recent)
}

/// Whether the person has shown what the client and their roles ask for, and that they are where they are.
fn is_enough(session: &LiveSession, request: &AuthorizationRequest, visit: &Visit) -> bool {
    let is_several = session.methods.are_several();
    // A session that has moved does not count where several factors are asked for. Its tokens would: nobody sees where
    // they are at home.
    let is_at_home = !is_several || !session.home().is_left(visit);
    (is_several || !asks_for_several(request)) && !session.must_step_up && is_at_home
}

/// Whether the client wants several factors shown (RFC 9470, section 4).
fn asks_for_several(request: &AuthorizationRequest) -> bool {
    request.acr_values.split(' ').any(|class| MULTI_FACTOR_CLASSES.contains(&class))
}

fn has_prompt(request: &AuthorizationRequest, word: &str) -> bool {
    request.prompt.split(' ').any(|prompt| prompt == word)
}

/// Sends a person to where they can log in, if they may be shown something.
fn log_in(tokens: &Tokens, request: &AuthorizationRequest, demand: &str) -> Result<String, TokenError> {
    let page = tokens.login_page.as_ref().filter(|_| !has_prompt(request, "none"));
    let page =
        page.ok_or_else(|| TokenError::refused(OAuthError::LoginRequired, "the person must log in"))?;
    let return_to =
        format!("{}/authorize?{}&{}={demand}", tokens.endpoints, request.query, login_demand::PARAMETER);
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

pub(super) fn with_query(url: &str, parameters: &[(&str, &str)]) -> String {
    let encoded = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect::<Vec<_>>()
        .join("&");
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{encoded}")
}
