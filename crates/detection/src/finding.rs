//! What a rule found.

use std::sync::Arc;

use serde::Serialize;

use crate::rule::Rule;

/// A point in time: milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

/// A rule that holds, and for whom.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Which rule, with its author's name.
    pub rule: Arc<Rule>,
    /// What of the last event made the rule's condition hold, by field, in the order of their names. At most 20.
    pub matched: Vec<Matched>,
    /// Of a correlation: the fields it groups by, and their values here, in its order.
    pub group: Vec<Matched>,
    /// How many: events, distinct values, rules, or the sum or average; 1 for a rule of one event. Where a correlation
    /// counts events or values it holds no more than it needs, so this is what there were at least.
    pub count: u64,
    /// When the first of them happened that is still held.
    pub first: Moment,
    /// When the last of them happened.
    pub last: Moment,
    /// The ids of the last events that count (`metadata.uid`), in their order. At most 20.
    pub events: Vec<Arc<str>>,
}

/// A field of an event and its value, shortened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Matched {
    /// Its path, `src_endpoint.ip`.
    pub field: String,
    /// Its value as text. At most 256 bytes.
    pub value: String,
}

/// How many events a finding names.
pub(crate) const MAX_EVENTS: usize = 20;
/// How many fields a finding shows.
pub(crate) const MAX_MATCHED: usize = 20;
/// How much of a value is kept, in bytes. Two longer values that begin alike count as one.
pub(crate) const MAX_VALUE: usize = 256;

/// The beginning of `text`, cut between two characters.
pub(crate) fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_VALUE)).unwrap_or(text)
}
