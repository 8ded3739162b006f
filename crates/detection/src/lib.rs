//! Detection rules: what many events mean together.
//!
//! The road decides about one request at a time. Rules of this room look at the events that it leaves behind, one after the
//! other, and find what no single request shows: passwords that are tried, an account that was taken over, a key that is
//! used from everywhere. Rules are written in [Sigma](https://sigmahq.io/), conditions and correlations alike.
//!
//! ```
//! use bartizan_detection::{Detector, Moment, RuleFile, RuleSet, Settings, SigmaDetector};
//! use serde_json::json;
//!
//! let rules = RuleSet::compile(&[RuleFile {
//!     name: "sample.yml".into(),
//!     text: "title: A session that moved\nid: 6f9d35e2-4ad7-4c0a-9d0e-0a5b7f5f0d11\nlevel: medium\n\
//!            logsource: { product: bartizan }\n\
//!            detection: { moved: { bartizan.event: session_moved }, condition: moved }\n".into(),
//! }])?;
//! let mut detector = SigmaDetector::new(rules, Settings::default());
//! let event = json!({ "bartizan": { "event": "session_moved" } });
//! let findings = detector.observe(&event, Moment(1_772_445_600_000));
//! assert_eq!(findings[0].rule.title, "A session that moved");
//! # Ok::<(), bartizan_detection::DetectionError>(())
//! ```
//!
//! Rules are parsed by `rsigma-parser`, and `rsigma-eval` compares events with their conditions (`sigma` is the only
//! place that knows it). Correlations are counted here (`correlation`): that library keeps a stamp of every event of a
//! window without a bound and counts its distinct values anew for each event, so somebody who floods the gateway would
//! decide how much memory and time a rule costs. Here each correlation has a bound on its groups and on what they hold, and
//! an event costs the same whatever came before. Time is the event's, never the clock's: the same events give the same
//! findings.
//!
//! What is not understood is refused with file, line and reason ([`DetectionError`]). A rule that is left out in silence
//! looks exactly like one that finds nothing.

mod case;
mod correlation;
mod detector;
mod document;
mod error;
mod event;
mod field;
mod finding;
mod rule;
mod rule_set;
mod sigma;
mod starter;
mod written;

pub use self::{
    case::{Case, Cases, Outcome},
    detector::{Detector, Limits, Settings, SigmaDetector},
    document::RuleFile,
    error::{DetectionError, Problem, Reason},
    finding::{Finding, Matched, Moment},
    rule::{Rule, RuleKind, Severity},
    rule_set::RuleSet,
    starter::{STARTER, StarterFile},
    written::{Class, EVENTS, FIELDS, Service, WrittenEvent},
};
