//! Tests in the format of go-ftw: requests, and the rules that are to match them.
//!
//! What the rules alone cannot answer (responses, texts of logs) and what is not known here (several `uris`, templates)
//! is an error of the file, so that nothing that a test asks for is passed over. Where go-ftw would encode the `data` of
//! a form, it is sent here as it stands.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, ensure};
use bartizan_pipeline::Inspection;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{is_refused, message::Message};

/// A file of tests.
#[derive(Debug)]
pub(super) struct Suite {
    pub(super) tests: Vec<Test>,
}

/// A test.
#[derive(Debug)]
pub(super) struct Test {
    /// Rule and number: `942100-3`.
    pub(super) name: String,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Document {
    rule_id: u64,
    tests: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    test_id: Option<u64>,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct Stage {
    input: Input,
    output: Output,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Input {
    /// Where to: the rules are here.
    #[serde(rename = "dest_addr")]
    _address: Option<String>,
    #[serde(rename = "port")]
    _port: Option<u16>,
    #[serde(rename = "protocol")]
    _protocol: Option<String>,
    method: Option<String>,
    uri: Option<String>,
    version: Option<String>,
    headers: BTreeMap<String, String>,
    data: Option<String>,
    /// The body, in base64.
    encoded_data: Option<String>,
    /// The whole request, in base64.
    encoded_request: Option<String>,
    autocomplete_headers: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Output {
    status: Option<u16>,
    log: Log,
    /// Work around a log that is written late.
    #[serde(rename = "retry_once")]
    _retry_once: bool,
    isolated: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Log {
    expect_ids: Vec<u64>,
    no_expect_ids: Vec<u64>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<Suite> {
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?;
    let document: Document =
        serde_saphyr::from_str(text).map_err(|error| anyhow!("it is no file of tests: {error}"))?;
    let tests = document.tests.into_iter().zip(1..).map(|(entry, place)| Test {
        name: format!("{}-{}", document.rule_id, entry.test_id.unwrap_or(place)),
        stages: entry.stages,
    });
    Ok(Suite { tests: tests.collect() })
}

impl Test {
    /// Shows its requests, and fails where one goes otherwise than it says.
    pub(super) fn run(&self, show: impl Fn(&Message) -> Result<Inspection>) -> Result<()> {
        self.stages.iter().try_for_each(|stage| stage.output.judge(&show(&stage.input.message()?)?))
    }
}

impl Input {
    fn message(&self) -> Result<Message> {
        ensure!(
            !self.data.as_ref().is_some_and(|data| data.contains("{{")),
            "templates in `data` are not known here"
        );
        if let Some(request) = &self.encoded_request {
            let bytes = BASE64_STANDARD.decode(request).context("`encoded_request` is not base64")?;
            return Message::parse(&bytes);
        }
        let mut body = match &self.encoded_data {
            Some(data) => BASE64_STANDARD.decode(data).context("`encoded_data` is not base64")?,
            None => self.data.clone().unwrap_or_default().into_bytes(),
        };
        let or = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.into());
        let method = or(&self.method, "GET");
        let mut head = format!("{method} {} {}\r\n", or(&self.uri, "/"), or(&self.version, "HTTP/1.1"));
        let mut headers = self.headers.clone();
        let has = |headers: &BTreeMap<String, String>, name: &str| {
            headers.keys().any(|other| other.eq_ignore_ascii_case(name))
        };
        let completes = self.autocomplete_headers.unwrap_or(true);
        if completes && !body.is_empty() && !has(&headers, "content-type") {
            headers.insert("Content-Type".into(), "application/x-www-form-urlencoded".into());
        }
        if headers.values().any(|value| value.to_lowercase().starts_with("multipart/form-data;")) {
            body = with_carriage_returns(&body);
        }
        let has_body = !body.is_empty() || ["POST", "PUT", "PATCH", "DELETE"].contains(&method.as_str());
        if completes && has_body && !has(&headers, "content-length") {
            headers.insert("Content-Length".into(), body.len().to_string());
        }
        if completes && !has(&headers, "connection") {
            headers.insert("Connection".into(), "close".into());
        }
        for (name, value) in &headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        Message::parse(&[head.into_bytes(), body].concat())
    }
}

/// As lines of a multipart body end.
fn with_carriage_returns(body: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(body.len());
    let mut last = 0;
    for &byte in body {
        if byte == b'\n' && last != b'\r' {
            lines.push(b'\r');
        }
        lines.push(byte);
        last = byte;
    }
    lines
}

impl Output {
    fn judge(&self, inspection: &Inspection) -> Result<()> {
        let matched: Vec<u64> = inspection.matched_ids().collect();
        let shown = || if matched.is_empty() { "none".to_owned() } else { format!("{matched:?}") };
        let Log { expect_ids, no_expect_ids } = &self.log;
        for id in expect_ids {
            ensure!(matched.contains(id), "rule {id} should match; matched: {}", shown());
        }
        for id in no_expect_ids {
            ensure!(!matched.contains(id), "rule {id} should not match");
        }
        let others = matched.iter().any(|id| !expect_ids.contains(id));
        ensure!(!self.isolated || !others, "other rules match, too: {}", shown());
        if let Some(status) = self.status {
            let refused = is_refused(inspection);
            let answer = if refused { 403 } else { 200 };
            ensure!(answer == status, "the answer should be {status} and is {answer}; matched: {}", shown());
        }
        Ok(())
    }
}
