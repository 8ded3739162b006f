//! Where a syslog server is.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::Url;
use crate::forms::Forms;

/// `tls://host:6514` (RFC 5425) or `tcp://host:514` (RFC 6587).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyslogUrl {
    /// As it is written.
    pub(crate) text: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) is_loopback: bool,
}

impl Forms for SyslogUrl {
    const NAME: &'static str = "SyslogUrl";
    const EXPECTED: &'static str = "a URL such as `tls://siem.shop.test:6514`";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^((tls|tcp)://[^/@]+|.*\$\{.*\}.*)$",
            "description": "`tls://host` (port 6514) speaks TLS, `tcp://host` (port 514) in clear; both count octets.",
            "examples": ["tls://siem.shop.test:6514", "tcp://localhost:514"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse = || format!("`{word}` is no syslog server: write `tls://host:6514` or `tcp://host:514`");
        let (scheme, authority) = word.split_once("://").ok_or_else(refuse)?;
        let (tls, usual) = match scheme {
            "tls" => (true, 6514),
            "tcp" => (false, 514),
            "udp" => {
                return Err(format!(
                    "`{word}`: over UDP events would be lost unnoticed: write `tls` or `tcp`"
                ));
            }
            _ => return Err(refuse()),
        };
        let authority = authority.trim_end_matches('/');
        // Host and port are read as those of any URL.
        let url = Url::word(&format!("http://{authority}/")).map_err(|_| refuse())?;
        if url.path != "/" {
            return Err(refuse());
        }
        let has_port = authority.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(':');
        let port = if has_port { url.target.port } else { usual };
        Ok(Self {
            text: word.into(),
            host: url.target.host.clone(),
            port,
            tls,
            is_loopback: url.is_loopback(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syslog_server_is_reached_over_tcp_or_tls() {
        for (text, host, port, tls) in [
            ("tls://siem.shop.test", "siem.shop.test", 6514, true),
            ("tls://siem.shop.test:1514/", "siem.shop.test", 1514, true),
            ("tcp://10.0.0.1", "10.0.0.1", 514, false),
            ("tcp://[::1]:1514", "::1", 1514, false),
        ] {
            let url = SyslogUrl::word(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.tls), (host, port, tls), "{text}");
        }
        assert!(SyslogUrl::word("udp://siem.shop.test").unwrap_err().contains("lost unnoticed"));
        for text in ["siem.shop.test", "http://siem.shop.test", "tls://", "tls://ada@siem", "tcp://siem/a"] {
            assert!(SyslogUrl::word(text).is_err(), "{text}");
        }
    }
}
