//! `/userinfo`: who the person behind an access token is (`OpenID` Connect Core 1.0, section 5.3).

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bartizan_identity::{
    InvalidReason,
    authorization_server::{self, AuthorizationServer, UserinfoError, UserinfoRequest},
};
use http::{HeaderValue, header::WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use super::refusal::{DPOP_NONCE, OAuthRefusal};
use crate::{
    accounts::visitor::Connection,
    failure::{Failure, FailureCode},
};

/// Who somebody is, as far as the scope of the token goes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Userinfo {
    /// The id of the person.
    pub sub: String,
    /// What they are called, for the scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their address, for the scope `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether it is theirs, because they have read mail that went to it: an address that an administrator has typed is not
    /// verified until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
}

/// Who the person behind an access token with the scope `openid` is.
#[utoipa::path(
    get,
    path = "/userinfo",
    operation_id = "read_userinfo",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The person.", body = Userinfo),
        (status = 400, description = "Two tokens were sent."),
        (status = 401, description = "There is no access token, it does not count, or lacks the proof of what it is bound to."),
        (status = 403, description = "Its scope does not name `openid`."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn read_userinfo(
    server: State<Arc<AuthorizationServer>>,
    connection: Connection,
    request: Request,
) -> Result<Json<Userinfo>, UserinfoRefusal> {
    told(server, connection, request).await
}

/// The same. The token is read from the header alone.
#[utoipa::path(
    post,
    path = "/userinfo",
    operation_id = "read_userinfo_by_post",
    security(("access_token" = [])),
    responses(
        (status = 200, description = "The person.", body = Userinfo),
        (status = 400, description = "Two tokens were sent."),
        (status = 401, description = "There is no access token, it does not count, or lacks the proof of what it is bound to."),
        (status = 403, description = "Its scope does not name `openid`."),
        (status = 503, description = "The store does not answer.")
    )
)]
pub(crate) async fn read_userinfo_by_post(
    server: State<Arc<AuthorizationServer>>,
    connection: Connection,
    request: Request,
) -> Result<Json<Userinfo>, UserinfoRefusal> {
    told(server, connection, request).await
}

async fn told(
    State(server): State<Arc<AuthorizationServer>>,
    connection: Connection,
    request: Request,
) -> Result<Json<Userinfo>, UserinfoRefusal> {
    let (head, _) = request.into_parts();
    let asked = UserinfoRequest { head: &head, certificate: connection.client.certificate.as_deref() };
    let told = server.userinfo(&asked).await?;
    let authorization_server::Userinfo { subject: sub, name, email, email_verified } = told;
    Ok(Json(Userinfo { sub, name, email, email_verified }))
}

/// Why it is not told, as RFC 6750, section 3, and RFC 9449, section 7.1, say it.
#[derive(Debug)]
pub(crate) struct UserinfoRefusal(UserinfoError);

impl From<UserinfoError> for UserinfoRefusal {
    fn from(error: UserinfoError) -> Self {
        Self(error)
    }
}

impl IntoResponse for UserinfoRefusal {
    fn into_response(self) -> Response {
        let detail = self.0.to_string();
        let (code, challenge, nonce) = match self.0 {
            UserinfoError::Failed(error) => return OAuthRefusal::from(error).into_response(),
            UserinfoError::Ambiguous => {
                (FailureCode::MalformedRequest, r#"Bearer realm="bartizan", error="invalid_request""#, None)
            }
            UserinfoError::Missing => {
                (FailureCode::MissingAuthenticationToken, r#"Bearer realm="bartizan""#, None)
            }
            UserinfoError::DpopNonce(nonce) => (
                FailureCode::InvalidAuthenticationToken,
                r#"DPoP realm="bartizan", error="use_dpop_nonce""#,
                Some(nonce),
            ),
            UserinfoError::Unproven(InvalidReason::Dpop(_)) => (
                FailureCode::InvalidAuthenticationToken,
                r#"DPoP realm="bartizan", error="invalid_dpop_proof""#,
                None,
            ),
            UserinfoError::Scope => (
                FailureCode::InsufficientPermissions,
                r#"Bearer realm="bartizan", error="insufficient_scope", scope="openid""#,
                None,
            ),
            _ => (
                FailureCode::InvalidAuthenticationToken,
                r#"Bearer realm="bartizan", error="invalid_token""#,
                None,
            ),
        };
        let mut response = Failure::new(code, detail).into_response();
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        if let Some(nonce) = nonce {
            response.headers_mut().insert(DPOP_NONCE, nonce);
        }
        response
    }
}
