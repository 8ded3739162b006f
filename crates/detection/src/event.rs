//! An event as rules see it: its own fields, and those that are worked out of them.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use crate::finding::Moment;

/// The path and query as they were asked for, `/search?q=%27`. Nothing in it is decoded.
pub(crate) const TARGET: &str = "http_request.target";
/// The hour of the event where the gateway's people are, from 0 to 23.
pub(crate) const HOUR: &str = "local_time.hour";
/// The day of the event there, `monday`.
pub(crate) const WEEKDAY: &str = "local_time.weekday";
/// What all of them are called.
pub(crate) const DERIVED: [&str; 3] = [TARGET, HOUR, WEEKDAY];

/// How deep an event is searched for a keyword.
const MAX_DEPTH: usize = 16;
const DAYS: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];

/// Which part of the gateway an event is about: Sigma's `service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Gateway,
    Accounts,
    Admin,
}

impl Service {
    /// Every name that `bartizan.event` can have, with the part that it belongs to.
    pub(crate) const EVENTS: [(&str, Self); 34] = [
        ("request_allowed", Self::Gateway),
        ("request_refused", Self::Gateway),
        ("request_challenged", Self::Gateway),
        ("rate_limit_exceeded", Self::Gateway),
        ("attack_detected", Self::Gateway),
        ("upstream_failed", Self::Gateway),
        ("permission_denied", Self::Gateway),
        ("authentication_succeeded", Self::Accounts),
        ("authentication_failed", Self::Accounts),
        ("credential_stuffing_detected", Self::Accounts),
        ("session_started", Self::Accounts),
        ("session_ended", Self::Accounts),
        ("session_moved", Self::Accounts),
        ("token_issued", Self::Accounts),
        ("token_refused", Self::Accounts),
        ("token_reused", Self::Accounts),
        ("token_revoked", Self::Accounts),
        ("key_used_first_from_address", Self::Accounts),
        ("account_paused", Self::Accounts),
        ("password_changed", Self::Accounts),
        ("password_reset_requested", Self::Accounts),
        ("factor_changed", Self::Accounts),
        ("role_changed", Self::Accounts),
        ("account_created", Self::Accounts),
        ("account_changed", Self::Accounts),
        ("account_deleted", Self::Accounts),
        ("key_created", Self::Admin),
        ("key_rotated", Self::Admin),
        ("key_suspended", Self::Admin),
        ("key_changed", Self::Admin),
        ("key_revoked", Self::Admin),
        ("administrative_action", Self::Admin),
        ("configuration_changed", Self::Admin),
        ("configuration_refused", Self::Admin),
    ];

    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "gateway" => Some(Self::Gateway),
            "accounts" => Some(Self::Accounts),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// An event, at its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Observed<'a> {
    event: &'a Value,
    /// Seconds since 1970 on the clocks of the gateway's people.
    local: i64,
    /// Whether an absent field reads `-`, as the logs of web servers write it.
    is_log_line: bool,
}

impl<'a> Observed<'a> {
    /// `offset` is that of local time to UTC, in minutes.
    pub(crate) fn new(event: &'a Value, time: Moment, offset: i16) -> Self {
        let local = time.0.div_euclid(1000).saturating_add(i64::from(offset) * 60);
        Self { event, local, is_log_line: false }
    }

    /// The same as a line of a web server's log.
    pub(crate) fn as_log_line(self) -> Self {
        Self { is_log_line: true, ..self }
    }

    /// What happened: `bartizan.event`.
    pub(crate) fn name(&self) -> Option<&'a str> {
        self.event.get("bartizan")?.get("event")?.as_str()
    }

    /// The part of the gateway that it is about.
    pub(crate) fn service(&self) -> Option<Service> {
        let name = self.name()?;
        Service::EVENTS.iter().find(|(known, _)| *known == name).map(|&(_, service)| service)
    }

    /// Whether a web server would have written a line about it: each request ends with one of these.
    pub(crate) fn is_request(&self) -> bool {
        matches!(self.name(), Some("request_allowed" | "request_refused" | "request_challenged"))
    }

    /// `metadata.uid`.
    pub(crate) fn id(&self) -> Option<&'a str> {
        self.event.get("metadata")?.get("uid")?.as_str()
    }

    /// The field as text, `None` where it is absent, null, a list or an object.
    pub(crate) fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        match self.get_field(path)? {
            EventValue::Str(text) => Some(text),
            EventValue::Int(number) => Some(number.to_string().into()),
            EventValue::Float(number) => Some(number.to_string().into()),
            EventValue::Bool(truth) => Some(truth.to_string().into()),
            EventValue::Null | EventValue::Array(_) | EventValue::Map(_) => None,
        }
    }

    /// The field as a whole number.
    pub(crate) fn number(&self, path: &str) -> Option<u64> {
        match self.get_field(path)? {
            EventValue::Int(number) => number.try_into().ok(),
            EventValue::Str(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn target(&self) -> Option<String> {
        let url = self.event.get("http_request")?.get("url")?;
        let path = url.get("path")?.as_str()?;
        match url.get("query_string").and_then(Value::as_str) {
            Some(query) if !query.is_empty() => Some(format!("{path}?{query}")),
            _ => Some(path.to_owned()),
        }
    }

    fn find(&self, path: &str) -> Option<EventValue<'a>> {
        match path {
            TARGET => self.target().map(|target| EventValue::Str(target.into())),
            HOUR => Some(EventValue::Int(self.local.rem_euclid(86_400) / 3_600)),
            WEEKDAY => {
                let day = usize::try_from(self.local.div_euclid(86_400).rem_euclid(7)).ok()?;
                DAYS.get(day).map(|&day| EventValue::Str(day.into()))
            }
            _ => path.split('.').try_fold(self.event, |value, name| value.get(name)).map(EventValue::from),
        }
    }
}

impl Event for Observed<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        match self.find(path) {
            None if self.is_log_line => Some(EventValue::Str("-".into())),
            found => found,
        }
    }

    fn any_string_value(&self, holds: &dyn Fn(&str) -> bool) -> bool {
        any(self.event, holds, MAX_DEPTH)
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        gather(self.event, &mut texts, MAX_DEPTH);
        texts
    }

    fn to_json(&self) -> Value {
        self.event.clone()
    }
}

fn any(value: &Value, holds: &dyn Fn(&str) -> bool, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match value {
        Value::String(text) => holds(text),
        Value::Array(items) => items.iter().any(|item| any(item, holds, depth)),
        Value::Object(members) => members.values().any(|member| any(member, holds, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn gather<'a>(value: &'a Value, texts: &mut Vec<Cow<'a, str>>, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => texts.push(text.into()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, texts, depth)),
        Value::Object(members) => members.values().for_each(|member| gather(member, texts, depth)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Monday, 2026-03-02 at 23:30 UTC.
    const MONDAY_NIGHT: Moment = Moment(1_772_494_200_000);

    #[test]
    fn local_time_is_the_events() {
        let event = json!({});
        let cases = [(0, "23", "monday"), (60, "0", "tuesday"), (-90, "22", "monday"), (45, "0", "tuesday")];
        for (offset, hour, day) in cases {
            let seen = Observed::new(&event, MONDAY_NIGHT, offset);
            assert_eq!(seen.text(HOUR).as_deref(), Some(hour), "{offset}");
            assert_eq!(seen.text(WEEKDAY).as_deref(), Some(day), "{offset}");
        }
        let before = Observed::new(&event, Moment(-1), 0);
        assert_eq!(
            (before.text(HOUR).as_deref(), before.text(WEEKDAY).as_deref()),
            (Some("23"), Some("wednesday"))
        );
    }

    #[test]
    fn targets_stay_encoded() {
        let event = json!({ "http_request": { "url": { "path": "/a%2e", "query_string": "q=%27" } } });
        assert_eq!(Observed::new(&event, MONDAY_NIGHT, 0).text(TARGET).as_deref(), Some("/a%2e?q=%27"));
        let event = json!({ "http_request": { "url": { "path": "/a", "query_string": "" } } });
        assert_eq!(Observed::new(&event, MONDAY_NIGHT, 0).text(TARGET).as_deref(), Some("/a"));
    }

    #[test]
    fn what_a_web_server_does_not_know_is_a_dash() {
        let event = json!({ "http_response": { "code": 200 } });
        let seen = Observed::new(&event, MONDAY_NIGHT, 0);
        assert_eq!(seen.text("actor.user.name"), None);
        assert_eq!(seen.as_log_line().text("actor.user.name").as_deref(), Some("-"));
        assert_eq!(seen.as_log_line().text("http_response.code").as_deref(), Some("200"));
        assert_eq!(seen.number("http_response.code"), Some(200));
    }

    #[test]
    fn keywords_are_not_sought_without_end() {
        let nested = |depth| (0..depth).fold(json!("needle"), |inner, _| json!([inner]));
        for (depth, is_found) in [(0, true), (15, true), (16, false)] {
            let event = nested(depth);
            let seen = Observed::new(&event, MONDAY_NIGHT, 0);
            assert_eq!(seen.any_string_value(&|text| text == "needle"), is_found, "{depth}");
            assert_eq!(seen.all_string_values().len(), usize::from(is_found), "{depth}");
        }
    }
}
