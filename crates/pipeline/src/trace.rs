//! What every stage leaves behind, for `bartizan explain`.

use std::{fmt, sync::Arc, time::Duration};

use bartizan_model::Line;
use smallvec::SmallVec;

/// The steps of one request, in the order they were taken.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    steps: SmallVec<[Step; 10]>,
}

/// One stage's line.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which stage.
    pub stage: Stage,
    /// What it decided.
    pub outcome: Outcome,
    /// Why, for the operator; never shown to the client.
    pub reason: Reason,
    /// The configuration line that caused it.
    pub line: Line,
    /// How long it took; zero for a stage that had nothing to do.
    pub took: Duration,
}

/// Words for the operator; cheap to make on the road, where most are fixed or shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Fixed.
    Fixed(&'static str),
    /// Made once, or for this request.
    Shared(Arc<str>),
}

/// The stages, in the order of the road.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Well-formed, unambiguous, within limits.
    Protocol,
    /// Which route.
    Route,
    /// Blocked or allowed addresses.
    Reputation,
    /// CORS preflights.
    CrossOrigin,
    /// How much, before it is known who asks.
    CoarseLimit,
    /// Who it is.
    Authenticate,
    /// How much, of whoever asks.
    FineLimit,
    /// What they may do.
    Authorize,
    /// The request body, held or streamed.
    Body,
    /// The firewall's rules.
    Inspect,
    /// The service behind.
    Upstream,
    /// The response on its way out.
    Response,
}

/// What a stage decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Went on.
    Passed,
    /// Refused.
    Denied,
    /// Answered the request itself.
    Answered,
}

impl Trace {
    /// Adds a step.
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// The steps so far.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl Reason {
    /// The words.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Fixed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<&'static str> for Reason {
    fn from(text: &'static str) -> Self {
        Self::Fixed(text)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::Shared(text.into())
    }
}

impl From<Arc<str>> for Reason {
    fn from(text: Arc<str>) -> Self {
        Self::Shared(text)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Stage {
    /// Its name in logs, metrics and the admin API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Route => "route",
            Self::Reputation => "reputation",
            Self::CrossOrigin => "cross_origin",
            Self::CoarseLimit => "coarse_limit",
            Self::Authenticate => "authenticate",
            Self::FineLimit => "fine_limit",
            Self::Authorize => "authorize",
            Self::Body => "body",
            Self::Inspect => "inspect",
            Self::Upstream => "upstream",
            Self::Response => "response",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
