//! An event as rules see it: its own fields, and those that are worked out of them.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};
use serde_json::Value;

use crate::{
    finding::Moment,
    written::{Class, Service},
};

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

    /// The part of the gateway that it is from: `bartizan.service`.
    pub(crate) fn service(&self) -> Option<Service> {
        self.event.get("bartizan")?.get("service")?.as_str().and_then(Service::parse)
    }

    /// Whether a web server would have written a line about it. Each request is one event of this class, whatever was
    /// found about it; what the audit trail tells of a refusal has the class too, but no path.
    pub(crate) fn is_request(&self) -> bool {
        let class = self.event.get("class_uid").and_then(Value::as_u64);
        let path = |event: &Value| event.get("http_request")?.get("url")?.get("path").map(Value::is_string);
        class == Some(Class::HttpActivity.number()) && path(self.event) == Some(true)
    }

    /// `metadata.uid`.
    pub(crate) fn id(&self) -> Option<&'a str> {
        self.event.get("metadata")?.get("uid")?.as_str()
    }

    /// The field as text, `None` where it is absent, null, an object or a list of several; a list of one is its member.
    pub(crate) fn text(&self, path: &str) -> Option<Cow<'_, str>> {
        text(self.get_field(path)?)
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
            _ => descend(self.event, path),
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

/// What stands at a path. Where lists are on the way, what stands there in each of their members.
fn descend<'a>(value: &'a Value, path: &str) -> Option<EventValue<'a>> {
    if let Value::Array(members) = value {
        let found: Vec<_> = members.iter().filter_map(|member| descend(member, path)).collect();
        return (!found.is_empty()).then_some(EventValue::Array(found));
    }
    match path.split_once('.') {
        Some((name, rest)) => descend(value.get(name)?, rest),
        None => value.get(path).map(EventValue::from),
    }
}

fn text(value: EventValue<'_>) -> Option<Cow<'_, str>> {
    match value {
        EventValue::Str(text) => Some(text),
        EventValue::Int(number) => Some(number.to_string().into()),
        EventValue::Float(number) => Some(number.to_string().into()),
        EventValue::Bool(truth) => Some(truth.to_string().into()),
        EventValue::Array(members) => <[_; 1]>::try_from(members).ok().and_then(|[member]| text(member)),
        EventValue::Null | EventValue::Map(_) => None,
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
        assert_eq!(seen.text("actor.user.uid"), None);
        assert_eq!(seen.as_log_line().text("actor.user.uid").as_deref(), Some("-"));
        assert_eq!(seen.as_log_line().text("http_response.code").as_deref(), Some("200"));
        assert_eq!(seen.number("http_response.code"), Some(200));
    }

    #[test]
    fn lists_are_gone_through() {
        let event = |uids: &[&str]| {
            let resources: Vec<_> = uids.iter().map(|uid| json!({ "uid": uid })).collect();
            json!({ "resources": resources })
        };
        let text =
            |event: &Value| Observed::new(event, MONDAY_NIGHT, 0).text("resources.uid").map(Cow::into_owned);
        assert_eq!(text(&event(&["key-7"])).as_deref(), Some("key-7"));
        // Two are no one value to group by, but each of them is compared.
        let two = event(&["key-7", "key-8"]);
        assert_eq!(text(&two), None);
        let Some(EventValue::Array(found)) = Observed::new(&two, MONDAY_NIGHT, 0).find("resources.uid")
        else {
            panic!("no list")
        };
        assert_eq!(found.len(), 2);
        assert_eq!(text(&event(&[])), None);
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
