//! The headers that go upstream: what belongs to one hop is taken off, what a client must not say is taken off,
//! and what the gateway knows is put on.

use bartizan_config::Sessions;
use bartizan_model::TraceContext;
use bartizan_pipeline::{Code, Exchange, Nonce, Refusal};
use http::{HeaderMap, HeaderName, HeaderValue, Version, header, header::Entry};

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
const RESERVED: [&str; 12] = [
    "forwarded",
    // RFC 9440: who believes it must not hear it from a client.
    "client-cert",
    "client-cert-chain",
    "x-real-ip",
    "x-csp-nonce",
    "true-client-ip",
    "x-client-ip",
    // Some frameworks take the path or the method from these, past what the route was chosen and permitted by.
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Takes the headers out of the exchange and makes them fit for the upstream. `peer` is the address of the
/// connection's other end.
pub(super) fn prepare(
    exchange: &mut Exchange,
    peer: &HeaderValue,
    upgrade: Option<&HeaderValue>,
    nonce: Option<&Nonce>,
) -> Result<HeaderMap, Refusal> {
    let mut headers = std::mem::take(&mut exchange.head.headers);
    let trailers = exchange.head.version == Version::HTTP_2 && accepts_trailers(&headers);
    let chain = forwarded_for(exchange, peer)?;
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
    let received = headers.insert(TRACEPARENT, exchange.trace_context.header_value());
    if !received.is_some_and(|received| is_continued(&received, exchange)) {
        headers.remove("tracestate");
    }
    join_cookies(&mut headers);
    if let Some(nonce) = nonce {
        headers.insert(X_CSP_NONCE, nonce.header_value().clone());
    }
    identify(&mut headers, exchange)?;
    Ok(headers)
}

/// Whether the trace is the client's own. What its tools said about another one is meaningless in ours.
fn is_continued(received: &HeaderValue, exchange: &Exchange) -> bool {
    let received = TraceContext::try_from(received);
    received.is_ok_and(|received| received.trace_id == exchange.trace_context.trace_id)
}

/// HTTP/2 clients may send one field for each cookie; everybody else expects a single one (RFC 9113, section
/// 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    // INVARIANT: values and separators of header text are header text.
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(b"; ".as_slice())) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Takes the cookies of the person's session off: whoever serves a route must not be able to act as its visitors
/// elsewhere.
pub(super) fn withhold_session(headers: &mut HeaderMap, sessions: &Sessions) {
    let Some(cookies) = headers.get(header::COOKIE).map(HeaderValue::as_bytes) else { return };
    let names = [sessions.cookie.clone(), sessions.csrf_cookie(), sessions.device_cookie()];
    let is_withheld = |pair: &&[u8]| {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        names.iter().any(|withheld| withheld.as_bytes() == name.trim_ascii())
    };
    let all: Vec<&[u8]> = cookies.split(|&byte| byte == b';').map(<[u8]>::trim_ascii).collect();
    let kept: Vec<&[u8]> = all.iter().copied().filter(|pair| !is_withheld(pair)).collect();
    if kept.len() == all.len() {
        return;
    }
    // INVARIANT: parts of header text are header text.
    match HeaderValue::from_bytes(&kept.join(b"; ".as_slice())) {
        Ok(kept) if !kept.is_empty() => headers.insert(header::COOKIE, kept),
        _ => headers.remove(header::COOKIE),
    };
}

/// Removes what belongs to one connection only (RFC 9110, section 7.6.1), and what `Connection` names besides,
/// except headers that a client must not be able to make disappear.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| is_hop_by_hop(name)).cloned().collect();
    if found.contains(&header::TRANSFER_ENCODING) {
        // It overrides `Content-Length` (RFC 9112, section 6.3), which would be all that is left of the two.
        headers.remove(header::CONTENT_LENGTH);
    }
    if let Entry::Occupied(connection) = headers.entry(header::CONNECTION) {
        let lines: Vec<HeaderValue> = connection.remove_entry_mult().1.collect();
        let named = lines.iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
        for name in named.filter_map(|name| HeaderName::try_from(name.trim_ascii()).ok()) {
            if !is_end_to_end(&name) {
                headers.remove(name);
            }
        }
    }
    for name in found {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::TE
            | header::PROXY_AUTHORIZATION
            | header::PROXY_AUTHENTICATE
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Headers that decide what a request means: `Connection: authorization` must not make one vanish between here
/// and the upstream. What the gateway says itself is said after the stripping.
fn is_end_to_end(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::AUTHORIZATION | header::COOKIE | header::HOST | header::CONTENT_LENGTH | header::CONTENT_TYPE
    )
}

/// Removes from trailers what a client must not say, or only in front of a body: some servers merge trailers into
/// the headers (RFC 9110, section 6.5.1).
pub(crate) fn strip_trailers(trailers: &mut HeaderMap) {
    strip_hop_by_hop(trailers);
    strip_reserved(trailers);
    for name in [
        header::AUTHORIZATION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::EXPECT,
        header::HOST,
        header::TRAILER,
        X_REQUEST_ID,
        TRACEPARENT,
    ] {
        trailers.remove(name);
    }
}

/// Removes what only the gateway may say.
fn strip_reserved(headers: &mut HeaderMap) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Servers that hand headers on as variables (CGI, WSGI, PHP) cannot tell `x_user_id` from `x-user-id`.
fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    if !name.starts_with(['c', 'f', 't', 'x']) {
        return false;
    }
    let hyphenated = name.contains('_').then(|| name.replace('_', "-"));
    let name = hyphenated.as_deref().unwrap_or(name);
    RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || RESERVED.contains(&name)
}

/// The address chain: whom trusted proxies named, then the peer. Whatever else clients said is dropped.
fn forwarded_for(exchange: &Exchange, peer: &HeaderValue) -> Result<HeaderValue, Refusal> {
    let client = exchange.client.address;
    if client == exchange.client.peer.ip().to_canonical() {
        return Ok(peer.clone());
    }
    let chain = [client.to_string().as_bytes(), peer.as_bytes()].join(b", ".as_slice());
    HeaderValue::try_from(chain)
        .map_err(|_| Refusal::new(Code::SecurityCheckFailed, "an address is no header value"))
}

/// Who asks, for the upstream to rely on.
fn identify(headers: &mut HeaderMap, exchange: &Exchange) -> Result<(), Refusal> {
    let Some(identified) = &exchange.identified else { return Ok(()) };
    let unusable = |_| Refusal::new(Code::SecurityCheckFailed, "the principal's id is no header value");
    let principal = &identified.principal;
    let user = HeaderValue::from_bytes(principal.id.as_str().as_bytes()).map_err(unusable)?;
    headers.insert(X_USER_ID, user);
    if let Some(organization) = &principal.organization {
        let organization = HeaderValue::from_bytes(organization.as_str().as_bytes()).map_err(unusable)?;
        headers.insert(X_ORGANIZATION_ID, organization);
    }
    headers.insert(X_USER_PERMISSIONS, identified.grants.clone());
    Ok(())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers.get(header::TE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use bartizan_model::RequestId;
    use bartizan_pipeline::ClientFacts;
    use http::Request;

    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /// The headers that arrive upstream when a client at `peer`, whom proxies call `address`, sends these.
    fn sent(address: &str, peer: &str, headers: &[(&str, &str)]) -> HeaderMap {
        let mut request = Request::get("/").header("host", "shop.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let trace = head.headers.get(TRACEPARENT).and_then(|value| TraceContext::try_from(value).ok());
        let client = ClientFacts {
            address: address.parse().unwrap(),
            peer: peer.parse().unwrap(),
            local: "127.0.0.1:443".parse().unwrap(),
            secure: true,
            is_disputed: false,
            certificate: None,
        };
        let id = RequestId::generate();
        let mut exchange =
            Exchange::new(id, trace.map_or_else(TraceContext::start, TraceContext::next_hop), client, head);
        let address = HeaderValue::try_from(exchange.client.peer.ip().to_string()).unwrap();
        prepare(&mut exchange, &address, None, None).unwrap()
    }

    #[test]
    fn what_a_client_must_not_say_never_arrives() {
        let forged = [
            ("x-user-id", "root"),
            ("x-user-permissions", "*"),
            ("x-organization-id", "1"),
            ("x-bartizan-anything", "1"),
            ("x-csp-nonce", "known"),
            ("x-real-ip", "192.0.2.1"),
            ("x-forwarded-prefix", "/admin"),
            ("x_user_id", "root"),
            ("x-user_permissions", "*"),
            ("x_forwarded_for", "192.0.2.1"),
            ("x-original-url", "/admin"),
            ("x-rewrite-url", "/admin"),
            ("x-http-method-override", "DELETE"),
            ("forwarded", "for=192.0.2.1"),
            ("true-client-ip", "192.0.2.1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic eA=="),
            ("proxy-connection", "keep-alive"),
            ("expect", "100-continue"),
            ("tracestate", "vendor=1"),
        ];
        let headers = sent("198.51.100.7", "198.51.100.7:1000", &forged);
        for (name, _) in forged {
            assert!(!headers.contains_key(name), "{name}: {:?}", headers.get(name));
        }
    }

    #[test]
    fn connection_takes_away_its_own_and_nothing_that_matters() {
        let named = "close, authorization, cookie, host, content-length, content-type, x-hop";
        let headers = sent(
            "198.51.100.7",
            "198.51.100.7:1000",
            &[
                ("connection", named),
                ("hop", "kept: not named"),
                ("authorization", "Bearer t"),
                ("cookie", "a=b"),
                ("content-length", "0"),
                ("content-type", "text/plain"),
                ("x-hop", "1"),
                ("x-api-key", "k: not named"),
            ],
        );
        for name in ["connection", "x-hop"] {
            assert!(!headers.contains_key(name), "{name}");
        }
        for name in ["authorization", "cookie", "host", "content-length", "content-type", "x-api-key", "hop"]
        {
            assert!(headers.contains_key(name), "{name}");
        }
        for connections in [&["hop"][..], &["close", "hop"], &["HOP , close"]] {
            let mut fields: Vec<_> = connections.iter().map(|named| ("connection", *named)).collect();
            fields.push(("hop", "1"));
            let headers = sent("198.51.100.7", "198.51.100.7:1000", &fields);
            assert!(!headers.contains_key("hop"), "{connections:?}");
        }
    }

    #[test]
    fn every_connection_field_of_a_response_counts() {
        let mut response = HeaderMap::new();
        for named in [&b"close"[..], b"first, keep-alive", b"\xff, second", b"x-third"] {
            response.append(header::CONNECTION, HeaderValue::from_bytes(named).unwrap());
        }
        for name in ["first", "second", "x-third", "keep-alive"] {
            response.insert(name, HeaderValue::from_static("1"));
        }
        strip_hop_by_hop(&mut response);
        assert!(response.is_empty(), "{response:?}");
    }

    #[test]
    fn of_two_framings_only_the_one_that_counts_remains() {
        let mut response = HeaderMap::new();
        response.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        response.insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        strip_hop_by_hop(&mut response);
        assert!(response.is_empty(), "{response:?}");
        response.insert(header::CONTENT_LENGTH, HeaderValue::from_static("5"));
        strip_hop_by_hop(&mut response);
        assert_eq!(response["content-length"], "5");
    }

    #[test]
    fn the_address_chain_is_ours() {
        let direct = sent("198.51.100.7", "198.51.100.7:1000", &[("x-forwarded-for", "192.0.2.1")]);
        assert_eq!(direct["x-forwarded-for"], "198.51.100.7");
        let proxied =
            sent("198.51.100.7", "10.0.0.1:1000", &[("x-forwarded-for", "192.0.2.1, 198.51.100.7")]);
        assert_eq!(proxied["x-forwarded-for"], "198.51.100.7, 10.0.0.1");
        let standard = sent("198.51.100.7", "10.0.0.1:1000", &[("forwarded", "for=198.51.100.7")]);
        assert_eq!(standard["x-forwarded-for"], "198.51.100.7, 10.0.0.1");
        assert_eq!(
            (&proxied["x-forwarded-proto"], &proxied["x-forwarded-host"]),
            (&"https".parse().unwrap(), &"shop.test".parse().unwrap())
        );
    }

    #[test]
    fn a_trace_goes_on_with_a_span_of_ours() {
        let headers =
            sent("198.51.100.7", "198.51.100.7:1000", &[("traceparent", TRACE), ("tracestate", "vendor=1")]);
        let (sent, received) = (headers["traceparent"].to_str().unwrap(), TRACE);
        assert_eq!(sent[..36], received[..36]);
        assert_ne!(sent[36..52], received[36..52]);
        assert_eq!(headers["tracestate"], "vendor=1");
        for unreadable in ["", "00-1-2-01"] {
            let fields = [("traceparent", unreadable), ("tracestate", "vendor=1")];
            let headers = self::sent("198.51.100.7", "198.51.100.7:1000", &fields);
            assert!(!headers.contains_key("tracestate"), "{unreadable:?}: of a trace that ends here");
        }
    }

    #[test]
    fn cookies_travel_in_one_field() {
        let headers = sent("198.51.100.7", "198.51.100.7:1000", &[("cookie", "a=1"), ("cookie", "b=2; c=3")]);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }
}
