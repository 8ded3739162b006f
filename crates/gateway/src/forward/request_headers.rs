//! The headers that go upstream: what belongs to one hop is taken off, what a client must not say is taken off,
//! and what the gateway knows is put on.

use bartizan_pipeline::{Code, Exchange, Nonce, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use crate::{
    arrive::{TRACEPARENT, X_REQUEST_ID},
    forwarded::{X_FORWARDED_FOR, X_FORWARDED_PROTO},
};

const X_CSP_NONCE: HeaderName = HeaderName::from_static("x-csp-nonce");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-organization-id");
const X_USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const X_USER_PERMISSIONS: HeaderName = HeaderName::from_static("x-user-permissions");

/// Names that only the gateway may use towards an upstream.
const RESERVED_PREFIXES: [&str; 4] = ["x-user-", "x-organization-", "x-bartizan-", "x-forwarded-"];
const RESERVED: [&str; 5] = ["forwarded", "x-real-ip", "x-csp-nonce", "true-client-ip", "x-client-ip"];

/// Takes the headers out of the exchange and makes them fit for the upstream.
pub(super) fn prepare(
    exchange: &mut Exchange,
    upgrade: Option<&HeaderValue>,
    nonce: Option<&Nonce>,
) -> Result<HeaderMap, Refusal> {
    let mut headers = std::mem::take(&mut exchange.head.headers);
    let trailers = exchange.head.version == Version::HTTP_2 && accepts_trailers(&headers);
    let chain = forwarded_for(&headers, exchange)?;
    strip_hop_by_hop(&mut headers);
    strip_reserved(&mut headers);
    headers.remove(header::EXPECT);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(protocol) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
    headers.insert(X_FORWARDED_FOR, chain);
    let scheme = if exchange.client.secure { "https" } else { "http" };
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    if exchange.route.as_ref().is_some_and(|route| !route.config.preserve_host) {
        headers.remove(header::HOST);
    }
    headers.insert(X_REQUEST_ID, exchange.id.header_value());
    if headers.insert(TRACEPARENT, exchange.trace_context.next_hop().header_value()).is_none() {
        headers.remove("tracestate");
    }
    if let Some(nonce) = nonce {
        headers.insert(X_CSP_NONCE, nonce.header_value().clone());
    }
    identify(&mut headers, exchange)?;
    Ok(headers)
}

/// Removes what belongs to one connection only (RFC 9110, section 7.6.1), and what `Connection` names besides,
/// except headers that a client must not be able to make disappear.
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let connection = headers.remove(header::CONNECTION);
    let named = connection.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    for name in named.filter_map(|name| HeaderName::try_from(name.trim()).ok()) {
        if !is_end_to_end(&name) {
            headers.remove(name);
        }
    }
    for name in [
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        header::PROXY_AUTHORIZATION,
        header::PROXY_AUTHENTICATE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
    ] {
        headers.remove(name);
    }
}

/// Headers that decide what a request means: `Connection: authorization` must not make one vanish between here
/// and the upstream.
fn is_end_to_end(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::AUTHORIZATION | header::COOKIE | header::HOST | header::CONTENT_LENGTH | header::CONTENT_TYPE
    ) || name.as_str().starts_with("x-")
}

fn strip_reserved(headers: &mut HeaderMap) {
    let reserved = |name: &HeaderName| {
        let name = name.as_str();
        RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || RESERVED.contains(&name)
    };
    let found: Vec<HeaderName> = headers.keys().filter(|name| reserved(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// The address chain: what trusted proxies said, then the peer. Anybody else's chain is dropped.
fn forwarded_for(headers: &HeaderMap, exchange: &Exchange) -> Result<HeaderValue, Refusal> {
    let peer = exchange.client.peer.ip().to_canonical();
    let chain = match headers.get(X_FORWARDED_FOR).filter(|_| exchange.client.address != peer) {
        Some(_) => format!("{}, {peer}", exchange.client.address),
        None => peer.to_string(),
    };
    HeaderValue::try_from(chain).map_err(|_| Refusal::new(Code::SecurityCheckFailed, "an address is no header value"))
}

/// Who asks, for the upstream to rely on.
fn identify(headers: &mut HeaderMap, exchange: &Exchange) -> Result<(), Refusal> {
    let Some(identified) = &exchange.identified else { return Ok(()) };
    let unusable = |_| Refusal::new(Code::SecurityCheckFailed, "the principal's id is no header value");
    let principal = &identified.principal;
    let user = HeaderValue::from_str(principal.id.as_str()).map_err(unusable)?;
    headers.insert(X_USER_ID, user);
    if let Some(organization) = &principal.organization {
        let organization = HeaderValue::from_str(organization.as_str()).map_err(unusable)?;
        headers.insert(X_ORGANIZATION_ID, organization);
    }
    headers.insert(X_USER_PERMISSIONS, identified.grants.clone());
    Ok(())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers.get(header::TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}
