//! `/authorize`: a person's browser comes from a client and goes back with a code.
//!
//! A form is sent on to the same as a query (`OpenID` Connect Core 1.0, section 3.1.2.1): the cookie of the session does not
//! come with what another site posts, and comes with the request that follows.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bartizan_identity::authorization_server::{
    AuthorizationRequest, AuthorizationServer, LOGIN_DEMANDED, OAuthError, RequestObject,
};
use http::{
    HeaderMap, HeaderValue, StatusCode, Uri,
    header::{LOCATION, REFERRER_POLICY},
};
use utoipa::ToSchema;

use super::{
    form::{Form, Parameters},
    refusal::OAuthRefusal,
};
use crate::{accounts::visitor::Connection, failure::Failure};

/// Sends a person who has logged in back to the client with a code (RFC 6749, section 4.1; PKCE with `S256` is needed).
#[utoipa::path(
    get,
    path = "/authorize",
    operation_id = "authorize",
    security(("session" = [])),
    params(
        ("client_id" = String, Query, description = "The client."),
        ("redirect_uri" = String, Query, description = "Where to go back to: one that is registered, exactly."),
        ("response_type" = String, Query, description = "`code`."),
        ("code_challenge" = String, Query, description = "The base64url SHA-256 of a verifier (RFC 7636)."),
        ("code_challenge_method" = String, Query, description = "`S256`."),
        ("scope" = Option<String>, Query, description = "Permissions, and `openid`, `profile`, `email`."),
        ("state" = Option<String>, Query, description = "Comes back as it is."),
        ("resource" = Option<Vec<String>>, Query, description = "What the tokens are for (RFC 8707)."),
        ("nonce" = Option<String>, Query, description = "For the ID token."),
        ("prompt" = Option<String>, Query, description = "`none` or `login`."),
        ("acr_values" = Option<String>, Query, description = "A class for several factors, where they are needed (RFC 9470)."),
        ("max_age" = Option<u64>, Query, description = "How long ago the login may be, in seconds."),
        ("dpop_jkt" = Option<String>, Query, description = "The key that the tokens will be bound to (RFC 9449).")
    ),
    responses(
        (status = 303, description = "Back to the client with `code`, or `error`, and `iss` (RFC 9207); or to the login."),
        (status = 400, description = "The client or where it wants people to be sent is not registered."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn authorize(
    State(server): State<Arc<AuthorizationServer>>,
    uri: Uri,
    connection: Connection,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let request = read(uri.query().unwrap_or_default()).map_err(OAuthRefusal::for_a_person)?;
    let session = server.accounts().presented(&headers).ok();
    let decided = server.authorize(&request, session.as_ref(), &connection.visit).await;
    let authorization = decided.map_err(|error| OAuthRefusal::from(error).for_a_person())?;
    see_other(authorization.location)
}

/// The same with a form: it is sent on to the query that says the same.
#[utoipa::path(
    post,
    path = "/authorize",
    operation_id = "authorize_by_form",
    request_body(content = AuthorizationForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "To the same as a query."),
        (status = 400, description = "The body is no form."),
        (status = 413, description = "The body is larger than 16 KiB.")
    )
)]
pub(crate) async fn authorize_by_form(form: Result<Form, OAuthRefusal>) -> Result<Response, Failure> {
    let Form(parameters) = form.map_err(OAuthRefusal::for_a_person)?;
    see_other(format!("authorize?{}", parameters.encoded()))
}

/// What a client sends; for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form, described here")]
pub(crate) struct AuthorizationForm {
    /// The client.
    client_id: String,
    /// Where to go back to.
    redirect_uri: String,
    /// `code`.
    response_type: String,
    /// The base64url SHA-256 of a verifier (RFC 7636).
    code_challenge: String,
    /// `S256`.
    code_challenge_method: String,
    /// Permissions, and `openid`, `profile`, `email`.
    scope: Option<String>,
    /// Comes back as it is.
    state: Option<String>,
}

pub(super) fn see_other(location: String) -> Result<Response, Failure> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::try_from(location).map_err(|_| {
        OAuthRefusal::of(OAuthError::InvalidRequest, "nobody can be sent back there").for_a_person()
    })?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

fn read(query: &str) -> Result<AuthorizationRequest, OAuthRefusal> {
    let parameters = Parameters::parse(query.as_bytes())?;
    let max_age = parameters.optional("max_age")?.map(str::parse).transpose();
    let by_value = parameters.optional("request")?.map(|_| RequestObject::Value);
    let by_reference = parameters.optional("request_uri")?.map(|_| RequestObject::Reference);
    let is_own = |pair: &&str| pair.split('=').next() != Some(LOGIN_DEMANDED);
    Ok(AuthorizationRequest {
        client: parameters.text("client_id")?,
        redirect_uri: parameters.text("redirect_uri")?,
        response_type: parameters.text("response_type")?,
        scope: parameters.text("scope")?,
        state: parameters.optional("state")?.map(str::to_owned),
        code_challenge: parameters.text("code_challenge")?,
        code_challenge_method: parameters.text("code_challenge_method")?,
        resources: parameters.all("resource"),
        nonce: parameters.text("nonce")?,
        prompt: parameters.text("prompt")?,
        max_age: max_age
            .map_err(|_| OAuthRefusal::of(OAuthError::InvalidRequest, "`max_age` is no number"))?,
        dpop_key: parameters.text("dpop_jkt")?,
        acr_values: parameters.text("acr_values")?,
        request_object: by_value.or(by_reference),
        login_demanded: parameters.text(LOGIN_DEMANDED)?,
        query: query.split('&').filter(is_own).collect::<Vec<_>>().join("&"),
    })
}
