//! What a user of the room sees: rules from their text to findings.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod correlations;
mod refused;
mod sigma_hq;
mod starter_pack;
mod web_server;

use bartizan_detection::{
    DetectionError, Detector, Finding, Limits, Moment, RuleFile, RuleSet, Settings, SigmaDetector,
};
use serde_json::Value;

/// One file of rules.
fn file(text: &str) -> [RuleFile; 1] {
    [RuleFile { name: "own.yml".into(), text: text.into() }]
}

fn compile(text: &str) -> Result<RuleSet, DetectionError> {
    RuleSet::compile(&file(text))
}

/// What these rules find in events with their times in seconds.
fn findings(text: &str, events: impl IntoIterator<Item = (i64, Value)>) -> Vec<Finding> {
    findings_within(text, Limits::default(), events)
}

fn findings_within(
    text: &str,
    limits: Limits,
    events: impl IntoIterator<Item = (i64, Value)>,
) -> Vec<Finding> {
    let settings = Settings { limits, ..Settings::default() };
    let mut detector = SigmaDetector::new(compile(text).unwrap(), settings);
    let seen = events.into_iter().flat_map(|(time, event)| detector.observe(&event, Moment(time * 1000)));
    seen.collect()
}
