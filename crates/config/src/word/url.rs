//! URLs, hosts and origins (RFC 3986, RFC 6454).

use std::net::IpAddr;

use http::{Uri, uri::Scheme};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::{Target, forms::Forms};

/// An `http:` or `https:` URL without credentials and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    /// As it is written.
    pub(crate) text: String,
    /// Where it leads.
    pub(crate) target: Target,
    /// Path and query; `/` where there is none.
    pub(crate) path: String,
}

impl Url {
    /// Whether it stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.target.host.as_str();
        host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// Its origin, serialised as browsers do.
    pub(crate) fn origin(&self) -> String {
        let Target { tls, host, port } = &self.target;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let scheme = if *tls { "https" } else { "http" };
        match (tls, port) {
            (true, 443) | (false, 80) => format!("{scheme}://{host}"),
            (_, port) => format!("{scheme}://{host}:{port}"),
        }
    }
}

impl Forms for Url {
    const NAME: &'static str = "Url";
    const EXPECTED: &'static str = "a URL such as `http://orders:8080`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(https?://[^/@]+.*|.*\$\{.*\}.*)$",
            "description": "An `http:` or `https:` URL.",
            "examples": ["http://orders:8080"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = word.split_once("://") else {
            return Err(format!("`{word}` is not a URL: write for example `http://orders:8080`"));
        };
        if rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@')) {
            return Err("a URL here holds no user name and password".into());
        }
        if word.contains('#') {
            return Err(format!("`{word}`: a URL here has no fragment (`#`)"));
        }
        let uri: Uri = word.parse().map_err(|_| format!("`{word}` is not a URL"))?;
        let tls = match uri.scheme() {
            Some(known) if *known == Scheme::HTTPS => true,
            Some(known) if *known == Scheme::HTTP => false,
            _ => {
                return Err(format!(
                    "`{word}`: `{scheme}` is not a scheme that can be used here: write `http` or `https`"
                ));
            }
        };
        let host =
            uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        if !is_host(&host) {
            return Err(format!("`{word}`: the host is not a host name or address"));
        }
        let has_port = uri.authority().map(http::uri::Authority::as_str) != uri.host();
        let port = match uri.port_u16() {
            None if !has_port && tls => 443,
            None if !has_port => 80,
            Some(port) if port > 0 => port,
            _ => return Err(format!("`{word}`: the port is not a number from 1 to 65535")),
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { text: word.into(), target: Target { tls, host, port }, path })
    }
}

/// The host that a route answers for: lower case, without port; `*.` in front matches one or more labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern(pub(crate) String);

impl Forms for HostPattern {
    const NAME: &'static str = "Host";
    const EXPECTED: &'static str = "a host name such as `shop.test` or `*.shop.test`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A host name or address without port. `*.` in front matches one or more labels.",
            "examples": ["api.shop.test", "*.shop.test"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let lower = word.to_ascii_lowercase();
        let host = lower.trim_start_matches('[').trim_end_matches(']');
        if host.parse::<IpAddr>().is_err() && host.contains(':') {
            return Err(format!("`{word}`: a host here has no port"));
        }
        let name = host.strip_prefix("*.").unwrap_or(host);
        if name.contains('*') || !is_host(name) {
            return Err(format!(
                "`{word}` is not a host name: write for example `shop.test` or `*.shop.test`"
            ));
        }
        Ok(Self(host.into()))
    }
}

/// An origin, serialised as browsers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin(pub(crate) String);

impl Forms for Origin {
    const NAME: &'static str = "Origin";
    const EXPECTED: &'static str = "an origin such as `https://shop.test`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(\*|https?://[^/@]+|\$\{.*\})$",
            "description": "Scheme, host and port as a browser sends them in `Origin`.",
            "examples": ["https://shop.test", "http://localhost:5173"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word == "null" {
            return Err("`null` is what every sandboxed page sends: it cannot be trusted as an origin".into());
        }
        let url = Url::word(word)?;
        let origin = url.origin();
        if word == origin {
            Ok(Self(origin))
        } else {
            Err(format!("`{word}` is not how a browser writes this origin: write `{origin}`"))
        }
    }
}

/// The parts of a URL behind its scheme that may hold a password.
pub(super) struct Authority<'u> {
    /// User name and password, as they are written; empty if there are none.
    pub(super) credentials: &'u str,
    /// Host and port.
    pub(super) server: &'u str,
    /// What stands behind them, with the character that begins it.
    pub(super) rest: &'u str,
}

impl<'u> Authority<'u> {
    /// No message quotes any of it. What a reader of URLs takes for the end of a password must not be a part of it.
    pub(super) fn split(behind_scheme: &'u str) -> Result<Self, String> {
        let end = behind_scheme.find(['/', '?', '#']).unwrap_or(behind_scheme.len());
        let (authority, rest) = behind_scheme.split_at(end);
        let (credentials, server) = authority.rsplit_once('@').unwrap_or(("", authority));
        let is_ambiguous = |byte: u8| byte == b'@' || byte.is_ascii_whitespace() || byte.is_ascii_control();
        if rest.contains('@') || credentials.bytes().any(is_ambiguous) {
            return Err(
                "in a user name and password `/`, `?`, `#`, `@` and spaces are written as `%2F`, `%3F`, `%23`, `%40` and `%20`"
                    .into(),
            );
        }
        Ok(Self { credentials, server, rest })
    }
}

/// An address, or a name of letters, digits, `-` and `_` in labels of 1 to 63.
pub(super) fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    host.parse::<IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_lead_to_a_target() {
        let cases = [
            ("http://orders:8080", "http://orders:8080", "/"),
            ("https://ID.shop.test/jwks?x=1", "https://id.shop.test:443", "/jwks?x=1"),
            ("http://[::1]", "http://[::1]:80", "/"),
        ];
        for (text, target, path) in cases {
            let url = Url::word(text).unwrap();
            assert_eq!((url.target.to_string().as_str(), url.path.as_str()), (target, path), "{text}");
        }
        let refused = [
            "",
            "orders:8080",
            "ftp://x",
            "http://",
            "http:///x",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://a b",
            "http://u:p@h",
            "http://h/#f",
            "http://-a",
        ];
        for text in refused {
            let error = Url::word(text).unwrap_err();
            assert!(!error.contains("u:p"), "{error}");
        }
    }

    #[test]
    fn hosts_and_origins_are_what_clients_send() {
        for (text, host) in [("Shop.test", "shop.test"), ("*.shop.test", "*.shop.test"), ("[::1]", "::1")] {
            assert_eq!(HostPattern::word(text), Ok(HostPattern(host.into())), "{text}");
        }
        for text in ["", "*", "shop.test:443", "a.*.test", "http://shop.test", "a..b"] {
            assert!(HostPattern::word(text).is_err(), "{text}");
        }
        for text in ["https://shop.test", "http://localhost:5173", "http://[::1]:5173"] {
            assert_eq!(Origin::word(text), Ok(Origin(text.into())));
        }
        for text in
            ["", "*", "null", "shop.test", "https://shop.test/", "https://shop.test:443", "https://Shop.test"]
        {
            assert!(Origin::word(text).is_err(), "{text}");
        }
    }
}
