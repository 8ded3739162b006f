//! Errors of the API: RFC 9457 problems with a stable code and the request's id.
//!
//! A handler answers with a [`Failure`]; [`finish`] gives every request its id and writes the problem, in this one
//! place. The callers are operators, so a detail may name what is wrong inside; it never holds a secret.

use std::borrow::Cow;

use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use bartizan_model::RequestId;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Diagnostic;

/// An error (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: `code` tells more than the status.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub problem_type: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    pub status: u16,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// The stable name of the error. Clients may match on it.
    #[schema(example = "not_found")]
    pub code: String,
    /// The id of the request, also in `x-request-id` and in the log.
    pub request_id: String,
    /// What is wrong with the document, for `configuration_invalid`, and for `invalid_value` where a document was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

/// An error on its way to [`finish`].
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: FailureCode,
    detail: Cow<'static, str>,
    diagnostics: Vec<Diagnostic>,
    /// In seconds.
    retry_after: Option<u64>,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $text:literal, $status:ident;)*) => {
        /// The stable name of an error; it fixes the status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum FailureCode {
            $($(#[$doc])* $code,)*
        }

        impl FailureCode {
            const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }

            const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }
        }
    };
}

codes! {
    /// Broken HTTP, broken JSON, or a parameter that is none.
    MalformedRequest = "malformed_request", BAD_REQUEST;
    /// A question of `AuthZEN` that is none.
    InvalidQuestion = "invalid_question", BAD_REQUEST;
    /// A client sends people here who cannot be sent back.
    AuthorizationRefused = "authorization_refused", BAD_REQUEST;
    /// No token.
    MissingAuthenticationToken = "missing_authentication_token", UNAUTHORIZED;
    /// A token that is not the admin token.
    InvalidAuthenticationToken = "invalid_authentication_token", UNAUTHORIZED;
    /// An account or a password that is wrong; which of the two is not told.
    WrongCredentials = "wrong_credentials", UNAUTHORIZED;
    /// No session, or one that has ended.
    NoSession = "no_session", UNAUTHORIZED;
    /// A code of a second factor that is wrong.
    WrongCode = "wrong_code", UNAUTHORIZED;
    /// A passkey that proves nobody; why, the log tells.
    WrongPasskey = "wrong_passkey", UNAUTHORIZED;
    /// A login that does not wait for its second factor any more.
    LoginExpired = "login_expired", UNAUTHORIZED;
    /// A person who was proven too long ago, or not by enough (RFC 9470).
    InsufficientUserAuthentication = "insufficient_user_authentication", UNAUTHORIZED;
    /// A page of another origin asks.
    CrossOriginRefused = "cross_origin_refused", FORBIDDEN;
    /// Another site asks with a person's cookie.
    CrossSiteRefused = "cross_site_refused", FORBIDDEN;
    /// Administrators make accounts.
    SignUpOff = "sign_up_off", FORBIDDEN;
    /// A role asks for a second factor that is not there.
    MfaRequired = "mfa_required", FORBIDDEN;
    /// No messages can be sent.
    MailOff = "mail_off", FORBIDDEN;
    /// It is not known who passkeys would be for.
    PasskeysOff = "passkeys_off", FORBIDDEN;
    /// No codes are sent to telephones.
    SmsOff = "sms_off", FORBIDDEN;
    /// The service that sends messages to telephones did not take one.
    MessageNotSent = "message_not_sent", BAD_GATEWAY;
    /// The login at another provider proved nobody.
    LoginFailed = "login_failed", UNAUTHORIZED;
    /// Who logged in at another provider has no account here.
    NoAccount = "no_account", FORBIDDEN;
    /// Another provider does not do what it should.
    ProviderFailed = "provider_failed", BAD_GATEWAY;
    /// More than whoever asks may do or give.
    InsufficientPermissions = "insufficient_permissions", FORBIDDEN;
    /// Nothing there.
    NotFound = "not_found", NOT_FOUND;
    /// Something there, but not for this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// The body came too slowly.
    BodyTooSlow = "body_too_slow", REQUEST_TIMEOUT;
    /// The configuration on disk cannot be used.
    ConfigurationInvalid = "configuration_invalid", CONFLICT;
    /// No room for another address.
    AddressListsFull = "address_lists_full", CONFLICT;
    /// No room for another allowance.
    LimitAllowancesFull = "limit_allowances_full", CONFLICT;
    /// One forecast is made at a time.
    ForecastRunning = "forecast_running", CONFLICT;
    /// There is no log of events.
    EventsNotKept = "events_not_kept", CONFLICT;
    /// The configuration has no `alerts`.
    AlertsNotConfigured = "alerts_not_configured", CONFLICT;
    /// The alert is acknowledged already, or over.
    AlertPassed = "alert_passed", CONFLICT;
    /// The configuration has no `accounts`.
    AccountsNotConfigured = "accounts_not_configured", CONFLICT;
    /// The configuration has no `accounts.tokens`.
    TokensNotConfigured = "tokens_not_configured", CONFLICT;
    /// Something has this name already.
    AlreadyExists = "already_exists", CONFLICT;
    /// Something else depends on it.
    InUse = "in_use", CONFLICT;
    /// Without this person nobody could do everything.
    LastAdministrator = "last_administrator", CONFLICT;
    /// Without this login its person could not get in any more.
    LastWayIn = "last_way_in", CONFLICT;
    /// Without a second factor this password would be too weak.
    PasswordTooWeakAlone = "password_too_weak_alone", CONFLICT;
    /// No room for another API key.
    TooManyKeys = "too_many_keys", CONFLICT;
    /// A link that was used, has ended, or never was.
    LinkGone = "link_gone", GONE;
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE;
    /// The body is not JSON by its own account.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE;
    /// A `Host` that is not ours.
    MisdirectedRequest = "misdirected_request", MISDIRECTED_REQUEST;
    /// Well-formed, but its values make no sense.
    InvalidValue = "invalid_value", UNPROCESSABLE_ENTITY;
    /// A password that breaks rules.
    WeakPassword = "weak_password", UNPROCESSABLE_ENTITY;
    /// Too many failed attempts.
    TooManyAttempts = "too_many_attempts", TOO_MANY_REQUESTS;
    /// Three messages went to an address in the last hour.
    TooManyMessages = "too_many_messages", TOO_MANY_REQUESTS;
    /// Our own fault.
    InternalError = "internal_error", INTERNAL_SERVER_ERROR;
    /// The shared store of the limits does not answer.
    SharedStoreUnavailable = "shared_store_unavailable", SERVICE_UNAVAILABLE;
    /// The store of events does not answer.
    EventsUnavailable = "events_unavailable", SERVICE_UNAVAILABLE;
    /// Finding events was given up at its deadline.
    EventsTakeTooLong = "events_take_too_long", SERVICE_UNAVAILABLE;
    /// The store of accounts does not answer.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE;
    /// Too many passwords are checked already.
    TooManyLogins = "too_many_logins", SERVICE_UNAVAILABLE;
    /// The forecast was given up at its deadline.
    ForecastTookTooLong = "forecast_took_too_long", SERVICE_UNAVAILABLE;
    /// Not ready, or about to stop.
    NotReady = "not_ready", SERVICE_UNAVAILABLE;
}

impl Failure {
    pub(crate) fn new(code: FailureCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), diagnostics: Vec::new(), retry_after: None }
    }

    /// The same failure by another name, where it goes by this one.
    pub(crate) fn instead_of(mut self, code: FailureCode, other: FailureCode) -> Self {
        if self.code == code {
            self.code = other;
        }
        self
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn into_problem(self, request_id: &RequestId) -> Problem {
        let status = self.code.status();
        Problem {
            problem_type: "about:blank".into(),
            title: status.canonical_reason().unwrap_or_default().into(),
            status: status.as_u16(),
            detail: self.detail.into_owned(),
            code: self.code.as_str().into(),
            request_id: request_id.to_string(),
            diagnostics: self.diagnostics,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let challenge = match self.code {
            FailureCode::MissingAuthenticationToken => Some(r#"Bearer realm="bartizan""#),
            FailureCode::InvalidAuthenticationToken => {
                Some(r#"Bearer realm="bartizan", error="invalid_token""#)
            }
            FailureCode::WrongCredentials
            | FailureCode::NoSession
            | FailureCode::WrongCode
            | FailureCode::LoginExpired => Some(r#"Cookie realm="bartizan""#),
            // A quarter of an hour: what a change of factors takes.
            FailureCode::InsufficientUserAuthentication => {
                Some(r#"Bearer error="insufficient_user_authentication", max_age=900"#)
            }
            _ => None,
        };
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Gives the request its id (the client's own where it is one), writes a failure as a problem, and sets the headers
/// that every answer has. The outermost layer.
pub(crate) async fn finish(mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let problem = Json(failure.into_problem(&id)).into_response();
        *response.body_mut() = problem.into_body();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    let headers = response.headers_mut();
    headers.insert("x-request-id", id.header_value());
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn request_id(headers: &HeaderMap) -> RequestId {
    let own = headers.get("x-request-id").and_then(|value| RequestId::try_from(value).ok());
    own.unwrap_or_else(RequestId::generate)
}
