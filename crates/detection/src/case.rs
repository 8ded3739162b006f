//! Tests of rules: events in a short form, and how often they are to fire.
//!
//! ```yaml
//! cases:
//!   - name: twelve failures within a minute
//!     events:
//!       - { at: 5m, times: 12, every: 5s, event: authentication_failed, actor.user.uid: ann, src_endpoint.ip: "192.0.2.{n}" }
//!     fires: 1
//! ```
//!
//! Times count from a Monday, 10:00 UTC. `{n}` is the number of the repetition, from 0; a value that is nothing else becomes
//! a number. All other members are paths into the event; `event` is short for `bartizan.event`, and gives the event its class
//! and its `bartizan.service`, unless that is written. What no such event has is refused: a case that makes up a field would
//! pass for a rule that can never fire.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    detector::{Detector, Settings, SigmaDetector},
    document::{self, RuleFile},
    error::DetectionError,
    finding::{Finding, Moment},
    rule_set::RuleSet,
    written::{self, FIELDS},
};

/// Monday, 2026-03-02, 10:00 UTC.
const BEGIN: i64 = 1_772_445_600_000;
/// The most events of a case.
const MAX_EVENTS: u64 = 20_000;

/// A file of cases.
#[derive(Debug, Clone)]
pub struct Cases {
    /// In their order.
    pub cases: Vec<Case>,
}

/// Events, and what rules are to make of them.
#[derive(Debug, Clone)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// In the order of their times.
    pub events: Vec<(Moment, Value)>,
    /// How many findings there are to be.
    pub fires: usize,
}

/// What came of a case.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// How many findings there were to be.
    pub expected: usize,
    /// What was found.
    pub findings: Vec<Finding>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    cases: Vec<WrittenCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCase {
    name: String,
    events: Vec<Map<String, Value>>,
    fires: usize,
}

impl Cases {
    /// Reads a file of cases; its name is for messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, DetectionError> {
        let refused = |reason: String| DetectionError::Cases { file: file.into(), reason };
        let written: Written = serde_saphyr::from_str(text).map_err(|error| refused(error.to_string()))?;
        let cases = written.cases.into_iter().map(|case| {
            let events =
                events(&case.events).map_err(|reason| refused(format!("`{}`: {reason}", case.name)))?;
            Ok(Case { name: case.name, events, fires: case.fires })
        });
        Ok(Self { cases: cases.collect::<Result<_, _>>()? })
    }

    /// Whether some of them are to fire and others are not.
    pub fn show_both(&self) -> bool {
        let fires = |case: &Case| case.fires > 0;
        self.cases.iter().any(fires) && !self.cases.iter().all(fires)
    }

    /// Reads a file of cases.
    pub fn read(path: &Path) -> Result<Self, DetectionError> {
        let text = document::read(path).map_err(|error| DetectionError::Read { path: path.into(), error })?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Shows each of them to `file`'s rules, which have seen nothing before; `others` hold the rules that it correlates and
    /// has not itself.
    pub fn run(&self, file: &RuleFile, others: &[RuleFile]) -> Result<Vec<Outcome>, DetectionError> {
        let alone = RuleSet::compile(std::slice::from_ref(file)).is_ok();
        let rules = if alone { std::slice::from_ref(file) } else { others };
        let run = |case: &Case| {
            let mut detector = SigmaDetector::new(RuleSet::compile(rules)?, Settings::default());
            let seen = case.events.iter().flat_map(|(time, event)| detector.observe(event, *time));
            let findings = seen.filter(|finding| finding.rule.file == file.name).collect();
            Ok(Outcome { name: case.name.clone(), expected: case.fires, findings })
        };
        self.cases.iter().map(run).collect()
    }
}

impl Outcome {
    /// Whether it went as it was to go.
    pub fn passed(&self) -> bool {
        self.findings.len() == self.expected
    }
}

/// The events of a case, written out.
fn events(written: &[Map<String, Value>]) -> Result<Vec<(Moment, Value)>, String> {
    let mut events = Vec::new();
    for short in written {
        let times = match short.get("times") {
            None => 1,
            Some(times) => {
                times.as_u64().filter(|times| *times > 0).ok_or("`times` is no number of events")?
            }
        };
        let (at, every) = (milliseconds(short, "at", 0)?, milliseconds(short, "every", 1000)?);
        let held = u64::try_from(events.len()).unwrap_or(u64::MAX);
        if held.saturating_add(times) > MAX_EVENTS {
            return Err(format!("it has more than {MAX_EVENTS} events"));
        }
        for number in 0..times {
            let passed = i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(every);
            let time = Moment(BEGIN.saturating_add(at).saturating_add(passed));
            events.push((time, event(short, number, time)?));
        }
    }
    events.sort_by_key(|(time, _)| *time);
    for (number, (_, event)) in events.iter_mut().enumerate() {
        put(event, "metadata.uid", json!(format!("event-{number}")))?;
    }
    Ok(events)
}

fn event(short: &Map<String, Value>, number: u64, time: Moment) -> Result<Value, String> {
    let name = short.get("event").or_else(|| short.get("bartizan.event"));
    let name = name.and_then(Value::as_str).ok_or("an event has no `event`, its name")?;
    let kind = written::of_name(name).ok_or_else(|| format!("no event is called `{name}`"))?;
    let own = json!({ "event": name, "service": kind.service.name() });
    let mut event = json!({ "time": time, "class_uid": kind.class.number(), "bartizan": own });
    for (name, value) in short {
        let path = match name.as_str() {
            "at" | "times" | "every" | "event" | "bartizan.event" => continue,
            path if !FIELDS.contains(&path) || !kind.class.has(path) => {
                return Err(format!("no `{}` has a field `{path}`", kind.name));
            }
            path => path,
        };
        let value = match value.as_str() {
            Some("{n}") => json!(number),
            Some(text) => json!(text.replace("{n}", &number.to_string())),
            None => value.clone(),
        };
        put(&mut event, path, value)?;
    }
    Ok(event)
}

fn put(event: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let mut place = event;
    for name in path.split('.') {
        let Value::Object(members) = place else { return Err(format!("`{path}` goes through a value")) };
        place = members.entry(name).or_insert_with(|| json!({}));
    }
    *place = value;
    Ok(())
}

/// A time like `90s`, `2h30m` or `6d`.
fn milliseconds(short: &Map<String, Value>, name: &str, default: i64) -> Result<i64, String> {
    let Some(value) = short.get(name) else { return Ok(default) };
    let wrong = || format!("`{name}` is no time like `90s`, `2h30m` or `6d`: `{value}`");
    let mut rest = value.as_str().filter(|text| !text.is_empty()).ok_or_else(wrong)?;
    let mut total = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|next: char| !next.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = rest.split_at(end);
        let (factor, length) = match unit {
            _ if unit.starts_with("ms") => (1, 2),
            _ if unit.starts_with('s') => (1_000, 1),
            _ if unit.starts_with('m') => (60_000, 1),
            _ if unit.starts_with('h') => (3_600_000, 1),
            _ if unit.starts_with('d') => (86_400_000, 1),
            _ => return Err(wrong()),
        };
        let number: i64 = number.parse().map_err(|_| wrong())?;
        total = total.saturating_add(number.saturating_mul(factor));
        rest = unit.get(length..).unwrap_or_default();
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(events: &str) -> Result<Vec<(Moment, Value)>, String> {
        let text = format!("cases: [{{ name: a, fires: 0, events: [{events}] }}]");
        let cases = Cases::parse("a.yml", &text).map_err(|error| error.to_string())?;
        Ok(cases.cases.into_iter().next().unwrap().events)
    }

    #[test]
    fn short_events_are_written_out() {
        let events = parse(
            "{ at: 2s, times: 2, every: 1m30s, event: session_moved, actor.user.uid: \"u{n}\", bartizan.score: \"{n}\" }, \
             { event: session_ended }",
        )
        .unwrap();
        let times: Vec<_> = events.iter().map(|(time, _)| time.0 - BEGIN).collect();
        assert_eq!(times, [0, 2_000, 92_000]);
        let expected = json!({
            "time": BEGIN + 92_000, "class_uid": 3002,
            "bartizan": { "event": "session_moved", "service": "accounts", "score": 1 },
            "actor": { "user": { "uid": "u1" } }, "metadata": { "uid": "event-2" },
        });
        assert_eq!(events[2].1, expected);
    }

    #[test]
    fn nonsense_is_refused() {
        for (events, expected) in [
            ("{ at: 5 }", "`at` is no time"),
            ("{ at: 5x }", "`at` is no time"),
            ("{ at: \"\" }", "`at` is no time"),
            ("{ times: 0 }", "`times` is no number"),
            ("{ times: 20001 }", "more than 20000 events"),
            ("{ at: 5s }", "an event has no `event`"),
            ("{ event: session_lost }", "no event is called `session_lost`"),
            (
                "{ event: session_moved, traffic.bytes_out: 5 }",
                "no `session_moved` has a field `traffic.bytes_out`",
            ),
            (
                "{ event: session_moved, http_response.code: 5 }",
                "no `session_moved` has a field `http_response.code`",
            ),
            ("{ event: session_moved, local_time.hour: 5 }", "no `session_moved` has a field"),
        ] {
            let error = parse(events).unwrap_err();
            assert!(error.contains(expected), "{events}: {error}");
        }
    }
}
