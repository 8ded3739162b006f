//! An event as receivers are shown it: in the shape of OCSF, with or without what is personal.

use std::net::IpAddr;

use bartizan_events::{Class, Decision, Event, Kind, Outcome, Severity, masked};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An event as receivers are shown it. What is said of a person stands in [`Shown::ocsf`] only, so masking that masks
/// everything.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id (`metadata.uid`), by which doubles are recognised.
    pub id: String,
    /// When it happened, in milliseconds since 1970.
    pub milliseconds: u64,
    /// What it is.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// What the gateway made of it.
    pub decision: Decision,
    /// How it went.
    pub outcome: Option<Outcome>,
    /// The whole of it.
    pub ocsf: Value,
}

impl Shown {
    /// As it is, or with `***` in place of what is personal.
    pub fn new(event: &Event, is_masked: bool) -> Self {
        let ocsf = event.ocsf();
        Self {
            id: event.id.to_string(),
            milliseconds: event.id.milliseconds(),
            kind: event.kind,
            severity: event.severity,
            decision: event.decision,
            outcome: event.details.outcome,
            ocsf: if is_masked { masked(ocsf) } else { ocsf },
        }
    }

    /// The class it is written as.
    pub fn class(&self) -> Class {
        self.kind.class()
    }

    /// The value at a path of OCSF, steps parted by dots.
    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.ocsf, |value, step| value.get(step))
    }

    /// The text there.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// The address there. A masked one is none.
    pub(crate) fn address(&self, path: &str) -> Option<IpAddr> {
        self.text(path)?.parse().ok()
    }

    /// The texts of the list there.
    pub(crate) fn texts(&self, path: &str) -> Vec<&str> {
        self.at(path).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Who did it, or whom it is about.
    pub(crate) fn user(&self) -> Option<&str> {
        self.text("actor.user.uid").or_else(|| self.text("user.uid"))
    }

    /// Path and query as they were asked for.
    pub(crate) fn target(&self) -> Option<String> {
        let path = self.text("http_request.url.path")?;
        Some(match self.text("http_request.url.query_string") {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        })
    }

    /// When it happened (RFC 3339, in UTC, with milliseconds).
    pub(crate) fn timestamp(&self) -> String {
        let nanoseconds = i128::from(self.milliseconds) * 1_000_000;
        let moment =
            OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        moment.format(&Rfc3339).unwrap_or_default()
    }
}
