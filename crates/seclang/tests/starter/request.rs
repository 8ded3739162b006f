//! A request as both kinds of test write it, and what the rules answer.

use std::{collections::BTreeMap, sync::Arc};

use bartizan_seclang::{Connection, RuleSet, Transaction};

use super::super::DETECTING;

pub(crate) type Headers = BTreeMap<String, String>;

/// One request, its body as it goes over the wire.
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Headers,
    body: String,
}

/// What the rules say to it.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The rules that detect something and did.
    pub(crate) rules: Vec<u64>,
    /// The anomaly score.
    pub(crate) score: u32,
    pub(crate) refused: bool,
}

impl Request {
    /// `body` is what a file of tests says: there, a form of several parts ends its lines as the file does.
    pub(crate) fn of(method: &str, target: &str, mut headers: Headers, body: &str) -> Self {
        let multipart = headers.get("Content-Type").is_some_and(|value| value.starts_with("multipart/"));
        let body = if multipart { body.replace('\n', "\r\n") } else { body.to_owned() };
        headers.entry("Host".to_owned()).or_insert_with(|| "shop.example.com".to_owned());
        if !body.is_empty() {
            headers.insert("Content-Length".to_owned(), body.len().to_string());
        }
        Self { method: method.to_owned(), target: target.to_owned(), headers, body }
    }

    /// Shows it to the rules; `variables` are set before they begin.
    pub(crate) fn send(&self, rules: &Arc<RuleSet>, variables: &[(&str, &str)]) -> Answer {
        let connection =
            Connection { client: ([203, 0, 113, 7], 41_000).into(), server: ([192, 0, 2, 1], 443).into() };
        let mut transaction = Transaction::new(Arc::clone(rules), connection, "test");
        for (name, value) in variables {
            transaction.set_tx(name, value);
        }
        transaction.request_line(self.method.as_bytes(), self.target.as_bytes(), b"HTTP/1.1");
        for (name, value) in &self.headers {
            transaction.request_header(name.as_bytes(), value.as_bytes());
        }
        let refused = transaction.request_headers_done().is_some()
            || transaction.request_body(self.body.as_bytes()).is_some()
            || transaction.request_body_done().is_some();
        let matches = transaction.matches().iter().map(|found| found.rule);
        let score = transaction.variable("TX.blocking_inbound_anomaly_score");
        let score = score.and_then(|score| String::from_utf8(score).ok()?.parse().ok());
        Answer {
            rules: matches.filter(|rule| DETECTING.contains(rule)).collect(),
            score: score.unwrap_or_default(),
            refused,
        }
    }
}
