//! Refuses what is malformed, ambiguous or oversized, whatever HTTP version brought it (RFC 9110, 9112, 9113),
//! and gives the path its normal form. First on the road, because every later stage trusts its result.
//!
//! What only the bytes of HTTP/1.1 show (line ends, duplicate framing fields) the gateway has refused before.
//! Costs one pass over the headers; cannot err.

use bartizan_config::{Hardening, UnderscoreHeaders};
use bartizan_model::Line;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header, uri::Authority};

use super::Passed;
use crate::{Code, Exchange, NormalPath, Refusal, Stop};

/// The limits of this stage.
#[derive(Debug)]
pub(crate) struct Protocol {
    max_uri_bytes: usize,
    max_header_bytes: usize,
    max_header_count: usize,
    underscore_headers: UnderscoreHeaders,
}

impl Protocol {
    pub(crate) fn new(hardening: &Hardening) -> Self {
        Self {
            max_uri_bytes: hardening.max_uri_bytes,
            max_header_bytes: hardening.max_header_bytes,
            max_header_count: hardening.max_header_count,
            underscore_headers: hardening.underscore_headers,
        }
    }

    pub(crate) fn run(&self, exchange: &mut Exchange) -> Result<Passed, Stop> {
        if exchange.client.is_disputed {
            let reason = "`Forwarded` is malformed, or `X-Forwarded-For` contradicts it";
            return Err(malformed(reason).into());
        }
        check_method(&exchange.head.method)?;
        self.check_size(exchange)?;
        self.check_names(&mut exchange.head.headers)?;
        check_host(exchange)?;
        check_length(&exchange.head.headers)?;
        check_media_type(&exchange.head.headers)?;
        check_upgrade(exchange)?;
        check_expect(&exchange.head.headers)?;
        check_target(&exchange.head.uri)?;
        let path = exchange.head.uri.path();
        exchange.path = NormalPath::of(path).map_err(|error| malformed(format!("path: {error}")))?;
        Ok(Passed::because("well-formed", Line::NONE))
    }

    fn check_size(&self, exchange: &Exchange) -> Result<(), Refusal> {
        let target = exchange.head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.max_uri_bytes {
            return Err(Refusal::new(Code::UriTooLong, "target over `hardening.max_uri_bytes`").closing());
        }
        let headers = &exchange.head.headers;
        if headers.len() > self.max_header_count {
            return Err(Refusal::new(Code::HeadersTooLarge, "over `hardening.max_header_count`").closing());
        }
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if bytes > self.max_header_bytes {
            return Err(Refusal::new(Code::HeadersTooLarge, "over `hardening.max_header_bytes`").closing());
        }
        Ok(())
    }

    fn check_names(&self, headers: &mut HeaderMap) -> Result<(), Refusal> {
        let underscored = |name: &HeaderName| name.as_str().contains('_');
        if self.underscore_headers == UnderscoreHeaders::Allow || !headers.keys().any(underscored) {
            return Ok(());
        }
        if self.underscore_headers == UnderscoreHeaders::Refuse {
            return Err(malformed("a header name with an underscore"));
        }
        let dropped: Vec<HeaderName> = headers.keys().filter(|name| underscored(name)).cloned().collect();
        for name in dropped {
            headers.remove(name);
        }
        Ok(())
    }
}

/// Methods that mean something to a server (RFC 9110, section 9; RFC 5789).
const STANDARD_METHODS: [Method; 9] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
    Method::TRACE,
    Method::CONNECT,
];

/// Methods tell upper from lower case. A server that does not would serve `post` as `POST`, past the rules, costs and
/// permissions of the gateway that are about `POST`. And `CONNECT` would make the gateway an open proxy, `TRACE` echoes
/// credentials.
fn check_method(method: &Method) -> Result<(), Refusal> {
    let name = method.as_str();
    let is_lowered = name.bytes().any(|byte| byte.is_ascii_lowercase());
    if is_lowered && STANDARD_METHODS.iter().any(|standard| standard.as_str().eq_ignore_ascii_case(name)) {
        return Err(malformed("a standard method that is not in upper case").closing());
    }
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        let refusal = Refusal::new(Code::MethodNotAllowed, "CONNECT and TRACE are never served");
        return Err(refusal.with_header(header::ALLOW, allow).closing());
    }
    Ok(())
}

/// Exactly one host, well-formed, and the same in the target and in `Host` (RFC 9112, section 3.2; RFC 9113,
/// section 8.3.1). Afterwards `Host` is set, whatever the version.
fn check_host(exchange: &mut Exchange) -> Result<(), Refusal> {
    let head = &mut exchange.head;
    let mut named = head.headers.get_all(header::HOST).iter();
    let (host, second) = (named.next(), named.next());
    if second.is_some() {
        return Err(malformed("more than one `Host`").closing());
    }
    let host = host.map(parse_host).transpose()?;
    match (host, head.uri.authority()) {
        (None, None) => Err(malformed("no `Host`").closing()),
        (Some(host), Some(target)) if !same_authority(&host, target) => {
            Err(malformed("the target's authority differs from `Host`").closing())
        }
        (_, Some(target)) if target.as_str().contains('@') => {
            Err(malformed("user information in the target").closing())
        }
        (Some(_), _) => Ok(()),
        (None, Some(_)) if head.version < Version::HTTP_2 => Err(malformed("no `Host`").closing()),
        (None, Some(target)) => {
            let host =
                HeaderValue::from_str(target.as_str()).map_err(|_| malformed("an unusable authority"))?;
            head.headers.insert(header::HOST, host);
            Ok(())
        }
    }
}

fn parse_host(value: &HeaderValue) -> Result<Authority, Refusal> {
    let authority =
        Authority::try_from(value.as_bytes()).map_err(|_| malformed("`Host` is not a host").closing())?;
    if authority.as_str().contains('@') {
        return Err(malformed("user information in `Host`").closing());
    }
    Ok(authority)
}

fn same_authority(host: &Authority, target: &Authority) -> bool {
    host.as_str().eq_ignore_ascii_case(target.as_str())
}

/// One `Content-Length`: h2 lets equal ones pass (RFC 9110, section 8.6).
fn check_length(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err(malformed("more than one `Content-Length`").closing());
    }
    Ok(())
}

/// One media type, or none (RFC 9110, section 8.3): with two the rules of a firewall might read the body as one and the
/// service as the other.
fn check_media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get_all(header::CONTENT_TYPE).iter().nth(1).is_some() {
        return Err(malformed("more than one `Content-Type`").closing());
    }
    Ok(())
}

/// `h2c` would smuggle a second protocol past the gateway; what else may be upgraded to is the route's affair. An
/// `Upgrade` that `Connection` does not name was left over by an intermediary that knows nothing of it, and would go
/// on to send other people's requests into the tunnel (RFC 9110, section 7.8).
fn check_upgrade(exchange: &Exchange) -> Result<(), Refusal> {
    let headers = &exchange.head.headers;
    if !headers.contains_key(header::UPGRADE) && !headers.contains_key("http2-settings") {
        return Ok(());
    }
    let refused = |reason| Err(Refusal::new(Code::UpgradeRefused, reason).closing());
    if exchange.head.version != Version::HTTP_11 {
        return refused("upgrades exist in HTTP/1.1 only");
    }
    if headers.contains_key("http2-settings") || headers.get_all(header::UPGRADE).iter().any(is_h2c) {
        return refused("an upgrade to h2c");
    }
    if headers.get_all(header::UPGRADE).iter().count() != 1 {
        return refused("more than one `Upgrade`");
    }
    if !headers.get_all(header::CONNECTION).iter().any(|options| lists(options, b"upgrade")) {
        return refused("an `Upgrade` that `Connection` does not name");
    }
    Ok(())
}

fn is_h2c(value: &HeaderValue) -> bool {
    lists(value, b"h2c")
}

fn lists(value: &HeaderValue, item: &[u8]) -> bool {
    value.as_bytes().split(|&byte| byte == b',').any(|listed| listed.trim_ascii().eq_ignore_ascii_case(item))
}

fn check_expect(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::EXPECT) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Refusal::new(Code::ExpectationFailed, "an `Expect` other than `100-continue`"))
        }
        _ => Ok(()),
    }
}

/// HTTP/2 brings targets that are no URI (RFC 3986), which servers decode one way or another.
fn check_target(target: &Uri) -> Result<(), Refusal> {
    match target.path_and_query() {
        Some(target) if !target.as_str().is_ascii() => Err(malformed("the target is not ASCII")),
        _ => Ok(()),
    }
}

fn malformed(reason: impl Into<crate::Reason>) -> Refusal {
    Refusal::new(Code::MalformedRequest, reason)
}
