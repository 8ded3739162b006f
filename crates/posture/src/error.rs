//! What can go wrong.

use bartizan_events::EventError;

/// Why it cannot be said how the gateway stands.
#[derive(Debug, thiserror::Error)]
pub enum PostureError {
    /// The log of events does not answer, or not in time.
    #[error("the events cannot be counted: {0}")]
    Events(#[from] EventError),
    /// A period that is none, or that is too long.
    #[error("a report is about a time that ends after it begins, in at most 366 days")]
    Period,
    /// The thread that counted has failed inside.
    #[error("counting has failed inside: see the log")]
    Inside,
}
