//! What the road may answer.

use http::HeaderMap;

use crate::Refusal;

/// The outcome of [`crate::Pipeline::decide`].
#[derive(Debug)]
pub enum Verdict {
    /// Forward the request.
    Pass,
    /// Refuse it.
    Deny(Refusal),
    /// Answer it here.
    Answer(Preflight),
}

/// Why the road ended before its end.
#[derive(Debug)]
pub enum Stop {
    /// A stage refused.
    Denied(Refusal),
    /// A stage answered.
    Answered(Preflight),
}

/// The answer to a CORS preflight: 204 with these headers.
#[derive(Debug)]
pub struct Preflight {
    /// The `Access-Control-*` headers and `Vary`.
    pub headers: HeaderMap,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Denied(refusal)
    }
}
