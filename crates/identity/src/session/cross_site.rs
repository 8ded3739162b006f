//! Keeps other sites from acting with a person's cookie (cross-site request forgery).
//!
//! A write that rides on a cookie must come from a page of the same origin, as far as the browser says
//! (`Sec-Fetch-Site`, `Origin`), or of an origin that the route's `cors` lists with `credentials`; and repeat in
//! `x-csrf-token` what only such a page can read. So must the opening of a WebSocket, except for the token, which browsers
//! cannot send with it.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts, uri::Authority};
use subtle::ConstantTimeEq;

use super::token::SessionToken;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// Why a write is not taken for the person's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum CrossSite {
    #[error("the browser says that another site asks")]
    Site,
    #[error("`origin` is not this host's")]
    Origin,
    #[error("`x-csrf-token` is missing or wrong")]
    Token,
}

/// What is known of a request that may ride on a cookie.
#[derive(Debug, Clone, Copy)]
pub struct WriteGuard<'a> {
    method: &'a Method,
    headers: &'a HeaderMap,
    secure: bool,
    trusted: &'a [String],
}

impl<'a> WriteGuard<'a> {
    /// The guard of a request; `secure`: whether the client speaks TLS.
    pub fn new(head: &'a Parts, secure: bool) -> Self {
        Self { method: &head.method, headers: &head.headers, secure, trusted: &[] }
    }

    /// The same where pages of these origins may act with the cookie, too, which is what `cors` with `credentials` says.
    #[must_use]
    pub fn trusting(self, trusted: &'a [String]) -> Self {
        Self { trusted, ..self }
    }

    /// Whether a request with this session's cookie may do what it asks.
    pub fn check(&self, session: &SessionToken) -> Result<(), CrossSite> {
        let upgrades = self.headers.contains_key(header::UPGRADE);
        if self.method.is_safe() && !upgrades {
            return Ok(());
        }
        self.check_origin()?;
        let sent = self.headers.get(X_CSRF_TOKEN).map_or(&[][..], |value| value.as_bytes());
        let is_said = bool::from(sent.ct_eq(session.csrf().as_bytes()));
        if is_said || (self.method.is_safe() && upgrades) { Ok(()) } else { Err(CrossSite::Token) }
    }

    /// Whether the request comes from a page of this host or of a trusted origin, or from no page at all.
    pub fn check_origin(&self) -> Result<(), CrossSite> {
        let origin = self.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        if origin.is_some_and(|origin| self.trusted.iter().any(|trusted| trusted.as_bytes() == origin)) {
            return Ok(());
        }
        if let Some(site) = self.headers.get(SEC_FETCH_SITE)
            && !matches!(site.as_bytes(), b"same-origin" | b"none")
        {
            return Err(CrossSite::Site);
        }
        match self.headers.get(header::ORIGIN) {
            Some(origin) if !self.is_own(origin.to_str().unwrap_or_default()) => Err(CrossSite::Origin),
            _ => Ok(()),
        }
    }

    fn is_own(&self, origin: &str) -> bool {
        let (scheme, port) = if self.secure { ("https://", 443) } else { ("http://", 80) };
        let authority = |text: &str| {
            let authority: Authority = text.parse().ok()?;
            (!text.contains('@'))
                .then(|| (authority.host().to_ascii_lowercase(), authority.port_u16().unwrap_or(port)))
        };
        let host = self.headers.get(header::HOST).and_then(|host| authority(host.to_str().ok()?));
        host.is_some() && origin.strip_prefix(scheme).and_then(authority) == host
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<(), CrossSite>);

    #[test]
    fn a_write_must_come_from_the_same_origin_and_know_the_token() {
        let token = SessionToken::generate().unwrap();
        let (csrf, other) = (token.csrf(), SessionToken::generate().unwrap().csrf());
        let own = ("origin", "https://shop.test");
        let said = ("x-csrf-token", csrf.as_str());
        let cases: [Case<'_>; 15] = [
            ("GET", &[], Ok(())),
            ("GET", &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")], Ok(())),
            ("POST", &[], Err(CrossSite::Token)),
            ("POST", &[said], Ok(())),
            ("DELETE", &[own, said], Ok(())),
            ("POST", &[own], Err(CrossSite::Token)),
            ("POST", &[("x-csrf-token", &other)], Err(CrossSite::Token)),
            ("POST", &[("origin", "https://shop.test:443"), said], Ok(())),
            ("POST", &[("origin", "http://shop.test"), said], Err(CrossSite::Origin)),
            ("POST", &[("origin", "https://shop.test.evil.test"), said], Err(CrossSite::Origin)),
            ("POST", &[("origin", "null"), said], Err(CrossSite::Origin)),
            ("POST", &[("sec-fetch-site", "same-site"), said], Err(CrossSite::Site)),
            ("POST", &[("sec-fetch-site", "same-origin"), own, said], Ok(())),
            ("GET", &[("upgrade", "websocket"), own], Ok(())),
            ("GET", &[("upgrade", "websocket"), ("origin", "https://evil.test")], Err(CrossSite::Origin)),
        ];
        for (method, headers, expected) in cases {
            let mut request = Request::builder().method(method).uri("/").header("host", "shop.test");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(WriteGuard::new(&head, true).check(&token), expected, "{method} {headers:?}");
        }
    }

    #[test]
    fn pages_that_cors_lets_act_for_a_person_must_know_the_token_too() {
        let token = SessionToken::generate().unwrap();
        let csrf = token.csrf();
        let app = ("origin", "https://app.shop.test");
        let site = ("sec-fetch-site", "same-site");
        let said = ("x-csrf-token", csrf.as_str());
        let cases: [Case<'_>; 8] = [
            ("POST", &[app, site, said], Ok(())),
            ("POST", &[app, site], Err(CrossSite::Token)),
            ("POST", &[app, ("sec-fetch-site", "cross-site"), said], Ok(())),
            ("GET", &[("upgrade", "websocket"), app, site], Ok(())),
            ("POST", &[("origin", "https://other.shop.test"), site, said], Err(CrossSite::Site)),
            ("POST", &[("origin", "https://app.shop.test.evil.test"), said], Err(CrossSite::Origin)),
            ("POST", &[("origin", "http://app.shop.test"), said], Err(CrossSite::Origin)),
            ("POST", &[site, said], Err(CrossSite::Site)),
        ];
        let trusted = ["https://app.shop.test".to_owned()];
        for (method, headers, expected) in cases {
            let mut request = Request::builder().method(method).uri("/").header("host", "api.shop.test");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            let guard = WriteGuard::new(&head, true).trusting(&trusted);
            assert_eq!(guard.check(&token), expected, "{method} {headers:?}");
        }
    }
}
