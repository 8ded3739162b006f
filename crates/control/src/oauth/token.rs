//! `POST /token`: tokens for whatever a client brings; `POST /refresh` and `POST /service`: the same for one grant each, so that
//! each can have a limit of its own.

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_identity::authorization_server::{
    AuthorizationServer, Grant, OAuthError, Proofs, TokenEndpoint, TokenRequest, TokenResponse,
};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    form::{ClientForm, ClientFormOrJson, Parameters},
    refusal::OAuthRefusal,
};
use crate::accounts::visitor::Connection;

/// Tokens for a client (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedTokens {
    /// For requests to resources (RFC 9068).
    pub access_token: String,
    /// `Bearer`, or `DPoP` for one that is bound to a key.
    pub token_type: &'static str,
    /// For how many seconds it counts.
    pub expires_in: u64,
    /// For the next tokens. It counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// What was granted.
    pub scope: String,
    /// Who has logged in (`OpenID` Connect), where `openid` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// What kind of token was exchanged for another (RFC 8693): an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
}

/// How RFC 8693, section 3, calls them.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Access tokens of this server are JWTs, and may be called so (RFC 8693, section 3).
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// What a client sends; for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form, described here")]
pub(crate) struct TokenForm {
    /// `authorization_code`, `refresh_token`, `client_credentials`, or
    /// `urn:ietf:params:oauth:grant-type:token-exchange`.
    grant_type: String,
    /// The client, where it does not say so by HTTP Basic.
    client_id: Option<String>,
    /// Its secret, where it has one and does not say so by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with `client_assertion`.
    client_assertion_type: Option<String>,
    /// What a service has signed in the place of a secret (RFC 7523).
    client_assertion: Option<String>,
    /// The code.
    code: Option<String>,
    /// Where the code was sent.
    redirect_uri: Option<String>,
    /// What the code's challenge was made of.
    code_verifier: Option<String>,
    /// The refresh token.
    refresh_token: Option<String>,
    /// An access token that the client was called with.
    subject_token: Option<String>,
    /// `urn:ietf:params:oauth:token-type:access_token`, or `…:jwt`.
    subject_token_type: Option<String>,
    /// An access token of the client's own, which acts.
    actor_token: Option<String>,
    /// As `subject_token_type`.
    actor_token_type: Option<String>,
    /// The same as `resource`, at an exchange.
    audience: Option<Vec<String>>,
    /// A part of what was granted.
    scope: Option<String>,
    /// A part of the resources that were granted (RFC 8707).
    resource: Option<Vec<String>>,
}

/// The same for a refresh token alone.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form or as JSON, described here")]
pub(crate) struct RefreshForm {
    /// `refresh_token`, where it is said at all.
    grant_type: Option<String>,
    /// The client, where it does not say so by HTTP Basic.
    client_id: Option<String>,
    /// Its secret, where it has one and does not say so by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// The refresh token.
    #[schema(format = Password)]
    refresh_token: String,
    /// A part of what was granted.
    scope: Option<String>,
    /// A part of the resources that were granted (RFC 8707).
    resource: Option<Vec<String>>,
}

/// The same for a client or a service that asks for itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form, described here")]
pub(crate) struct ServiceForm {
    /// `client_credentials`, where it is said at all.
    grant_type: Option<String>,
    /// The client or the service, where it does not say so by HTTP Basic.
    client_id: Option<String>,
    /// Its secret, where it has one and does not say so by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with `client_assertion`.
    client_assertion_type: Option<String>,
    /// What a service has signed in the place of a secret (RFC 7523).
    client_assertion: Option<String>,
    /// A part of what it may do.
    scope: Option<String>,
    /// What the token is for (RFC 8707).
    resource: Option<Vec<String>>,
}

/// Issues tokens. A header `DPoP` binds them to its key (RFC 9449).
#[utoipa::path(
    post,
    path = "/token",
    operation_id = "issue_tokens",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The tokens.", body = IssuedTokens),
        (status = 400, description = "They are not granted.", body = OAuthRefusal),
        (status = 401, description = "The client is unknown, or its secret is wrong.", body = OAuthRefusal),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn issue_tokens(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    headers: HeaderMap,
    sent: ClientForm,
) -> Result<Json<IssuedTokens>, OAuthRefusal> {
    issue(&server, TokenEndpoint::Token, &connection, &headers, sent).await
}

/// Issues the next tokens for a refresh token, as `/token` does with `grant_type=refresh_token`.
#[utoipa::path(
    post,
    path = "/refresh",
    operation_id = "refresh_tokens",
    request_body(content(
        (RefreshForm = "application/x-www-form-urlencoded"),
        (RefreshForm = "application/json")
    )),
    responses(
        (status = 200, description = "The tokens.", body = IssuedTokens),
        (status = 400, description = "They are not granted.", body = OAuthRefusal),
        (status = 401, description = "The client is unknown, or its secret is wrong.", body = OAuthRefusal),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn refresh_tokens(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    headers: HeaderMap,
    ClientFormOrJson(sent): ClientFormOrJson,
) -> Result<Json<IssuedTokens>, OAuthRefusal> {
    issue(&server, TokenEndpoint::Refresh, &connection, &headers, sent).await
}

/// Issues a token to a client or a service for itself, as `/token` does with `grant_type=client_credentials`.
#[utoipa::path(
    post,
    path = "/service",
    operation_id = "issue_service_token",
    request_body(content = ServiceForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token.", body = IssuedTokens),
        (status = 400, description = "It is not granted.", body = OAuthRefusal),
        (status = 401, description = "The client is unknown, or its proof is wrong.", body = OAuthRefusal),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn issue_service_token(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    headers: HeaderMap,
    sent: ClientForm,
) -> Result<Json<IssuedTokens>, OAuthRefusal> {
    issue(&server, TokenEndpoint::Service, &connection, &headers, sent).await
}

async fn issue(
    server: &AuthorizationServer,
    endpoint: TokenEndpoint,
    connection: &Connection,
    headers: &HeaderMap,
    ClientForm { client, form }: ClientForm,
) -> Result<Json<IssuedTokens>, OAuthRefusal> {
    let grant = grant(endpoint, &form)?;
    let mut resources = form.all("resource");
    if matches!(grant, Grant::TokenExchange { .. }) {
        // What a token is for has one name here, whichever parameter says it.
        for named in form.all("audience") {
            if !resources.contains(&named) {
                resources.push(named);
            }
        }
    }
    let request = TokenRequest { client, grant, resources };
    let certificate = connection.client.certificate.as_deref();
    let proofs = Proofs { endpoint, headers, certificate };
    let answer = server.token(&request, &proofs, &connection.visit).await?;
    Ok(Json(answer.into()))
}

/// Which grant is asked for. An endpoint for one alone needs not be told.
fn grant_type(endpoint: TokenEndpoint, form: &Parameters) -> Result<&str, OAuthRefusal> {
    let only = match endpoint {
        TokenEndpoint::Token => return form.required("grant_type"),
        TokenEndpoint::Refresh => "refresh_token",
        TokenEndpoint::Service => "client_credentials",
    };
    match form.optional("grant_type")? {
        Some(other) if other != only => Err(OAuthRefusal::of(
            OAuthError::UnsupportedGrantType,
            "this endpoint is for another grant: the token endpoint knows them all",
        )),
        _ => Ok(only),
    }
}

fn grant(endpoint: TokenEndpoint, form: &Parameters) -> Result<Grant, OAuthRefusal> {
    let secret = |name| form.required(name).map(SecretString::from);
    match grant_type(endpoint, form)? {
        "authorization_code" => Ok(Grant::AuthorizationCode {
            code: secret("code")?,
            redirect_uri: form.required("redirect_uri")?.to_owned(),
            verifier: secret("code_verifier")?,
        }),
        "refresh_token" => {
            Ok(Grant::RefreshToken { token: secret("refresh_token")?, scope: form.text("scope")? })
        }
        "client_credentials" => Ok(Grant::ClientCredentials { scope: form.text("scope")? }),
        "urn:ietf:params:oauth:grant-type:token-exchange" => {
            let is_known = |kind: &str| [ACCESS_TOKEN, JWT].contains(&kind);
            let actor = form.optional("actor_token")?.map(SecretString::from);
            let actor_type = form.optional("actor_token_type")?;
            if !is_known(form.required("subject_token_type")?)
                || !form.optional("requested_token_type")?.is_none_or(is_known)
                || actor.is_some() != actor_type.is_some()
                || !actor_type.is_none_or(is_known)
            {
                let why =
                    "one access token is exchanged for another; an `actor_token` is one, too, and has a type";
                return Err(OAuthRefusal::of(OAuthError::InvalidRequest, why));
            }
            let (subject, scope) = (secret("subject_token")?, form.text("scope")?);
            Ok(Grant::TokenExchange { subject, actor, scope })
        }
        _ => Err(OAuthRefusal::of(
            OAuthError::UnsupportedGrantType,
            "see `grant_types_supported` in the metadata of this server",
        )),
    }
}

impl From<TokenResponse> for IssuedTokens {
    fn from(response: TokenResponse) -> Self {
        let shown = |secret: SecretString| secret.expose_secret().to_owned();
        Self {
            access_token: shown(response.access_token),
            token_type: if response.is_dpop { "DPoP" } else { "Bearer" },
            expires_in: response.expires_in.as_secs(),
            refresh_token: response.refresh_token.map(shown),
            scope: response.scope,
            id_token: response.id_token.map(shown),
            issued_token_type: response.is_exchanged.then_some(ACCESS_TOKEN),
        }
    }
}
