//! The files `everyday.yaml` and `payloads.yaml`: short values, and the requests that carry them.

use std::{fmt::Write as _, path::Path};

use serde::{Deserialize, de::DeserializeOwned};

use super::request::{Headers, Request};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Everyday {
    /// What stands in fields.
    pub(crate) texts: Vec<String>,
    /// Paths with queries, as a browser writes them.
    urls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payloads {
    pub(crate) payloads: Vec<String>,
}

impl Everyday {
    pub(crate) fn read(path: &Path) -> Self {
        read(path)
    }

    /// Each text and each address, with the requests it stands in.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&str, Vec<Request>)> {
        let texts = self.texts.iter().map(|text| {
            let mut requests = as_value(text);
            requests.push(came_from(&format!("/search?q={}&page=2", encoded(text))));
            (text.as_str(), requests)
        });
        let urls = self.urls.iter().map(|url| (url.as_str(), vec![get(url), came_from(url)]));
        texts.chain(urls)
    }
}

impl Payloads {
    pub(crate) fn read(path: &Path) -> Self {
        read(path)
    }
}

/// As a parameter of a query, and as a field of JSON.
pub(crate) fn as_value(text: &str) -> Vec<Request> {
    let json = serde_json::json!({ "text": text }).to_string();
    let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
    vec![
        get(&format!("/search?q={}", encoded(text))),
        Request::of("POST", "/api/notes", headers.into(), &json),
    ]
}

fn get(target: &str) -> Request {
    Request::of("GET", target, Headers::new(), "")
}

fn came_from(target: &str) -> Request {
    let referer = format!("https://shop.example.com{target}");
    Request::of("GET", "/next", [("Referer".to_owned(), referer)].into(), "")
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").unwrap(),
        }
    }
    encoded
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
