//! A request as it stands on the wire, read from a file: the lines of its head may end without a carriage return.

use anyhow::{Context, Result, ensure};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let (head, body) = split(bytes);
        let mut lines =
            head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let mut words = first.split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next().unwrap_or("HTTP/1.1"));
        let (Some(method), Some(target), None) = (method, target, words.next()) else {
            anyhow::bail!("`{first}` is no request line: write for example `GET /path?query HTTP/1.1`");
        };
        ensure!(!method.is_empty() && !target.is_empty(), "the request line is empty");
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let shown = || format!("`{}` is no header", String::from_utf8_lossy(line));
            let colon = line.iter().position(|byte| *byte == b':').with_context(shown)?;
            let (name, value) = line.split_at(colon);
            let name = HeaderName::from_bytes(name).with_context(shown)?;
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            headers.append(name, HeaderValue::from_bytes(value).with_context(shown)?);
        }
        Ok(Self {
            method: method.into(),
            target: target.into(),
            version: if version == "HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 },
            headers,
            body: body.into(),
        })
    }
}

/// Head and body.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = |end: &[u8]| {
        let at = bytes.windows(end.len()).position(|window| window == end)?;
        Some((at, bytes.get(..at)?, bytes.get(at + end.len()..)?))
    };
    let ends = [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten();
    ends.min_by_key(|(at, ..)| *at).map_or((bytes, &[]), |(_, head, body)| (head, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_either_line_end() {
        for end in ["\r\n", "\n"] {
            let text = format!("POST /a?b=c HTTP/1.0{end}Host: shop.test{end}X-A:  b {end}{end}one\n\ntwo");
            let message = Message::parse(text.as_bytes()).unwrap();
            assert_eq!((message.method.as_str(), message.target.as_str()), ("POST", "/a?b=c"));
            assert_eq!((&message.headers["x-a"], message.version), (&"b".parse().unwrap(), Version::HTTP_10));
            assert_eq!(message.body, b"one\n\ntwo");
        }
        assert!(Message::parse(b"GET /\n").unwrap().body.is_empty());
        for text in ["", "GET", "GET / HTTP/1.1 x", "GET / HTTP/1.1\nno header", "GET / HTTP/1.1\nA\x01: b"] {
            assert!(Message::parse(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
