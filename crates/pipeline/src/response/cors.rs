//! Cross-origin resource sharing (Fetch standard, section 3.3) at the gateway.
//!
//! The gateway is the authority: it answers preflights itself and replaces every CORS header of the upstream, so
//! that two opinions never reach a browser. It grants by list or to everybody, never by reflecting whatever
//! origin asks, and never grants Private Network Access. CORS protects a user's session from other sites; it does
//! not authenticate anybody, and a request that is no preflight is never refused here.

use std::collections::HashSet;

use bartizan_config::{Cors, Origins};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
    },
};

use crate::Reason;

/// The cross-origin rules of one route.
#[derive(Debug)]
pub struct CompiledCors {
    /// `None` is `same-origin`.
    grant: Option<Grant>,
}

/// The answer to a preflight.
#[derive(Debug)]
pub(crate) enum PreflightOutcome {
    /// 204 with these headers.
    Allowed(HeaderMap),
    /// 403, after which the browser sends nothing. Says why, for the operator.
    Refused(Reason),
}

impl CompiledCors {
    /// Compiles the rules of a route that admits `route_methods` (empty: all).
    pub fn compile(cors: &Cors, route_methods: &[Method]) -> Self {
        let Cors::Allow { origins, methods, headers, expose, credentials, max_age } = cors else {
            return Self { grant: None };
        };
        let origins = GrantedOrigins::compile(origins);
        // Credentials for everybody is what the Fetch standard forbids; of the two, credentials go.
        let credentials = *credentials && !matches!(origins, GrantedOrigins::Any);
        let methods = granted_methods(methods, route_methods);
        let mut preflight = HeaderMap::with_capacity(6);
        preflight.extend(
            list(methods.iter().map(Method::as_str)).map(|value| (ACCESS_CONTROL_ALLOW_METHODS, value)),
        );
        preflight.extend(
            list(headers.iter().map(HeaderName::as_str)).map(|value| (ACCESS_CONTROL_ALLOW_HEADERS, value)),
        );
        preflight.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(max_age.as_secs()));
        preflight.insert(VARY, HeaderValue::from_static(PREFLIGHT_VARY));
        let expose = list(expose.iter().map(HeaderName::as_str));
        Self {
            grant: Some(Grant { origins, methods, headers: headers.clone(), preflight, expose, credentials }),
        }
    }

    /// Whether a request is a CORS preflight.
    pub(crate) fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
        method == Method::OPTIONS
            && request.contains_key(ORIGIN)
            && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Answers the preflight with these request headers.
    pub(crate) fn preflight(&self, request: &HeaderMap) -> PreflightOutcome {
        let Some(grant) = &self.grant else {
            return PreflightOutcome::Refused("the route is same-origin: it has no `cors`".into());
        };
        grant.preflight(request).map_or_else(PreflightOutcome::Refused, PreflightOutcome::Allowed)
    }

    /// Sets the CORS headers of an answer to a request with this `Origin`, in place of the upstream's.
    pub fn response_headers(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        for name in &RESPONSE_HEADERS {
            response.remove(name);
        }
        if let Some(grant) = &self.grant {
            grant.response_headers(origin, response);
        }
    }
}

/// What other origins are granted.
#[derive(Debug)]
struct Grant {
    origins: GrantedOrigins,
    methods: Vec<Method>,
    headers: Vec<HeaderName>,
    /// Every header of a preflight's answer that does not depend on the origin.
    preflight: HeaderMap,
    expose: Option<HeaderValue>,
    credentials: bool,
}

impl Grant {
    fn preflight(&self, request: &HeaderMap) -> Result<HeaderMap, Reason> {
        let origin = only(request, &ORIGIN)?;
        let Some(granted) = self.origins.grant(origin) else {
            return Err(format!("origin {} is not allowed", quoted(origin.as_bytes())).into());
        };
        self.check_method(only(request, &ACCESS_CONTROL_REQUEST_METHOD)?)?;
        self.check_headers(request)?;
        let mut answer = self.preflight.clone();
        self.insert_origin(granted, &mut answer);
        Ok(answer)
    }

    /// Methods are compared byte by byte, as browsers do: `patch` is not `PATCH`.
    fn check_method(&self, asked: &HeaderValue) -> Result<(), Reason> {
        let allowed = self.methods.iter().any(|method| method.as_str().as_bytes() == asked.as_bytes());
        if allowed {
            return Ok(());
        }
        Err(format!("method {} is not allowed across origins", quoted(asked.as_bytes())).into())
    }

    /// Header names are compared without case.
    fn check_headers(&self, request: &HeaderMap) -> Result<(), Reason> {
        let lines = request.get_all(ACCESS_CONTROL_REQUEST_HEADERS).into_iter();
        let names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
        let mut names = names.map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
        let allowed = |name: &[u8]| {
            self.headers.iter().any(|header| header.as_str().as_bytes().eq_ignore_ascii_case(name))
        };
        names.find(|name| !allowed(name)).map_or(Ok(()), |name| {
            Err(format!("request header {} is not allowed across origins", quoted(name)).into())
        })
    }

    fn response_headers(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if matches!(self.origins, GrantedOrigins::List(_)) {
            // Also without an Origin: a cache must not serve that answer to a request that has one.
            append_vary_origin(response);
        }
        let granted = match &self.origins {
            GrantedOrigins::Any => Some(HeaderValue::from_static("*")),
            list @ GrantedOrigins::List(_) => origin.and_then(|origin| list.grant(origin)),
        };
        let Some(granted) = granted else { return };
        self.insert_origin(granted, response);
        if let Some(expose) = &self.expose {
            response.insert(ACCESS_CONTROL_EXPOSE_HEADERS, expose.clone());
        }
    }

    fn insert_origin(&self, granted: HeaderValue, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, granted);
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

#[derive(Debug)]
enum GrantedOrigins {
    Any,
    List(HashSet<HeaderValue>),
}

impl GrantedOrigins {
    fn compile(origins: &Origins) -> Self {
        match origins {
            Origins::Any => Self::Any,
            // `*` in a list would be echoed to a client that sends it as its origin, together with credentials.
            Origins::List(list) => {
                let listed = list.iter().filter(|origin| !origin.contains('*'));
                Self::List(listed.filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
            }
        }
    }

    /// The value of `access-control-allow-origin` for a request from `origin`: from the configuration, never the
    /// request's own bytes.
    fn grant(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::List(list) => list.get(origin).cloned(),
        }
    }
}

/// The methods of the rule, else the route's, else the common ones. `GET` brings `HEAD` with it.
fn granted_methods(methods: &[Method], route_methods: &[Method]) -> Vec<Method> {
    const COMMON: [Method; 6] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let configured = if methods.is_empty() { route_methods } else { methods };
    let mut granted = if configured.is_empty() { COMMON.to_vec() } else { configured.to_vec() };
    if granted.contains(&Method::GET) && !granted.contains(&Method::HEAD) {
        granted.push(Method::HEAD);
    }
    granted
}

/// The one value of a request header; several are ambiguous and refused.
fn only<'h>(request: &'h HeaderMap, name: &HeaderName) -> Result<&'h HeaderValue, Reason> {
    let mut values = request.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(format!("a preflight needs exactly one `{name}` header").into()),
    }
}

/// A header value that lists `tokens`; `None` for none.
fn list<'t>(tokens: impl Iterator<Item = &'t str>) -> Option<HeaderValue> {
    let list = tokens.collect::<Vec<_>>().join(", ");
    // INVARIANT: methods and header names are tokens, so the list is header text.
    HeaderValue::try_from(list).ok().filter(|value| !value.is_empty())
}

fn append_vary_origin(response: &mut HeaderMap) {
    let mut lines = response.get_all(VARY).into_iter();
    let covered = lines.any(|line| {
        let mut names = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"origin"))
    });
    if !covered {
        response.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// What the client sent, for the operator's eyes: short and without control characters.
fn quoted(bytes: &[u8]) -> String {
    let shown = bytes.get(..128).unwrap_or(bytes);
    format!("`{}`", shown.escape_ascii())
}

const PREFLIGHT_VARY: &str = "origin, access-control-request-method, access-control-request-headers";

/// Every CORS header an answer may carry.
static RESPONSE_HEADERS: [HeaderName; 7] = [
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    HeaderName::from_static("access-control-allow-private-network"),
];

#[cfg(test)]
mod tests;
