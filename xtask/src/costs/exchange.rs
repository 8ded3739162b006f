//! The exchanges that are measured.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use super::{
    adversarial::{self, Adversarial, Random},
    report::Kind,
    request::Request,
};

const GET: &str = include_str!("../../../bench/waf/requests/get.http");
const JSON: &str = include_str!("../../../bench/waf/requests/json.http");
const SQL_INJECTION: &str = include_str!("../../../bench/waf/requests/sql-injection.http");
const SCRIPT: &str = include_str!("../../../bench/waf/requests/cross-site-scripting.http");
const TRAVERSAL: &str = include_str!("../../../bench/waf/requests/path-traversal.http");

pub(crate) struct Exchange {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) kind: Kind,
    pub(crate) request: Request,
    /// What the speed is of.
    pub(crate) bytes: usize,
}

impl Exchange {
    fn new(name: &'static str, title: &'static str, kind: Kind, request: Request) -> Self {
        Self { name, title, kind, bytes: request.body.len(), request }
    }

    pub(crate) fn is_adversarial(&self) -> bool {
        matches!(self.kind, Kind::AdversarialForm | Kind::AdversarialJson)
    }

    /// Whether somebody means it: by its name, or by that of all the adversarial ones.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        name == self.name || (name == "adversarial" && self.is_adversarial())
    }
}

pub(crate) fn all() -> Result<Vec<Exchange>> {
    let ordinary = |name, title, request| Exchange::new(name, title, Kind::Ordinary, request);
    let attack = |name, title, request| Exchange::new(name, title, Kind::Attack, request);
    let mut all = vec![
        ordinary("get", "`GET`, query, a browser's headers", Request::parse(GET)?),
        ordinary("json", "`POST` of 1 KB JSON, 32 values", Request::parse(JSON)?),
        ordinary("json-64k", "`POST` of 64 KB JSON, 600 values", reviews()),
        ordinary("form-1m", "`POST` of a 1 MB form, 64 fields", chapters()),
        ordinary("upload-10m", "upload of a 10 MB file", upload()),
        attack("sql-injection", "SQL injection in a query, refused", Request::parse(SQL_INJECTION)?),
        attack("cross-site-scripting", "cross-site scripting in a form, refused", Request::parse(SCRIPT)?),
        attack("path-traversal", "path traversal in a query, refused", Request::parse(TRAVERSAL)?),
    ];
    all.extend(adversarial::all().into_iter().flat_map(both));
    Ok(all)
}

fn both(adversarial: Adversarial) -> [Exchange; 2] {
    let Adversarial { name, title, form, json, bytes } = adversarial;
    [
        Exchange { name, title, kind: Kind::AdversarialForm, request: form, bytes },
        Exchange { name, title, kind: Kind::AdversarialJson, request: json, bytes },
    ]
}

const TEXT: &str = "The garden was quiet that morning, and the first light came slowly over the hill. Anna had put the \
    kettle on and opened the window; it smelled of rain and apples. She read the letter twice, folded it and went out \
    to look after the bees, who had been awake for hours. ";

fn text(length: usize) -> String {
    TEXT.chars().cycle().take(length).collect()
}

/// A hundred reviews, six values each.
fn reviews() -> Request {
    let review = |number: u32| {
        json!({
            "id": 48_000 + number,
            "author": format!("Reader {number}"),
            "rating": number % 5 + 1,
            "verified": number.is_multiple_of(3),
            "written": "2026-03-01T09:30:00Z",
            "text": text(540),
        })
    };
    Request::json(&(0..100).map(review).collect())
}

/// A manuscript that somebody puts into a form.
fn chapters() -> Request {
    let fields: Vec<_> = (1..=64).map(|number| (format!("chapter{number}"), text(14_500))).collect();
    let fields: Vec<_> = fields.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
    Request::form(&fields)
}

/// A photograph with three fields about it.
fn upload() -> Request {
    const LENGTH: usize = 10 << 20;
    const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    let mut body = String::new();
    for (name, value) in [("title", "The garden in March"), ("album", "17"), ("public", "true")] {
        // Writing into a `String` cannot fail.
        let _ = write!(
            body,
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    let _ = write!(
        body,
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"garden.jpg\"\r\n\
         Content-Type: image/jpeg\r\n\r\n"
    );
    let mut body = body.into_bytes();
    let mut random = Random::default();
    body.extend(std::iter::repeat_with(|| random.next().to_le_bytes()).take(LENGTH / 8).flatten());
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Request::post(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
}
