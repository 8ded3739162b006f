//! A request, as the rules see it.

use std::fmt::Write as _;

use anyhow::{Context, Result};

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Reads a file of `bench/waf/requests`, which the peer is sent, too.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (head, body) = text.split_once("\n\n").context("a request has an empty line")?;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) =
            words.next().zip(words.next()).context("a request has a method and a target")?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").with_context(|| format!("`{line}` is not a header"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        let headers: Result<_> = lines.map(header).collect();
        let mut request =
            Self { method: method.into(), target: target.into(), headers: headers?, body: Vec::new() };
        let body = body.trim_end_matches('\n');
        if !body.is_empty() {
            request.set_body(body.into());
        }
        Ok(request)
    }

    /// An app that sends something.
    pub(crate) fn post(media_type: &str, body: Vec<u8>) -> Self {
        let headers = [
            ("Host", "shop.example"),
            ("User-Agent", "ShopApp/4.2.1 (Android 15; Pixel 9)"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip"),
            ("Content-Type", media_type),
        ];
        let mut request = Self {
            method: "POST".into(),
            target: "/api/things".into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).into(),
            body: Vec::new(),
        };
        request.set_body(body);
        request
    }

    pub(crate) fn form(fields: &[(&str, &[u8])]) -> Self {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        Self::post("application/x-www-form-urlencoded", fields.join("&").into())
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::post("application/json", value.to_string().into())
    }

    /// What [`Self::parse`] reads, and `bench/load.lua`: it says itself how long the body is.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\n", self.method, self.target);
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "Content-Length") {
            // Writing into a `String` cannot fail.
            let _ = writeln!(head, "{name}: {value}");
        }
        let mut file = head.into_bytes();
        file.push(b'\n');
        file.extend_from_slice(&self.body);
        file.push(b'\n');
        file
    }

    fn set_body(&mut self, body: Vec<u8>) {
        self.headers.push(("Content-Length".into(), body.len().to_string()));
        self.body = body;
    }
}

/// As a browser encodes the fields of a form.
fn percent_encoded(value: &[u8]) -> String {
    let encode = |byte: &u8| match *byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.iter().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_request() {
        let request = Request::parse("POST /a?b=c HTTP/1.1\nHost: x\nReferer: https://x/\n\n{\n}\n").unwrap();
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/a?b=c"));
        let headers: Vec<_> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("Host", "x"), ("Referer", "https://x/"), ("Content-Length", "3")]);
        assert_eq!(request.body, b"{\n}");
        assert!(Request::parse("GET / HTTP/1.1\nHost: x\n\n").unwrap().body.is_empty());
        assert!(Request::parse("GET / HTTP/1.1\nHost: x\n").is_err());
    }

    #[test]
    fn a_request_becomes_a_file_again() {
        let text = "POST /a HTTP/1.1\nHost: x\n\n{\n}\n";
        let request = Request::parse(text).unwrap();
        assert_eq!(request.to_file(), text.as_bytes());
    }

    #[test]
    fn a_field_arrives_as_it_is() {
        assert_eq!(Request::form(&[("a", b"1 &%'"), ("b", b"x")]).body, b"a=1+%26%25%27&b=x");
    }
}
