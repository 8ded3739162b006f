//! The security headers of an answer: a full set for HTML, which browsers honour, and a lean one for everything
//! else. Sources: RFC 6797 (HSTS), Content Security Policy Level 3, Referrer Policy, Permissions Policy, HTML
//! (opener policy), Fetch (resource policy, `nosniff`), the OWASP REST and HTTP headers cheat sheets.
//!
//! The profile is a floor. A header of the upstream is replaced, except where it may only be as strict or
//! stricter: its own content security policy stays unless the route configures one, as do a stricter referrer
//! policy and a longer HSTS. What gives away the upstream's software is removed. Cookies are never touched.

use bartizan_config::{Cors, HeaderProfile, Headers, Origins};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
        REFERRER_POLICY, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
        X_FRAME_OPTIONS, X_XSS_PROTECTION,
    },
};

use super::content_security_policy::{Nonce, Policy};

/// The response headers of one route.
#[derive(Debug)]
pub struct SecurityHeaders {
    profile: HeaderProfile,
    html_policy: HtmlPolicy,
    nonce_use: NonceUse,
    /// `cross-origin-resource-policy` of what is not HTML.
    resource_policy: HeaderValue,
    set: Vec<(HeaderName, HeaderValue)>,
}

/// What is known about an answer that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub struct ResponseFacts<'r> {
    /// Its status.
    pub status: StatusCode,
    /// Whether it goes out over TLS, ours or a trusted proxy's.
    pub secure: bool,
    /// Whether the caller was authenticated.
    pub authenticated: bool,
    /// The nonce that the upstream received.
    pub nonce: Option<&'r Nonce>,
}

impl SecurityHeaders {
    /// Compiles the headers of a route.
    pub fn compile(headers: &Headers, cors: &Cors) -> Self {
        let html_policy = HtmlPolicy::compile(headers.content_security_policy.as_deref());
        let everybody = matches!(cors, Cors::Allow { origins: Origins::Any, .. });
        Self {
            profile: headers.profile,
            nonce_use: NonceUse::of(headers.profile, &html_policy),
            html_policy,
            resource_policy: HeaderValue::from_static(if everybody { "cross-origin" } else { "same-origin" }),
            set: headers.set.clone(),
        }
    }

    /// The headers of an answer that belongs to no route: nothing was found, or the request was malformed.
    pub fn without_route() -> Self {
        let headers = Headers { profile: HeaderProfile::Api, content_security_policy: None, set: Vec::new() };
        Self::compile(&headers, &Cors::SameOrigin)
    }

    /// A nonce for the answer to a request with these headers, if its policy may need one. The upstream must
    /// receive it in `x-csp-nonce`, in place of whatever the client sent there.
    pub fn nonce(&self, request: &HeaderMap) -> Option<Nonce> {
        let wanted = match self.nonce_use {
            NonceUse::Never => false,
            NonceUse::WhenHtmlIsAccepted => accepts_html(request),
            NonceUse::Always => true,
        };
        wanted.then(Nonce::generate).flatten()
    }

    /// Sets the security headers of an answer. To be called last, after the CORS headers.
    pub fn apply(&self, response: &mut HeaderMap, facts: &ResponseFacts<'_>) {
        if self.profile != HeaderProfile::Off {
            self.apply_profile(response, facts);
        }
        for (name, value) in &self.set {
            if *name == SET_COOKIE {
                response.append(name, value.clone());
            } else {
                response.insert(name, value.clone());
            }
        }
    }

    fn apply_profile(&self, response: &mut HeaderMap, facts: &ResponseFacts<'_>) {
        for name in &REMOVED {
            response.remove(name);
        }
        apply_transport_security(response, facts.secure);
        // A 304 and a switch of protocols carry no content of their own. Browsers would put the headers of a 304
        // on the stored page, whose inline scripts bear another nonce.
        if facts.status == StatusCode::NOT_MODIFIED || facts.status.is_informational() {
            return;
        }
        response.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self.content_kind(response) {
            ContentKind::Html => self.apply_html(response, facts.nonce),
            kind => self.apply_api(response, kind),
        }
        if facts.authenticated {
            apply_cache_control(response);
        }
    }

    fn apply_html(&self, response: &mut HeaderMap, nonce: Option<&Nonce>) {
        for (name, value) in &HTML {
            response.insert(name, value.clone());
        }
        if !has_stricter_referrer_policy(response) {
            response.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin"));
        }
        if self.html_policy.configured || !response.contains_key(CONTENT_SECURITY_POLICY) {
            response.insert(CONTENT_SECURITY_POLICY, self.html_policy.render(nonce));
        }
    }

    fn apply_api(&self, response: &mut HeaderMap, kind: ContentKind) {
        response.insert(CROSS_ORIGIN_RESOURCE_POLICY, self.resource_policy.clone());
        response.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        // A worker is bound by the policy of its script, so `default-src 'none'` there would break it.
        if kind != ContentKind::Script && !response.contains_key(CONTENT_SECURITY_POLICY) {
            response.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(API_POLICY));
        }
    }

    fn content_kind(&self, response: &HeaderMap) -> ContentKind {
        match self.profile {
            HeaderProfile::Html => ContentKind::Html,
            HeaderProfile::Api | HeaderProfile::Off => ContentKind::Other,
            HeaderProfile::Auto => response.get(CONTENT_TYPE).map_or(ContentKind::Other, ContentKind::of),
        }
    }
}

/// What an answer holds, as far as its headers depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ContentKind {
    Html,
    Script,
    Other,
}

impl ContentKind {
    fn of(content_type: &HeaderValue) -> Self {
        let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let is = |types: [&str; 2]| {
            types.iter().any(|name| essence.trim_ascii().eq_ignore_ascii_case(name.as_bytes()))
        };
        if is(["text/html", "application/xhtml+xml"]) {
            Self::Html
        } else if is(["text/javascript", "application/javascript"]) {
            Self::Script
        } else {
            Self::Other
        }
    }
}

/// The content security policy of HTML.
#[derive(Debug)]
struct HtmlPolicy {
    /// `None` for a text that cannot stand in a header; HTML then gets the API's policy, which allows nothing.
    policy: Option<Policy>,
    /// Whether the route configures it, which makes it replace the upstream's.
    configured: bool,
}

impl HtmlPolicy {
    fn compile(configured: Option<&str>) -> Self {
        Self { policy: Policy::compile(configured.unwrap_or(HTML_POLICY)), configured: configured.is_some() }
    }

    fn render(&self, nonce: Option<&Nonce>) -> HeaderValue {
        self.policy.as_ref().map_or(HeaderValue::from_static(API_POLICY), |policy| policy.render(nonce))
    }
}

/// When a request needs a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NonceUse {
    Never,
    /// The built-in policy under the automatic profile: API clients do not pay for it.
    WhenHtmlIsAccepted,
    Always,
}

impl NonceUse {
    fn of(profile: HeaderProfile, html: &HtmlPolicy) -> Self {
        let takes_nonce = html.policy.as_ref().is_some_and(Policy::takes_nonce);
        match profile {
            HeaderProfile::Api | HeaderProfile::Off => Self::Never,
            _ if !takes_nonce => Self::Never,
            HeaderProfile::Auto if !html.configured => Self::WhenHtmlIsAccepted,
            HeaderProfile::Auto | HeaderProfile::Html => Self::Always,
        }
    }
}

/// Browsers name HTML first when they ask for a page.
fn accepts_html(request: &HeaderMap) -> bool {
    let mut lines = request.get_all(ACCEPT).into_iter();
    lines.any(|line| {
        let mut ranges = line.as_bytes().split(|byte| *byte == b',');
        ranges.any(|range| {
            let essence = range.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            essence.eq_ignore_ascii_case(b"text/html")
                || essence.eq_ignore_ascii_case(b"application/xhtml+xml")
        })
    })
}

/// RFC 6797 section 7.2: never over plain HTTP.
fn apply_transport_security(response: &mut HeaderMap, secure: bool) {
    if !secure {
        response.remove(STRICT_TRANSPORT_SECURITY);
    } else if !only(response, &STRICT_TRANSPORT_SECURITY).is_some_and(covers_a_year) {
        response.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000; includeSubDomains"),
        );
    }
}

/// Whether an HSTS value asks for at least what the gateway would.
fn covers_a_year(value: &str) -> bool {
    let (mut a_year, mut subdomains) = (false, false);
    for directive in value.split(';').map(str::trim) {
        match directive.split_once('=') {
            Some((name, age)) if name.trim_ascii().eq_ignore_ascii_case("max-age") => {
                a_year = age.trim().parse().is_ok_and(|seconds: u64| seconds >= 31_536_000);
            }
            None if directive.eq_ignore_ascii_case("includeSubDomains") => subdomains = true,
            _ => {}
        }
    }
    a_year && subdomains
}

fn has_stricter_referrer_policy(response: &HeaderMap) -> bool {
    let stricter = ["no-referrer", "same-origin", "strict-origin"];
    only(response, &REFERRER_POLICY)
        .is_some_and(|value| stricter.iter().any(|name| value.eq_ignore_ascii_case(name)))
}

/// An answer to an authenticated caller is not for shared caches, and RFC 9111 section 3.5 protects only those
/// who authenticate by `Authorization`. An upstream that says nothing gets `no-store`; one that sends a validator
/// evidently means to be asked again, so its answers may be kept by the caller alone.
fn apply_cache_control(response: &mut HeaderMap) {
    if response.contains_key(CACHE_CONTROL) || response.contains_key(EXPIRES) {
        return;
    }
    let revalidates = response.contains_key(ETAG) || response.contains_key(LAST_MODIFIED);
    let value = if revalidates { "private, no-cache" } else { "no-store" };
    response.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

/// The value of a header that occurs once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?;
    if values.next().is_some() {
        return None;
    }
    first.to_str().ok().map(str::trim)
}

/// Everything from the own origin, nothing from elsewhere, inline only with the nonce.
const HTML_POLICY: &str = "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; media-src 'self'; manifest-src 'self'; \
    worker-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'";

const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What HTML gets beside the headers with a rule of their own.
static HTML: [(HeaderName, HeaderValue); 4] = [
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), microphone=(), geolocation=()"),
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
];

/// What the upstream's software says about itself, and a filter that browsers have dropped because it could be
/// turned against pages.
static REMOVED: [HeaderName; 5] = [
    SERVER,
    X_XSS_PROTECTION,
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-aspnet-version"),
    HeaderName::from_static("x-aspnetmvc-version"),
];

#[cfg(test)]
mod tests;
