//! Who the client is when proxies stand in front: `X-Forwarded-For` and `Forwarded` (RFC 7239).
//!
//! Believed only from a trusted proxy, read from the right, and only as far as the chain of trusted proxies
//! reaches: the first address that is not one of ours is the client. If both headers are there and disagree,
//! somebody forged one of them and the request is refused: a proxy that only appends to one of the two hands the
//! client's own copy of the other on, and with it a way around the block list. So is a `Forwarded` that is malformed:
//! a quote that a client leaves open would swallow what the proxies append.

mod field;

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use self::field::{Element, Malformed};

/// Addresses looked at from the right, so that a long forged header costs nothing.
const MAX_HOPS: usize = 32;

/// What trusted proxies say about the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forwarded {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Whether the client speaks TLS to the outermost proxy; `None` if they do not say.
    pub(crate) secure: Option<bool>,
    /// Whether the two headers contradict each other, or `Forwarded` is malformed.
    pub(crate) is_disputed: bool,
}

impl Forwarded {
    /// What the headers say, if `peer` is a trusted proxy.
    pub(crate) fn read(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> Option<Self> {
        if !is_trusted(peer, trusted) {
            return None;
        }
        let disputed = Self { address: peer, secure: None, is_disputed: true };
        let Ok(elements) = elements(headers) else { return Some(disputed) };
        let standard = || elements.iter().rev().take(MAX_HOPS);
        let listed = from_right(headers, &X_FORWARDED_FOR).map(|text| parse_address(text.trim_matches('"')));
        let address = match (client(listed, trusted), client(standard().map(|hop| hop.client), trusted)) {
            (Some(listed), Some(standard)) if listed != standard => return Some(disputed),
            (Some(address), _) | (_, Some(address)) => address,
            (None, None) => peer,
        };
        let secure = secure(headers).or_else(|| standard().find_map(|hop| hop.secure));
        Some(Self { address, secure, is_disputed: false })
    }
}

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// The list elements of a header's values, the last one first.
fn from_right<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> + use<'h> {
    let values: Vec<&str> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    values.into_iter().rev().flat_map(|value| value.rsplit(',').map(str::trim)).take(MAX_HOPS)
}

/// The elements of all lines of `Forwarded`.
fn elements(headers: &HeaderMap) -> Result<Vec<Element>, Malformed> {
    let mut elements = Vec::new();
    for line in headers.get_all(header::FORWARDED) {
        elements.extend(field::elements(line.as_bytes())?);
    }
    Ok(elements)
}

/// The first address from the right that is not a trusted proxy; the outermost proxy if all are. An element that
/// is no address ends the chain, because nothing left of it can be vouched for.
fn client(hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> Option<IpAddr> {
    let mut client = None;
    for address in hops.map_while(|address| address) {
        client = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// An address with or without a port and brackets: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]:80`.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// Whether `X-Forwarded-Proto` says `https`.
fn secure(headers: &HeaderMap) -> Option<bool> {
    let scheme = from_right(headers, &X_FORWARDED_PROTO).next()?;
    Some(scheme.trim_matches('"').eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(peer: &str, headers: &[(&'static str, &'static str)]) -> Option<(String, Option<bool>)> {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8:f::/48".parse().unwrap()];
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let forwarded = Forwarded::read(&map, peer.parse().unwrap(), &trusted)?;
        Some((forwarded.address.to_string(), forwarded.secure))
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let forged = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1;proto=https")];
        assert_eq!(read("203.0.113.9", &forged), None);
        assert_eq!(read("10.1.2.3", &forged), Some(("198.51.100.1".into(), Some(true))));
        assert_eq!(read("::ffff:10.1.2.3", &forged), Some(("198.51.100.1".into(), Some(true))));
    }

    #[test]
    fn the_chain_is_read_from_the_right() {
        let cases: [(&[(&str, &str)], &str); 10] = [
            (&[], "10.0.0.1"),
            (&[("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
            (&[("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.9.9.9")], "198.51.100.1"),
            (&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
            (&[("x-forwarded-for", "10.8.8.8, 10.9.9.9")], "10.8.8.8"),
            (&[("x-forwarded-for", "198.51.100.1, nonsense, 10.9.9.9")], "10.9.9.9"),
            (&[("x-forwarded-for", "198.51.100.1:4711")], "198.51.100.1"),
            (&[("forwarded", "for=1.1.1.1, for=\"[2001:db8::7]:443\";proto=https")], "2001:db8::7"),
            (&[("forwarded", "for=unknown")], "10.0.0.1"),
            (&[("forwarded", "for=\"[2001:db8:f::1]\""), ("x-forwarded-for", "")], "2001:db8:f::1"),
        ];
        for (headers, expected) in cases {
            let map: Vec<_> = headers.iter().map(|&(name, value)| (leak(name), leak(value))).collect();
            assert_eq!(read("10.0.0.1", &map).unwrap().0, expected, "{headers:?}");
        }
    }

    #[test]
    fn headers_that_contradict_each_other_are_a_dispute() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        headers.insert("forwarded", HeaderValue::from_static("for=198.51.100.2"));
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let read = |peer: &str| Forwarded::read(&headers, peer.parse().unwrap(), &trusted);
        assert!(read("10.0.0.1").is_some_and(|forwarded| forwarded.is_disputed));
        assert_eq!(read("203.0.113.9"), None);
    }

    #[test]
    fn a_quoted_string_of_forwarded_is_one_value() {
        let cases = [
            (r#"for=1.2.3.4;host="a, for=6.6.6.6""#, "1.2.3.4"),
            (r#"for=1.2.3.4;host="a;for=6.6.6.6""#, "1.2.3.4"),
            (r#"for=1.2.3.4;host="a\", for=6.6.6.6""#, "1.2.3.4"),
            (r#"host="a, for=6.6.6.6";for=1.2.3.4, for=10.9.9.9"#, "1.2.3.4"),
            (r#"for="1.2.3.\4""#, "1.2.3.4"),
        ];
        for (value, expected) in cases {
            assert_eq!(read("10.0.0.1", &[("forwarded", leak(value))]).unwrap().0, expected, "{value}");
        }
    }

    #[test]
    fn a_malformed_forwarded_is_a_dispute_whatever_else_is_said() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for fields in [&[r#"for=1.2.3.4;host="a"#][..], &[r#"for="1.2.3.4"#, r#"", for=10.9.9.9"#]] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static("1.2.3.4"));
            for field in fields {
                headers.append("forwarded", HeaderValue::from_static(field));
            }
            let read = |peer: &str| Forwarded::read(&headers, peer.parse().unwrap(), &trusted);
            let expected =
                Forwarded { address: "10.0.0.1".parse().unwrap(), secure: None, is_disputed: true };
            assert_eq!(read("10.0.0.1"), Some(expected), "{fields:?}");
            assert_eq!(read("203.0.113.9"), None, "{fields:?}: whoever is not trusted is not even read");
        }
    }

    fn leak(text: &str) -> &'static str {
        Box::leak(text.to_owned().into_boxed_str())
    }
}
