//! The endpoints, their bodies and their cookies.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use bartizan_config::{SameSite, Sessions};
use bartizan_identity::{
    SessionToken,
    account::{self, Accounts, LoggedIn, Login, NewSession, ShownFactor},
    attempts::DeviceCookies,
};
use http::{HeaderValue, StatusCode, header::SET_COOKIE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    factors::{CodeKind, PendingLogin},
    visitor::{Holder, Visitor},
};
use crate::{
    Timestamp,
    extract::{JsonBody, PathParameter},
    failure::{Failure, FailureCode},
};

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// By which address they are known.
    #[schema(example = "ada@shop.test", max_length = 254)]
    pub email: String,
    /// The proof.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub password: SecretString,
    /// For which of their organisations, by id or name; without it the one they joined first.
    #[serde(default)]
    pub organization: Option<String>,
    /// A second factor at once, with its `code`. It lets its owner in even while logins are paused. Codes that are sent are
    /// not among these: a link for another password does the same.
    #[serde(default)]
    pub factor: Option<CodeKind>,
    /// The code.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, max_length = 64)]
    pub code: Option<SecretString>,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedPassword {
    /// The one so far.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub current: SecretString,
    /// The one from now on.
    #[schema(value_type = String, format = Password, max_length = 1024)]
    pub new: SecretString,
}

/// A session that has just begun; its cookie comes with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct StartedSession {
    /// The id of the session.
    pub session: String,
    /// The id of the person.
    pub user: String,
    /// The id of the organisation it acts for.
    pub organization: Option<String>,
    /// When it ends, unless it is used.
    pub expires: Timestamp,
    /// By when its person must have a second factor; afterwards it can only enrol one.
    pub second_factor_due: Option<Timestamp>,
    /// What writes with its cookie repeat in `X-CSRF-Token`.
    pub csrf_token: String,
}

/// The session that asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrentSession {
    /// The id of the session.
    pub session: String,
    /// The id of the person.
    pub user: String,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The id of the organisation it acts for.
    pub organization: Option<String>,
    /// What they are.
    pub roles: Vec<String>,
    /// What they may do.
    pub permissions: Vec<String>,
    /// When it ends, unless it is used.
    pub expires: Timestamp,
    /// When its person was proven last.
    pub auth_time: Timestamp,
    /// By what (RFC 8176): `pwd`, `otp`, `sms`, `pop`, `user`, `mfa`.
    #[schema(example = json!(["pwd", "otp", "mfa"]))]
    pub amr: Vec<&'static str>,
    /// By when its person must have a second factor; afterwards it can only enrol one.
    pub second_factor_due: Option<Timestamp>,
    /// What writes with its cookie repeat in `X-CSRF-Token`.
    pub csrf_token: String,
}

/// The sessions of the person who asks, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnSessions {
    /// The sessions.
    pub sessions: Vec<OwnSession>,
}

/// A session of the person who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnSession {
    /// Its id.
    pub session: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When it began.
    pub created: Timestamp,
    /// When it was used last, to about five minutes.
    pub seen: Timestamp,
    /// When it ends, unless it is used.
    pub expires: Timestamp,
    /// From where it began.
    pub address: String,
    /// What the client called itself then.
    pub client: String,
}

/// Begins a session. An unknown account and a wrong password are answered alike.
#[utoipa::path(
    post,
    path = "/login",
    operation_id = "log_in",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "The session; its cookie is set.", body = StartedSession),
        (status = 202, description = "The password is right; a second factor is asked for.", body = PendingLogin),
        (status = 401, description = "The address or the password is wrong, or the code."),
        (status = 422, description = "A factor without a code, or a code without a factor."),
        (status = 429, description = "Too many failed attempts, or a limit."),
        (status = 503, description = "The store does not answer, or too many log in at once.")
    )
)]
pub(crate) async fn log_in(
    Visitor { accounts, visit, device }: Visitor,
    JsonBody(LoginRequest { email, password, organization, factor, code }): JsonBody<LoginRequest>,
) -> Result<Response, Failure> {
    let shown = match (factor, code) {
        (None, None) => None,
        (Some(factor), Some(code)) => Some(ShownFactor { kind: factor.into(), code, device: device.clone() }),
        _ => return Err(Failure::new(FailureCode::InvalidValue, "`factor` and `code` belong together")),
    };
    let login = Login { email, password, organization, device };
    let logged_in = match shown {
        Some(shown) => accounts.log_in_with_factor(&login, &shown, &visit).await?,
        None => accounts.log_in(&login, &visit).await?,
    };
    match logged_in {
        LoggedIn::Session(session) => begun(&accounts, &session).await,
        LoggedIn::SecondFactor(pending) => {
            Ok((StatusCode::ACCEPTED, Json(PendingLogin::from(pending))).into_response())
        }
    }
}

/// Ends the session that asks.
#[utoipa::path(
    post,
    path = "/logout",
    operation_id = "log_out",
    security(("session" = [])),
    responses((status = 204, description = "It has ended; its cookie is removed."))
)]
pub(crate) async fn log_out(Holder { accounts, token, visit, .. }: Holder) -> Result<Response, Failure> {
    accounts.log_out(&token, &visit).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    forget_session(&mut response, &accounts.session_settings());
    Ok(response)
}

/// Who asks, and what they may do.
#[utoipa::path(
    get,
    path = "/session",
    operation_id = "read_session",
    security(("session" = [])),
    responses(
        (status = 200, description = "The session.", body = CurrentSession),
        (status = 401, description = "There is none.")
    )
)]
pub(crate) async fn read_session(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<CurrentSession>, Failure> {
    let session = accounts.current_session(&token).await?;
    Ok(Json(CurrentSession::of(session, &token)))
}

/// For which organisation to act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChosenOrganization {
    /// One of those of the person who asks, by id or name.
    #[schema(max_length = 400)]
    pub organization: String,
}

/// Lets the session that asks act for another organisation of its person.
#[utoipa::path(
    post,
    path = "/session/organization",
    operation_id = "switch_organization",
    security(("session" = [])),
    request_body = ChosenOrganization,
    responses(
        (status = 200, description = "The session.", body = CurrentSession),
        (status = 401, description = "There is no session, or a role there asks for a second factor that it has not shown."),
        (status = 403, description = "A role there asks for a second factor, and there is none."),
        (status = 404, description = "There is no such organisation of theirs.")
    )
)]
pub(crate) async fn switch_organization(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(ChosenOrganization { organization }): JsonBody<ChosenOrganization>,
) -> Result<Json<CurrentSession>, Failure> {
    let session = accounts.switch_organization(&token, &organization, &visit).await?;
    Ok(Json(CurrentSession::of(session, &token)))
}

impl CurrentSession {
    fn of(session: account::CurrentSession, token: &SessionToken) -> Self {
        Self {
            session: session.id.to_string(),
            user: session.user.to_string(),
            email: session.email.to_string(),
            name: session.name,
            organization: session.organization.map(|organization| organization.to_string()),
            roles: session.roles,
            permissions: session.permissions,
            expires: session.expires.into(),
            auth_time: session.proven.into(),
            amr: session.methods.names(),
            second_factor_due: session.second_factor_due.map(Timestamp::from),
            csrf_token: token.csrf(),
        }
    }
}

/// Chooses another password. Every session of the person ends; the answer begins a new one.
#[utoipa::path(
    post,
    path = "/password",
    operation_id = "change_password",
    security(("session" = [])),
    request_body = ChangedPassword,
    responses(
        (status = 200, description = "The new session; its cookie is set.", body = StartedSession),
        (status = 401, description = "There is no session, the password so far is wrong, or the second factor was not shown lately, and from there."),
        (status = 422, description = "The new password breaks rules.")
    )
)]
pub(crate) async fn change_password(
    Holder { accounts, token, visit, .. }: Holder,
    JsonBody(ChangedPassword { current, new }): JsonBody<ChangedPassword>,
) -> Result<Response, Failure> {
    let session = accounts.change_password(&token, &current, &new, &visit).await?;
    begun(&accounts, &session).await
}

/// The sessions of the person who asks.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_own_sessions",
    security(("session" = [])),
    responses((status = 200, description = "The sessions.", body = OwnSessions))
)]
pub(crate) async fn list_own_sessions(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<OwnSessions>, Failure> {
    let current = accounts.current_session(&token).await?;
    let listed = accounts.sessions_of(Some(&current.user), &account::Page::default()).await?;
    let session = |session: account::SessionSummary| OwnSession {
        current: session.id == current.id,
        session: session.id.to_string(),
        created: session.created.into(),
        seen: session.seen.into(),
        expires: session.expires.into(),
        address: session.address,
        client: session.client,
    };
    Ok(Json(OwnSessions { sessions: listed.items.into_iter().map(session).collect() }))
}

/// Ends every session of the person who asks but the one that asks.
#[utoipa::path(
    delete,
    path = "/sessions",
    operation_id = "end_other_sessions",
    security(("session" = [])),
    responses((status = 204, description = "They have ended."))
)]
pub(crate) async fn end_other_sessions(
    Holder { accounts, token, visit, .. }: Holder,
) -> Result<StatusCode, Failure> {
    accounts.revoke_other_sessions(&token, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends a session of the person who asks.
#[utoipa::path(
    delete,
    path = "/sessions/{session}",
    operation_id = "end_own_session",
    security(("session" = [])),
    params(("session" = String, Path, description = "The id of the session.")),
    responses(
        (status = 204, description = "It has ended."),
        (status = 404, description = "There is none of yours with this id.")
    )
)]
pub(crate) async fn end_own_session(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(session): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    let current = accounts.current_session(&token).await?;
    let owner = Some(&current.user);
    accounts.revoke_session(&session, owner, current.user.as_str(), &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a login that is complete answers.
pub(super) async fn begun(accounts: &Accounts, session: &NewSession) -> Result<Response, Failure> {
    let settings = accounts.session_settings();
    let second_factor_due = accounts.current_session(&session.token).await?.second_factor_due;
    let mut response = Json(StartedSession {
        session: session.id.to_string(),
        user: session.user.to_string(),
        organization: session.organization.as_ref().map(ToString::to_string),
        expires: session.expires.into(),
        second_factor_due: second_factor_due.map(Timestamp::from),
        csrf_token: session.token.csrf(),
    })
    .into_response();
    set_session(&mut response, session, &settings);
    Ok(response)
}

/// The cookies of a session that has just begun.
pub(super) fn set_session(response: &mut Response, session: &NewSession, settings: &Sessions) {
    let token = session.token.secret().expose_secret();
    // The store decides when it ends; the browser only has to keep it that long.
    set_cookies(response, settings, token, &session.token.csrf(), settings.absolute.as_secs());
    let place = placed(settings);
    let (name, device, seconds) =
        (settings.device_cookie(), session.device.expose_secret(), DeviceCookies::MAX_AGE.as_secs());
    set_cookie(response, format!("{name}={device}; {place}; Max-Age={seconds}; SameSite=Strict; HttpOnly"));
}

/// The browser knows no session any longer.
pub(crate) fn forget_session(response: &mut Response, settings: &Sessions) {
    set_cookies(response, settings, "", "", 0);
}

/// The cookie of the session, which scripts cannot read, and the one of its token for writes, which they must.
fn set_cookies(response: &mut Response, settings: &Sessions, token: &str, csrf: &str, seconds: u64) {
    let same_site = match settings.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    let common = format!("{}; Max-Age={seconds}; SameSite={same_site}", placed(settings));
    let session = format!("{}={token}; {common}; HttpOnly", settings.cookie);
    for cookie in [session, format!("{}={csrf}; {common}", settings.csrf_cookie())] {
        set_cookie(response, cookie);
    }
}

/// Which hosts get a cookie, and how.
pub(super) fn placed(settings: &Sessions) -> String {
    let domain = settings.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let secure = if settings.is_secure() { "; Secure" } else { "" };
    format!("Path=/{domain}{secure}")
}

pub(super) fn set_cookie(response: &mut Response, cookie: String) {
    // INVARIANT: names of cookies are tokens, values base64url.
    if let Ok(mut value) = HeaderValue::try_from(cookie) {
        value.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, value);
    }
}
