//! Login at other providers: the way there and the way back.

use std::sync::Arc;

use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use bartizan_config::Sessions;
use bartizan_identity::{account::Accounts, openid::Errand};
use http::{HeaderMap, HeaderValue, StatusCode, header::LOCATION};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    endpoints::{placed, set_cookie, set_session},
    visitor::Visitor,
};
use crate::{
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
        ("return_to" = Option<String>, Query, description = "The path of this origin where the way ends; else `/`.")
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
    let return_to = query.as_deref().and_then(return_to).unwrap_or_default();
    let errand = Errand::begin(&return_to).map_err(bartizan_identity::account::AccountError::from)?;
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

/// Begins a session for who comes back from a provider, and goes on to where they wanted.
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
        (status = 404, description = "There is no provider with this name."),
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
    let session =
        accounts.log_in_from(&provider, &errand, query.as_deref().unwrap_or_default(), &visit).await?;
    let settings = accounts.session_settings();
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

fn return_to(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("return_to="))?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}
