//! The service behind the rules, which says what a test tells it to say.
//!
//! The tests of rules about responses are written for albedo: `POST /reflect` carries the response as JSON; any other
//! request is answered with an empty 200.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// A response, before it is put on the wire.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 599.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What stands behind them.
    pub body: Vec<u8>,
}

/// What `/reflect` is told to say.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Reflection {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    encoded_body: String,
}

/// What the service says to a request.
pub fn respond(method: &[u8], target: &[u8], body: &[u8]) -> Response {
    let path = target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
    let mut response = if method == b"POST" && (path == b"/reflect" || path.starts_with(b"/reflect/")) {
        reflect(body)
    } else {
        Response { status: 200, headers: Vec::new(), body: Vec::new() }
    };
    let has_type = response.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Content-Type"));
    if !response.body.is_empty() && !has_type {
        response.headers.push(("Content-Type".to_owned(), sniff(&response.body).to_owned()));
    }
    response.headers.push(("Content-Length".to_owned(), response.body.len().to_string()));
    if method == b"HEAD" {
        response.body.clear();
    }
    response
}

fn reflect(body: &[u8]) -> Response {
    let refused = |text: &str| Response { status: 400, headers: Vec::new(), body: text.as_bytes().to_vec() };
    let Ok(told) = serde_json::from_slice::<Reflection>(body) else {
        return refused("Invalid JSON in request body");
    };
    let status = match told.status {
        0 => 200,
        status @ 100..600 => status,
        status => return refused(&format!("Invalid status code: {status}")),
    };
    let body = if told.body.is_empty() {
        let Ok(body) = STANDARD.decode(&told.encoded_body) else {
            return refused("invalid base64 encoding of response body");
        };
        body
    } else {
        told.body.into_bytes()
    };
    Response { status, headers: told.headers.into_iter().collect(), body }
}

/// What Go's server takes a body for when nothing says: the part of the WHATWG's rules that tells texts apart.
fn sniff(body: &[u8]) -> &'static str {
    const HTML: [&str; 17] = [
        "<!DOCTYPE HTML",
        "<HTML",
        "<HEAD",
        "<SCRIPT",
        "<IFRAME",
        "<H1",
        "<DIV",
        "<FONT",
        "<TABLE",
        "<A",
        "<STYLE",
        "<TITLE",
        "<B",
        "<BODY",
        "<BR",
        "<P",
        "<!--",
    ];
    let text = body.trim_ascii_start();
    let is_html = HTML.iter().any(|tag| {
        let ends = |byte: &u8| *tag == "<!--" || matches!(byte, b' ' | b'>');
        text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
            && text.get(tag.len()).is_some_and(ends)
    });
    if is_html {
        "text/html; charset=utf-8"
    } else if text.starts_with(b"<?xml") {
        "text/xml; charset=utf-8"
    } else if body.iter().any(|byte| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)) {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn it_says_what_it_is_told() {
        let told = br#"{"status": 404, "headers": {"X-A": "b"}, "body": "hello", "logMessage": "x"}"#;
        let response = respond(b"POST", b"/reflect?x", told);
        assert_eq!((response.status, response.body.as_slice()), (404, b"hello".as_slice()));
        assert_eq!(header(&response, "X-A"), Some("b"));
        assert_eq!(header(&response, "Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(header(&response, "Content-Length"), Some("5"));
        let encoded =
            respond(b"POST", b"/reflect", br#"{"encodedBody": "AAE=", "headers": {"Content-Type": "a/b"}}"#);
        assert_eq!((encoded.status, encoded.body.as_slice()), (200, b"\0\x01".as_slice()));
        assert_eq!(header(&encoded, "Content-Type"), Some("a/b"));
    }

    #[test]
    fn it_refuses_what_it_cannot_say() {
        for told in ["", "{", r#"{"status": 99}"#, r#"{"status": 600}"#, r#"{"encodedBody": "*"}"#] {
            assert_eq!(respond(b"POST", b"/reflect", told.as_bytes()).status, 400, "{told}");
        }
    }

    #[test]
    fn anything_else_is_an_empty_success() {
        for (method, target) in [("GET", "/reflect"), ("POST", "/reflected"), ("DELETE", "*")] {
            let response = respond(method.as_bytes(), target.as_bytes(), b"{\"status\": 500}");
            assert_eq!((response.status, response.body.len()), (200, 0), "{method} {target}");
        }
    }

    #[test]
    fn the_type_of_a_body_is_guessed() {
        for (body, media_type) in [
            ("<html><head>", "text/html; charset=utf-8"),
            (" \n<!-- x", "text/html; charset=utf-8"),
            ("<abbr>", "text/plain; charset=utf-8"),
            ("<?php", "text/plain; charset=utf-8"),
            ("<?xml version", "text/xml; charset=utf-8"),
            ("a\0", "application/octet-stream"),
        ] {
            assert_eq!(sniff(body.as_bytes()), media_type, "{body}");
        }
    }
}
