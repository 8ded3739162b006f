//! `/end-session`: logout that begins at a client (`OpenID` Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bartizan_identity::{
    SessionToken,
    account::AccountError,
    authorization_server::{AuthorizationServer, LogoutRequest},
};
use http::{HeaderMap, Uri};
use utoipa::ToSchema;

use super::{
    authorize::see_other,
    form::{Form, Parameters},
    refusal::OAuthRefusal,
};
use crate::{
    accounts::{endpoints::forget_session, visitor::Connection},
    failure::Failure,
};

/// What a client sends; for the document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read as a form, described here")]
pub(crate) struct LogoutForm {
    /// An ID token of the session, which may be over.
    #[schema(format = Password)]
    id_token_hint: String,
    /// The client, where it says so.
    client_id: Option<String>,
    /// Where the person goes afterwards: one that is registered, exactly.
    post_logout_redirect_uri: Option<String>,
    /// Comes back as it is.
    state: Option<String>,
}

/// Ends the session that an ID token is from, and sends the person back to the client.
#[utoipa::path(
    get,
    path = "/end-session",
    operation_id = "end_session",
    params(
        ("id_token_hint" = String, Query, description = "An ID token of the session, which may be over."),
        ("client_id" = Option<String>, Query, description = "The client, where it says so."),
        ("post_logout_redirect_uri" = Option<String>, Query, description = "Where the person goes afterwards: one that is registered, exactly."),
        ("state" = Option<String>, Query, description = "Comes back as it is.")
    ),
    responses(
        (status = 200, description = "It has ended, and the client has not said where to go."),
        (status = 303, description = "It has ended: back to the client."),
        (status = 400, description = "There is no ID token of this server, or nobody can be sent there."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn end_session(
    State(server): State<Arc<AuthorizationServer>>,
    uri: Uri,
    connection: Connection,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let parameters = Parameters::parse(uri.query().unwrap_or_default().as_bytes());
    end(&server, &parameters.map_err(OAuthRefusal::for_a_person)?, &connection, &headers).await
}

/// The same with a form.
#[utoipa::path(
    post,
    path = "/end-session",
    operation_id = "end_session_by_form",
    request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "It has ended, and the client has not said where to go."),
        (status = 303, description = "It has ended: back to the client."),
        (status = 400, description = "There is no ID token of this server, or nobody can be sent there."),
        (status = 413, description = "The body is larger than 16 KiB."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn end_session_by_form(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    headers: HeaderMap,
    form: Result<Form, OAuthRefusal>,
) -> Result<Response, Failure> {
    let Form(parameters) = form.map_err(OAuthRefusal::for_a_person)?;
    end(&server, &parameters, &connection, &headers).await
}

async fn end(
    server: &AuthorizationServer,
    parameters: &Parameters,
    connection: &Connection,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let request = read(parameters).map_err(OAuthRefusal::for_a_person)?;
    let presented = server.accounts().presented(headers).ok();
    let ended = server.end_session(&request, &connection.visit).await;
    let location = ended.map_err(|error| OAuthRefusal::from(error).for_a_person())?;
    let mut response = match location {
        Some(location) => see_other(location)?,
        None => "You are logged out.\n".into_response(),
    };
    if has_ended(server, presented.as_ref()).await {
        forget_session(&mut response, &server.accounts().session_settings());
    }
    Ok(response)
}

/// Whether it was the session of this browser: another one stays.
async fn has_ended(server: &AuthorizationServer, presented: Option<&SessionToken>) -> bool {
    let Some(token) = presented else { return false };
    matches!(server.accounts().current_session(token).await, Err(AccountError::NoSession))
}

fn read(parameters: &Parameters) -> Result<LogoutRequest, OAuthRefusal> {
    let optional = |name| Ok::<_, OAuthRefusal>(parameters.optional(name)?.map(str::to_owned));
    Ok(LogoutRequest {
        id_token: parameters.required("id_token_hint")?.into(),
        client: optional("client_id")?,
        redirect_uri: optional("post_logout_redirect_uri")?,
        state: optional("state")?,
    })
}
