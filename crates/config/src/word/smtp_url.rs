//! URLs of mail servers.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::Url;
use crate::{SmtpServer, SmtpTls, forms::Forms};

/// `smtps://host:465`, `smtp://host:587`, or `smtp://localhost:1025?tls=none`.
#[derive(Clone)]
pub(crate) struct SmtpUrl(pub(crate) SmtpServer);

impl Forms for SmtpUrl {
    const NAME: &'static str = "SmtpUrl";
    const EXPECTED: &'static str = "a URL such as `smtps://mail.shop.test`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(smtps?://[^/@]+.*|.*\$\{.*\}.*)$",
            "description": "`smtps://host` (port 465) speaks TLS from the first byte, `smtp://host` (port 587) after STARTTLS, without which nothing is sent; `?tls=none` is for a server on this machine.",
            "examples": ["smtps://mail.shop.test", "smtp://mail.shop.test:587"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse =
            || format!("`{word}` is not the URL of a mail server: write `smtps://host` or `smtp://host`");
        let (scheme, rest) = word.split_once("://").ok_or_else(refuse)?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (tls, port) = match (scheme, query) {
            ("smtps", "") => (SmtpTls::Implicit, 465),
            ("smtp", "") => (SmtpTls::StartTls, 587),
            ("smtp", "tls=none") => (SmtpTls::None, 25),
            _ => return Err(refuse()),
        };
        let authority = authority.trim_end_matches('/');
        // Host and port are read as those of any URL.
        let url = Url::word(&format!("http://{authority}/")).map_err(|_| refuse())?;
        if url.path != "/" {
            return Err(refuse());
        }
        let has_port = authority.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':');
        let port = if has_port { url.target.port } else { port };
        let server = SmtpServer { host: url.target.host.clone(), port, tls, credentials: None };
        if tls == SmtpTls::None && !url.is_loopback() {
            return Err(format!("`{word}`: only a server on this machine is spoken to without TLS"));
        }
        Ok(Self(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_spoken_to_over_tls() {
        for (text, host, port, tls) in [
            ("smtps://mail.shop.test", "mail.shop.test", 465, SmtpTls::Implicit),
            ("smtps://mail.shop.test:2465/", "mail.shop.test", 2465, SmtpTls::Implicit),
            ("smtp://mail.shop.test", "mail.shop.test", 587, SmtpTls::StartTls),
            ("smtp://[::1]:25", "::1", 25, SmtpTls::StartTls),
            ("smtp://[::1]", "::1", 587, SmtpTls::StartTls),
            ("smtp://localhost:1025?tls=none", "localhost", 1025, SmtpTls::None),
        ] {
            let SmtpUrl(server) = SmtpUrl::word(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, tls), "{text}");
        }
        for text in [
            "mail.shop.test",
            "http://mail.shop.test",
            "smtp://ada:secret@mail.shop.test",
            "smtp://mail.shop.test/inbox",
            "smtp://mail.shop.test?tls=none",
            "smtps://localhost?tls=none",
            "smtp://",
        ] {
            assert!(SmtpUrl::word(text).is_err(), "{text}");
        }
    }
}
