//! What is answered.

use bartizan_events::{Bucket, Ranked, Unreadable};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Timestamp;

/// Events that were found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundEvents {
    /// In the shape of OCSF, with what only this gateway knows as `bartizan`.
    #[schema(value_type = Vec<Object>)]
    pub events: Vec<Value>,
    /// There are more behind this one: ask for them with `after`.
    pub next: Option<String>,
    /// What is missing in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<UnreadableEvents>,
}

/// What is missing in an answer: files or events that are damaged, or that another release has written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UnreadableEvents {
    /// The days whose file cannot be read, the oldest first.
    #[schema(example = json!(["2026-11-22"]))]
    pub days: Vec<String>,
    /// How many events of other days there are that cannot be read.
    pub events: u64,
}

impl UnreadableEvents {
    /// `None`: nothing is missing.
    pub(crate) fn of(unreadable: Unreadable) -> Option<Self> {
        let Unreadable { days, events } = unreadable;
        let is_something = !days.is_empty() || events > 0;
        is_something.then(|| Self { days, events: u64::try_from(events).unwrap_or(u64::MAX) })
    }
}

/// How many events there were.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventCounts {
    /// How many minutes are one piece of time.
    pub minutes: u32,
    /// The pieces of time that had any, the oldest first.
    pub counts: Vec<EventCount>,
    /// What is missing in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<UnreadableEvents>,
}

/// How many events of a type a piece of time had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventCount {
    /// When it begins.
    pub start: Timestamp,
    /// Of which type.
    #[serde(rename = "type")]
    #[schema(example = "request_refused")]
    pub kind: String,
    /// How bad.
    #[schema(example = "low")]
    pub severity: String,
    /// How many.
    pub count: u64,
}

impl From<Bucket> for EventCount {
    fn from(Bucket { start, kind, severity, count }: Bucket) -> Self {
        Self { start: start.into(), kind: kind.to_string(), severity: severity.to_string(), count }
    }
}

/// The values that most events have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankedEvents {
    /// The most frequent first. Beyond ten thousand values a day it is an estimate.
    pub values: Vec<RankedValue>,
    /// What is missing in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<UnreadableEvents>,
}

/// A value, and how many events have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankedValue {
    /// The value.
    #[schema(example = "203.0.113.7")]
    pub value: String,
    /// How many.
    pub count: u64,
}

impl From<Ranked> for RankedValue {
    fn from(Ranked { value, count }: Ranked) -> Self {
        Self { value, count }
    }
}
