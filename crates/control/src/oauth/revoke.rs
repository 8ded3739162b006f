//! `POST /revoke` (RFC 7009) and `POST /introspect` (RFC 7662).

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_identity::authorization_server::AuthorizationServer;
use http::StatusCode;
use secrecy::SecretString;
use serde_json::Value;
use utoipa::ToSchema;

use super::{form::ClientForm, refusal::OAuthRefusal};
use crate::accounts::visitor::Connection;

/// What a client sends; for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form, described here")]
pub(crate) struct NamedToken {
    /// An access token or a refresh token.
    #[schema(format = Password)]
    token: String,
    /// Which of the two it may be; it is found out without.
    token_type_hint: Option<String>,
    /// The client, where it does not say so by HTTP Basic.
    client_id: Option<String>,
    /// Its secret, where it has one and does not say so by HTTP Basic.
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with `client_assertion`.
    client_assertion_type: Option<String>,
    /// What a service has signed in the place of a secret (RFC 7523).
    client_assertion: Option<String>,
}

/// Ends a token of the client that asks; with a refresh token, everything that came of the same authorisation.
#[utoipa::path(
    post,
    path = "/revoke",
    operation_id = "revoke_token",
    request_body(content = NamedToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It does not count any longer, or never did."),
        (status = 400, description = "It is another client's.", body = OAuthRefusal),
        (status = 401, description = "The client is unknown, or its secret is wrong.", body = OAuthRefusal),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer: it may count still.")
    )
)]
pub(crate) async fn revoke_token(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    ClientForm { client, form }: ClientForm,
) -> Result<StatusCode, OAuthRefusal> {
    let token = SecretString::from(form.required("token")?);
    server.revoke_own((&client, connection.client.certificate.as_deref()), &token, &connection.visit).await?;
    Ok(StatusCode::OK)
}

/// What a token says, for clients with a secret and for services.
#[utoipa::path(
    post,
    path = "/introspect",
    operation_id = "introspect_token",
    request_body(content = NamedToken, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "`active`, and for a token that counts what it says (RFC 7662, section 2.2).", body = Object),
        (status = 400, description = "The request is not well-formed.", body = OAuthRefusal),
        (status = 401, description = "The client is unknown, or has not proven its secret.", body = OAuthRefusal),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn introspect_token(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    ClientForm { client, form }: ClientForm,
) -> Result<Json<Value>, OAuthRefusal> {
    let token = SecretString::from(form.required("token")?);
    let client = (&client, connection.client.certificate.as_deref());
    Ok(Json(server.introspect(client, &token, &connection.visit).await?))
}
