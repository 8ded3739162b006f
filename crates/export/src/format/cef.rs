//! The Common Event Format, revision 26: a header between pipes and pairs behind it.
//!
//! Names of pairs are those of its dictionary; what has none there stands in the custom strings, each with its label. Line
//! ends are written `\n` and `\r`, as its authors say; other control characters have no escape there and become spaces.

use std::fmt::Write as _;

use serde_json::Value;

use super::{PRODUCT, VERSION, cut, out_of_ten};
use crate::Shown;

/// The dictionary's limit of most texts.
const LONGEST: usize = 1023;
const LONGEST_NAME: usize = 512;

/// The event as one line.
pub fn line(event: &Shown) -> String {
    let mut line = format!(
        "CEF:0|{PRODUCT}|{PRODUCT}|{}|{}|{}|{}|",
        header(VERSION),
        event.kind.as_str(),
        header(cut(name(event), LONGEST_NAME)),
        out_of_ten(event.severity),
    );
    pairs(event, &mut line);
    // Each pair ends with a space; there is one at least, and none behind the last.
    line.pop();
    line
}

/// What a person reads first: the title of a rule, or what happened.
fn name(event: &Shown) -> &str {
    event.text("finding_info.title").unwrap_or(event.kind.as_str())
}

fn pairs(event: &Shown, line: &mut String) {
    let mut put = |name: &str, value: &str| {
        // Parsers take what follows an empty value for it.
        if !value.is_empty() {
            // INVARIANT: writing to a string does not fail.
            let _ = write!(line, "{name}={} ", extension(cut(value, LONGEST)));
        }
    };
    put("rt", &event.milliseconds.to_string());
    put("externalId", &event.id);
    put("cat", event.class().as_str());
    put("act", event.decision.as_str());
    match event.address("src_endpoint.ip") {
        Some(std::net::IpAddr::V4(address)) => put("src", &address.to_string()),
        Some(std::net::IpAddr::V6(address)) => {
            put("c6a2", &address.to_string());
            put("c6a2Label", "Source IPv6 Address");
        }
        None => {}
    }
    for (name, path) in [
        ("suid", "actor.user.uid"),
        ("duid", "user.uid"),
        ("dhost", "http_request.url.hostname"),
        ("app", "http_request.url.scheme"),
        ("requestMethod", "http_request.http_method"),
        ("requestClientApplication", "http_request.user_agent"),
        ("requestContext", "http_request.referrer"),
        ("reason", "bartizan.reason"),
        ("msg", "message"),
    ] {
        if let Some(text) = event.text(path) {
            put(name, text);
        }
    }
    if let Some(target) = event.target() {
        put("request", &target);
    }
    if let Some(outcome) = event.outcome {
        put("outcome", if outcome == bartizan_events::Outcome::Success { "success" } else { "failure" });
    }
    let mut custom = |field: &str, label: &str, value: Option<String>| {
        if let Some(value) = value {
            put(field, &value);
            put(&format!("{field}Label"), label);
        }
    };
    let text = |path| event.text(path).map(ToOwned::to_owned);
    let number = |path| event.at(path).filter(|value| value.is_number()).map(Value::to_string);
    let joined = |list: Vec<&str>| (!list.is_empty()).then(|| list.join(","));
    custom("cs1", "route", text("bartizan.route"));
    custom("cs2", "organization", text("bartizan.organization"));
    custom("cs3", "rules", joined(event.texts("bartizan.rules")));
    custom("cs4", "stage", text("bartizan.stage"));
    custom("cs5", "request", text("metadata.correlation_uid"));
    custom("cs6", "techniques", joined(techniques(event)));
    custom("cn1", "status", number("http_response.code"));
    custom("cn2", "score", number("bartizan.score"));
}

/// Techniques of MITRE ATT&CK that a finding is about.
pub(crate) fn techniques(event: &Shown) -> Vec<&str> {
    let attacks = event.at("finding_info.attacks").and_then(Value::as_array).into_iter().flatten();
    attacks.filter_map(|attack| attack.get("technique")?.get("uid")?.as_str()).collect()
}

/// A field of the header: pipes and backslashes are escaped, lines have no place.
pub(crate) fn header(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '|' | '\\' => escaped.extend(['\\', character]),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The value of a pair: backslashes, equals signs and line ends are escaped.
pub(crate) fn extension(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '=' | '\\' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
