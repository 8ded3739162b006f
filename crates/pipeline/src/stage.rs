//! The stages, one file each: what it decides, when, at what cost, and what it does when it errs.

pub(crate) mod authenticate;
pub(crate) mod authorize;
pub(crate) mod body;
pub(crate) mod cross_origin;
pub(crate) mod inspect;
pub(crate) mod limit;
pub(crate) mod protocol;
pub(crate) mod reputation;
pub(crate) mod route;

use bartizan_model::Line;

use crate::Reason;

/// A stage has found nothing against the request.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) reason: Reason,
    pub(crate) line: Line,
    /// Whether it had nothing to do, so that the clock need not be read for it.
    pub(crate) at_once: bool,
}

impl Passed {
    pub(crate) fn because(reason: impl Into<Reason>, line: Line) -> Self {
        Self { reason: reason.into(), line, at_once: false }
    }

    /// There was nothing to do.
    pub(crate) fn at_once(reason: &'static str, line: Line) -> Self {
        Self { reason: reason.into(), line, at_once: true }
    }
}
