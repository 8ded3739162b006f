//! The Log Event Extended Format of `QRadar`, version 2.0: a header between pipes and attributes between tabs.
//!
//! It has no escapes: what would end an attribute cannot stand in one. Control characters of a value, tabs and line ends
//! among them, become spaces; everything else stays.

use std::fmt::Write as _;

use serde_json::Value;

use super::{PRODUCT, VERSION, out_of_ten};
use crate::Shown;

/// The delimiter as the header writes it: a tab.
const DELIMITER: &str = "x09";

/// The event as one line.
pub fn line(event: &Shown) -> String {
    let mut line = format!("LEEF:2.0|{PRODUCT}|{PRODUCT}|{VERSION}|{}|{DELIMITER}|", event.kind.as_str());
    let mut is_first = true;
    let mut put = |name: &str, value: &str| {
        let delimiter = if std::mem::take(&mut is_first) { "" } else { "\t" };
        // INVARIANT: writing to a string does not fail.
        let _ = write!(line, "{delimiter}{name}={}", plain(value));
    };
    put("devTime", &event.milliseconds.to_string());
    put("cat", event.class().as_str());
    put("sev", &out_of_ten(event.severity).to_string());
    if let Some(address) = event.address("src_endpoint.ip") {
        put("src", &address.to_string());
    }
    if let Some(user) = event.user() {
        put("usrName", user);
    }
    if let Some(target) = event.target() {
        put("url", &target);
    }
    for (name, path) in ATTRIBUTES {
        match event.at(path) {
            Some(Value::String(text)) => put(name, text),
            Some(Value::Number(number)) => put(name, &number.to_string()),
            Some(Value::Array(_)) => put(name, &event.texts(path).join(",")),
            _ => {}
        }
    }
    line
}

/// Attributes and where their values stand. The first ones are of the format, the others our own.
const ATTRIBUTES: [(&str, &str); 16] = [
    ("policy", "bartizan.policy"),
    ("resource", "http_request.url.hostname"),
    ("userAgent", "http_request.user_agent"),
    ("referrer", "http_request.referrer"),
    ("method", "http_request.http_method"),
    ("status", "http_response.code"),
    ("uid", "metadata.uid"),
    ("requestId", "metadata.correlation_uid"),
    ("decision", "bartizan.decision"),
    ("reason", "bartizan.reason"),
    ("stage", "bartizan.stage"),
    ("route", "bartizan.route"),
    ("rules", "bartizan.rules"),
    ("organization", "bartizan.organization"),
    ("title", "finding_info.title"),
    ("message", "message"),
];

/// The value of an attribute.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
