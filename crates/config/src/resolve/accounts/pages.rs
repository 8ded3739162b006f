//! Pages of other origins: what they may ask of the endpoints, and what browsers will not let them.

use std::net::IpAddr;

use http::{HeaderName, Method, header};

use crate::{
    Accounts, Cors, Origins, Tokens,
    file::{self, Document},
    located::{At, Position},
    problems::Problems,
    resolve::cors,
};

/// Carries a proof, and the nonce for the next one (RFC 9449).
const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Repeats the token of a session.
pub(in crate::resolve) const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// What pages do with the endpoints.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What pages of other origins may do with a person's cookie, and what is known of where the gateway is.
#[derive(Default)]
pub(in crate::resolve) struct Pages {
    /// Of the endpoints that go by the cookie.
    pub(super) cors: Cors,
    site: Option<Site>,
    /// Whether scripts of a whole domain can read the token that writes must repeat.
    shares_token: bool,
}

impl Pages {
    pub(in crate::resolve) fn resolve(
        document: &Document,
        accounts: Option<&Accounts>,
        tokens: Option<&Tokens>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let (Some(file), Some(accounts)) = (document.accounts.as_ref(), accounts) else {
            return Self::default();
        };
        let domain = accounts.sessions.domain.as_ref();
        let site = match domain {
            Some(domain) => Some(Site { is_secure: accounts.sessions.is_secure(), host: domain.clone() }),
            None => tokens.and_then(|tokens| Site::of(&tokens.issuer)),
        };
        let pages = Self { cors: by_cookie(file, problems), site, shares_token: domain.is_some() };
        if let Some(at) = file.cors.as_ref() {
            for origin in pages.cors.trusted() {
                pages.warn_of_another_site(origin, at.position, problems);
            }
        }
        pages
    }

    /// Warns of what browsers will not let pages do on a route with sessions.
    pub(in crate::resolve) fn warn(&self, cors: &Cors, position: Position, problems: &mut Problems<'_>) {
        for origin in cors.trusted() {
            if self.warn_of_another_site(origin, position, problems) {
                continue;
            }
            if !self.shares_token && !self.cors.trusted().contains(origin) {
                problems
                    .warning(
                        position,
                        format!("pages of `{origin}` cannot log anybody in, nor learn the token that their writes must repeat"),
                    )
                    .help("list it under `accounts.cors`, too");
            }
        }
    }

    /// Whether browsers send no cookie along.
    fn warn_of_another_site(&self, origin: &str, position: Position, problems: &mut Problems<'_>) -> bool {
        let (Some(own), Some(other)) = (&self.site, Site::of(origin)) else { return false };
        if own.may_be_one_with(&other) {
            return false;
        }
        problems
            .warning(
                position,
                format!("browsers send no session with requests of `{origin}`: it is another site than `{}`", own.host),
            )
            .help("serve both under one domain and scheme; or give the application tokens, with `accounts.tokens.cors`");
        true
    }
}

/// A scheme and a host.
struct Site {
    is_secure: bool,
    host: String,
}

impl Site {
    fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.split('/').next()?;
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let host = authority.rsplit_once(':').filter(|(_, port)| is_port(port));
        let host = host.map_or(authority, |(host, _)| host);
        Some(Self { is_secure: scheme == "https", host: host.to_ascii_lowercase() })
    }

    /// Whether browsers may take both for one site ("schemeful same-site"). Which names share an owner only the list of
    /// public suffixes tells; names that differ in their last two labels never do.
    fn may_be_one_with(&self, other: &Self) -> bool {
        self.is_secure == other.is_secure && ending(&self.host) == ending(&other.host)
    }
}

fn ending(host: &str) -> &str {
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() {
        return host;
    }
    let before = host.rmatch_indices('.').nth(1).map_or(0, |(dot, _)| dot + 1);
    &host[before..]
}

fn by_cookie(file: &At<file::Accounts>, problems: &mut Problems<'_>) -> Cors {
    let Some(at) = file.cors.as_ref() else { return Cors::SameOrigin };
    let Some(written) = problems.borrow(at) else { return Cors::SameOrigin };
    let facts = cors::RouteFacts { methods: &METHODS, credentials: vec![X_CSRF_TOKEN], is_limited: true };
    match cors::resolve(written, at.position, facts, problems) {
        Cors::Allow { origins: Origins::Any, .. } => {
            problems
                .error(at.position, "every site could act in the name of a visitor")
                .help("list the origins that may");
            Cors::SameOrigin
        }
        Cors::Allow { origins, methods, headers, expose, max_age, .. } => {
            Cors::Allow { origins, methods, headers, expose, credentials: true, max_age }
        }
        Cors::SameOrigin => Cors::SameOrigin,
    }
}

/// What pages of other origins may ask about tokens: never with cookies, for none counts there.
pub(super) fn of_tokens(file: &At<file::Accounts>, problems: &mut Problems<'_>) -> Cors {
    let Some(at) = file.tokens.as_ref().and_then(|tokens| tokens.cors.as_ref()) else {
        return Cors::SameOrigin;
    };
    let Some(written) = problems.borrow(at) else { return Cors::SameOrigin };
    let facts = cors::RouteFacts {
        methods: &[Method::GET, Method::POST],
        credentials: vec![header::AUTHORIZATION, DPOP],
        is_limited: true,
    };
    match cors::resolve(written, at.position, facts, problems) {
        Cors::Allow { origins, methods, headers, mut expose, max_age, .. } => {
            expose.push(DPOP_NONCE);
            Cors::Allow { origins, methods, headers, expose, credentials: false, max_age }
        }
        Cors::SameOrigin => Cors::SameOrigin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_their_last_two_labels_are_two_sites() {
        for (one, other, may_be_one) in [
            ("https://app.shop.test", "https://api.shop.test:8443", true),
            ("https://shop.test", "https://app.shop.test", true),
            ("https://app.shop.test", "http://api.shop.test", false),
            ("https://app.test", "https://shop.test", false),
            ("http://localhost:5173", "http://localhost:8080", true),
            ("http://127.0.0.1:5173", "http://127.0.0.2:8080", false),
            ("http://[::1]:5173", "http://[::1]", true),
            ("http://10.0.0.1", "http://10.1.0.1", false),
        ] {
            let (one, other) = (Site::of(one).unwrap(), Site::of(other).unwrap());
            assert_eq!(one.may_be_one_with(&other), may_be_one, "{} {}", one.host, other.host);
        }
    }
}
