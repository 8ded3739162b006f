//! Login at other providers: the way there and the way back, and which of them a person is linked to.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use bartizan_config::Sessions;
use bartizan_identity::{
    account::{self, AccountError, Accounts},
    openid::Errand,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    endpoints::{placed, set_cookie, set_session},
    visitor::{Holder, Visitor},
};
use crate::{
    Timestamp,
    extract::PathParameter,
    failure::{Failure, FailureCode},
};

/// How long somebody may be away at a provider, in seconds.
const ERRAND: u64 = 600;

/// Where else people can log in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Providers {
    /// The names of the providers.
    pub providers: Vec<String>,
}

/// Where else people can log in: `GET /providers/NAME/login` sends a browser there.
#[utoipa::path(
    get,
    path = "/providers",
    operation_id = "list_providers",
    responses((status = 200, description = "The providers.", body = Providers))
)]
pub(crate) async fn list_providers(State(accounts): State<Arc<Accounts>>) -> Json<Providers> {
    let names = accounts.providers().iter().map(|provider| provider.settings().name.to_string()).collect();
    Json(Providers { providers: names })
}

/// Sends a browser to a provider, to log in there and come back.
#[utoipa::path(
    get,
    path = "/providers/{provider}/login",
    operation_id = "log_in_at_provider",
    params(
        ("provider" = String, Path, description = "The name of the provider."),
        ("return_to" = Option<String>, Query, description = "The path of this origin where the way ends; else `/`."),
        ("organization" = Option<String>, Query, description = "For which of their organisations, by id or name; else the provider's, or the one they joined first.")
    ),
    responses(
        (status = 303, description = "To the provider."),
        (status = 404, description = "There is none with this name."),
        (status = 502, description = "The provider does not answer as it should.")
    )
)]
pub(crate) async fn log_in_at_provider(
    State(accounts): State<Arc<Accounts>>,
    PathParameter(name): PathParameter<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let provider = accounts.provider(&name)?;
    let errand = begin(query.as_deref())?;
    let url = provider.begin(&errand).await.map_err(|error| {
        tracing::warn!(provider = name, %error, "nobody can log in at this provider");
        Failure::new(
            FailureCode::ProviderFailed,
            "the provider does not answer as it should: try again later",
        )
    })?;
    let mut response = see_other(url.as_str())?;
    let cookie = errand.cookie();
    set_errand(&mut response, &accounts.session_settings(), cookie.expose_secret(), ERRAND);
    Ok(response)
}

/// Where to send a browser.
#[derive(Debug, Serialize, ToSchema)]
pub struct WayThere {
    /// The address at the provider.
    pub url: String,
}

/// Begins to link a login at a provider to the person who asks, who was proven lately. They go there and come back as for a
/// login, in this browser and with this session.
#[utoipa::path(
    post,
    path = "/providers/{provider}/link",
    operation_id = "link_provider",
    security(("session" = [])),
    params(
        ("provider" = String, Path, description = "The name of the provider."),
        ("return_to" = Option<String>, Query, description = "The path of this origin where the way ends; else `/`.")
    ),
    responses(
        (status = 200, description = "Where to go.", body = WayThere),
        (status = 401, description = "There is no session, or its person was not proven lately, and from there."),
        (status = 404, description = "There is no provider with this name."),
        (status = 502, description = "The provider does not answer as it should.")
    )
)]
pub(crate) async fn link_provider(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(name): PathParameter<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let provider = accounts.provider(&name)?;
    let errand = begin(query.as_deref())?;
    let (errand, url) = accounts.begin_link(&provider, errand, &token, &visit).await?;
    let mut response = Json(WayThere { url }).into_response();
    let cookie = errand.cookie();
    set_errand(&mut response, &accounts.session_settings(), cookie.expose_secret(), ERRAND);
    Ok(response)
}

/// Who a person is at other providers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkedIdentities {
    /// The oldest link first.
    pub identities: Vec<LinkedIdentity>,
}

/// Who somebody is at another provider, where they can log in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LinkedIdentity {
    /// By what the link is known.
    pub id: String,
    /// The name of the provider; null: it is configured no longer.
    pub provider: Option<String>,
    /// Its issuer.
    pub issuer: String,
    /// By which id it knows them.
    pub subject: String,
    /// Since when.
    pub linked: Timestamp,
}

impl From<Vec<account::LinkedIdentity>> for LinkedIdentities {
    fn from(linked: Vec<account::LinkedIdentity>) -> Self {
        let identity = |one: account::LinkedIdentity| LinkedIdentity {
            id: one.id,
            provider: one.provider,
            issuer: one.issuer,
            subject: one.subject,
            linked: one.linked.into(),
        };
        Self { identities: linked.into_iter().map(identity).collect() }
    }
}

/// At which providers the person who asks can log in.
#[utoipa::path(
    get,
    path = "/providers/links",
    operation_id = "list_own_identities",
    security(("session" = [])),
    responses((status = 200, description = "The links.", body = LinkedIdentities))
)]
pub(crate) async fn list_own_identities(
    Holder { accounts, token, .. }: Holder,
) -> Result<Json<LinkedIdentities>, Failure> {
    Ok(Json(accounts.own_identities(&token).await?.into()))
}

/// Removes a login at a provider from the person who asks, who was proven lately. Their other sessions end.
#[utoipa::path(
    delete,
    path = "/providers/links/{identity}",
    operation_id = "unlink_own_identity",
    security(("session" = [])),
    params(("identity" = String, Path, description = "The id of the link.")),
    responses(
        (status = 204, description = "They log in there no longer."),
        (status = 401, description = "There is no session, or its person was not proven lately, and from there."),
        (status = 404, description = "There is none of yours with this id."),
        (status = 409, description = "They could not get in any more.")
    )
)]
pub(crate) async fn unlink_own_identity(
    Holder { accounts, token, visit, .. }: Holder,
    PathParameter(identity): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    accounts.unlink_own(&token, &identity, &visit).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a session for who comes back from a provider, or links them to the person who is logged in, and goes on to where
/// they wanted.
#[utoipa::path(
    get,
    path = "/providers/{provider}/callback",
    operation_id = "come_back_from_provider",
    params(
        ("provider" = String, Path, description = "The name of the provider."),
        ("code" = Option<String>, Query, description = "What the provider gave."),
        ("state" = Option<String>, Query, description = "What it was given."),
        ("iss" = Option<String>, Query, description = "Who it is."),
        ("error" = Option<String>, Query, description = "Why it declined.")
    ),
    responses(
        (status = 303, description = "To where the way began; the cookie of the session is set."),
        (status = 401, description = "The way was not begun in this browser, or the provider proved nobody."),
        (status = 403, description = "Who was proven has no account here."),
        (status = 404, description = "There is no provider with this name, or no such organisation of theirs."),
        (status = 409, description = "Who was to be linked is linked to somebody else."),
        (status = 502, description = "The provider does not answer as it should.")
    )
)]
pub(crate) async fn come_back_from_provider(
    Visitor { accounts, visit, .. }: Visitor,
    PathParameter(name): PathParameter<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let provider = accounts.provider(&name)?;
    let errand = accounts.presented_errand(&headers).ok_or_else(|| {
        Failure::new(
            FailureCode::LoginFailed,
            "this login was not begun in this browser, or too long ago: begin again",
        )
    })?;
    let (query, settings) = (query.unwrap_or_default(), accounts.session_settings());
    if errand.is_link() {
        let token = accounts.presented(&headers)?;
        accounts.link_from(&provider, (&errand, &query), &token, &visit).await?;
        let mut response = see_other(errand.return_to())?;
        set_errand(&mut response, &settings, "", 0);
        return Ok(response);
    }
    let session = accounts.log_in_from(&provider, &errand, &query, &visit).await?;
    let mut response = see_other(errand.return_to())?;
    set_session(&mut response, &session, &settings);
    set_errand(&mut response, &settings, "", 0);
    Ok(response)
}

fn see_other(location: &str) -> Result<Response, Failure> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::try_from(location)
        .map_err(|_| Failure::new(FailureCode::InternalError, "this failed inside: see the log"))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Another site leads back, so it cannot be `SameSite=Strict`.
fn set_errand(response: &mut Response, settings: &Sessions, value: &str, seconds: u64) {
    let (place, name) = (placed(settings), settings.errand_cookie());
    set_cookie(response, format!("{name}={value}; {place}; Max-Age={seconds}; SameSite=Lax; HttpOnly"));
}

/// A way there, as the query wants it.
fn begin(query: Option<&str>) -> Result<Errand, Failure> {
    let query = query.unwrap_or_default();
    let errand = Errand::begin(&parameter(query, "return_to").unwrap_or_default());
    let errand = errand.map_err(AccountError::from)?;
    Ok(match parameter(query, "organization") {
        Some(organization) => errand.for_organization(&organization),
        None => errand,
    })
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(found, _)| *found == name)?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}
