//! What is not granted, as RFC 6749, section 5.2, says it.

use std::borrow::Cow;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use bartizan_identity::authorization_server::{OAuthError, TokenError};
use http::{HeaderName, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use crate::failure::{Failure, FailureCode};

/// Carries the nonce that the next proof must hold (RFC 9449, section 8).
pub(super) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Why something was not granted (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthRefusal {
    /// A word of the standard.
    #[schema(value_type = String, example = "invalid_grant")]
    error: &'static str,
    /// What is wrong.
    #[schema(value_type = String)]
    error_description: Cow<'static, str>,
    #[serde(skip)]
    failure: Option<Failure>,
    /// What the next proof must hold.
    #[serde(skip)]
    nonce: Option<Box<HeaderValue>>,
}

impl OAuthRefusal {
    pub(crate) fn of(error: OAuthError, why: impl Into<Cow<'static, str>>) -> Self {
        Self { error: error.as_str(), error_description: why.into(), failure: None, nonce: None }
    }

    /// What the person in front of the browser is shown.
    pub(crate) fn for_a_person(self) -> Failure {
        self.failure
            .unwrap_or_else(|| Failure::new(FailureCode::AuthorizationRefused, self.error_description))
    }
}

impl From<TokenError> for OAuthRefusal {
    fn from(error: TokenError) -> Self {
        let failure = match error {
            TokenError::Refused(error, why) => return Self::of(error, why),
            TokenError::DpopNonce(nonce) => {
                return Self {
                    error: "use_dpop_nonce",
                    error_description: "the proof must hold the nonce of this answer".into(),
                    failure: None,
                    nonce: Some(Box::new(nonce)),
                };
            }
            TokenError::Account(error) => error.into(),
            TokenError::Store(error) => bartizan_identity::account::AccountError::Store(error).into(),
            TokenError::NoRoom | TokenError::NoKey | TokenError::Unavailable => {
                tracing::error!(%error, "tokens cannot be issued");
                let detail = "tokens cannot be issued at the moment: try again shortly";
                Failure::new(FailureCode::NotReady, detail).retry_after(5)
            }
            error => {
                tracing::error!(%error, "tokens failed inside");
                Failure::new(FailureCode::InternalError, "this failed inside: see the log")
            }
        };
        Self { error: "server_error", error_description: "".into(), failure: Some(failure), nonce: None }
    }
}

impl IntoResponse for OAuthRefusal {
    fn into_response(self) -> Response {
        if let Some(failure) = self.failure {
            return failure.into_response();
        }
        let nonce = self.nonce.clone();
        let is_unknown = self.error == OAuthError::InvalidClient.as_str();
        let status = if is_unknown { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        let mut response = (status, Json(self)).into_response();
        if is_unknown {
            let challenge = HeaderValue::from_static(r#"Basic realm="bartizan""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(nonce) = nonce {
            response.headers_mut().insert(DPOP_NONCE, *nonce);
        }
        response
    }
}
