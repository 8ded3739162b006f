//! The forms that receivers read: pure functions of a [`Shown`](crate::Shown) event.
//!
//! Attackers choose much of what stands in an event. Each form has its own escapes, and each is tested with what a parser
//! of somebody else reads back.

pub mod cef;
pub mod ecs;
pub mod leef;
pub mod otlp;
pub mod syslog;

use bartizan_events::Severity;

/// What products of others call this one.
pub(crate) const PRODUCT: &str = "Bartizan";
/// Its version.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How bad something is on the scale of CEF and LEEF, 0 to 10.
pub(crate) const fn out_of_ten(severity: Severity) -> u8 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// The first so many bytes, to the last whole character.
pub(crate) fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}
