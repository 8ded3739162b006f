//! How the gateway stands: how threatened it is, where it is weak, and what to tell people about both.
//!
//! - A threat level ([`Threat`]): a number from 0 to 100 with its [`Reason`]s, counted from events that lose weight as they
//!   grow old, beside what is usual. [`assess`] is a pure function of counts; [`Meter`] makes levels of numbers without
//!   going to and fro between two.
//! - Weaknesses ([`Weakness`]) that the gateway finds in itself: certificates and keys that end, accounts that nobody uses,
//!   routes without protection, parts that fail. [`weaknesses`] is a pure function of [`Facts`]. Each has the setting or
//!   the command that ends it.
//! - [`Monitor`] puts both together in a running gateway, counts every five seconds and scans every five minutes. What
//!   changes is an event, and a new state for whoever follows.
//! - [`SecurityReport`] says what happened between two moments, beside the time before; [`html`] makes one file of it.
//!
//! ```
//! use bartizan_posture::{Cause, Counts, Inputs, Recent, ThreatLevel, assess};
//! use bartizan_events::Severity;
//!
//! let mut inputs = Inputs::default();
//! let attacks = Recent { age: 0, severity: Severity::Medium, count: 1000 };
//! inputs.set(Cause::Attacks, Counts { recent: vec![attacks], ..Counts::default() });
//! let assessment = assess(&inputs);
//! assert_eq!((assessment.score, ThreatLevel::of(assessment.score)), (34, ThreatLevel::Elevated));
//! assert_eq!(assessment.reasons[0].cause, Cause::Attacks);
//! ```
//!
//! # Limits
//!
//! - What is counted is what this gateway's log of events has; others have a level of their own.
//! - Every question has a deadline, and every list an end: fifty weaknesses of a kind, ten values of a ranking, a year for
//!   a report. What could not be read stands in the report.
//! - A level is a convention, not a measurement. It refuses nobody.
//!
//! Metrics: `bartizan_threat_score`, `bartizan_weaknesses{severity}`.

mod assessed;
mod error;
mod level;
mod memory;
mod moment;
mod monitor;
mod recorded;
mod report;
mod scan;
mod standing;
mod statistics;
#[cfg(test)]
mod tests;
mod threat;

pub use error::PostureError;
pub use level::{Meter, Threat, ThreatLevel};
pub use moment::Moment;
pub use monitor::{Monitor, PulseFuture, SurveyFuture, Surveyed};
pub use report::{
    ConfigurationEvent, Difference, LevelChange, NotableEvent, Period, ReportLimits, ReportPeople,
    ReportPoint, ReportRisk, ReportStatistics, ReportSystems, ReportThreats, ReportedCount, SecurityReport,
    System, Wanted, html, make,
};
pub use scan::{Check, Disk, Facts, Weakness, configured, weaknesses};
pub use standing::{LimitsSeen, Part, PartHealth, Posture, Pulse, Recommendation};
pub use statistics::{EventStatistics, KindCount};
pub use threat::{Assessment, Cause, Counts, Inputs, Reason, Recent, assess};
