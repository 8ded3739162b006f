//! What can be asked about alerts, and what is answered.

use bartizan_events::Severity;

use crate::{Alert, Moment, Reason, State};

/// Which alerts. What is empty asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this state.
    pub state: Option<State>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// Raised by the route with this name.
    pub route: Option<String>,
    /// For this organisation.
    pub organization: Option<String>,
    /// That this rule has found.
    pub rule: Option<String>,
    /// Those behind the alert with this id.
    pub after: Option<String>,
    /// How many at most.
    pub limit: u32,
}

/// Alerts that pass.
#[derive(Debug, Clone)]
pub struct Page {
    /// The newest first.
    pub alerts: Vec<Alert>,
    /// The last one's id, if there are more.
    pub next: Option<String>,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// `raised`, `told`, `repeated`, `escalated`, `acknowledged` or `resolved`.
    pub what: String,
    /// Who did it; empty: the gateway.
    pub who: String,
    /// What they say of it, or which channels were told.
    pub note: String,
}

/// A notification that did not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Which one.
    pub id: String,
    /// By which channel.
    pub channel: String,
    /// Of which alert.
    pub alert: String,
    /// Why somebody was to be told.
    pub reason: Reason,
    /// What it says, in a line.
    pub summary: String,
    /// When it was made.
    pub made: Moment,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it did not go.
    pub failure: String,
}
