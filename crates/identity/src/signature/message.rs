//! The parts of a request that a signature can cover.

use std::borrow::Cow;

use http::{HeaderMap, Method, Uri, Version, header, request::Parts};

use crate::InvalidReason;

/// A request as its sender saw it.
#[derive(Debug, Clone)]
pub(crate) struct Message<'a> {
    pub(crate) method: &'a Method,
    pub(crate) scheme: &'a str,
    /// Lower case, without the port that the scheme implies.
    pub(crate) authority: Cow<'a, str>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    /// Whether the target was path and query alone (RFC 9112, section 3.2.1), as in HTTP/2 it always is.
    pub(crate) has_origin_form: bool,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Message<'a> {
    /// A request as it arrived: its host is in `Host`, whatever the HTTP version.
    pub(crate) fn received(head: &'a Parts, secure: bool) -> Result<Self, InvalidReason> {
        let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.ok_or(InvalidReason::MissingComponent)?;
        let scheme = if secure { "https" } else { "http" };
        let has_origin_form = head.version >= Version::HTTP_2 || head.uri.scheme().is_none();
        Ok(Self { has_origin_form, ..Self::new(&head.method, scheme, host, &head.uri, &head.headers) })
    }

    /// A request to `authority`. Of `target` only path and query count.
    pub(crate) fn new(
        method: &'a Method,
        scheme: &'a str,
        authority: &'a str,
        target: &'a Uri,
        headers: &'a HeaderMap,
    ) -> Self {
        let path = if target.path().is_empty() { "/" } else { target.path() };
        let authority = normal_authority(scheme, authority);
        Self { method, scheme, authority, path, query: target.query(), has_origin_form: true, headers }
    }
}

/// RFC 9421, section 2.2.3: lower case, without the port that the scheme implies.
fn normal_authority<'a>(scheme: &str, authority: &'a str) -> Cow<'a, str> {
    let implied = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(implied).unwrap_or(authority);
    if authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        authority.to_ascii_lowercase().into()
    } else {
        authority.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_has_one_normal_form() {
        let cases = [
            ("http", "Shop.Test", "shop.test"),
            ("http", "shop.test:80", "shop.test"),
            ("https", "shop.test:443", "shop.test"),
            ("https", "shop.test:80", "shop.test:80"),
            ("http", "[2001:DB8::1]:80", "[2001:db8::1]"),
            ("http", "shop.test:8080", "shop.test:8080"),
        ];
        for (scheme, authority, expected) in cases {
            assert_eq!(normal_authority(scheme, authority), expected, "{scheme} {authority}");
        }
    }
}
