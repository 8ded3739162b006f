//! What changes, as events.

use std::time::{SystemTime, UNIX_EPOCH};

use bartizan_events::{Decision, Details, Event, FindingDetails, Kind, Outcome, Severity};

use crate::{Threat, ThreatLevel, Weakness};

/// The level has changed.
pub(crate) fn level(before: ThreatLevel, threat: &Threat, now: SystemTime) -> Event {
    let Threat { level, score, reasons, .. } = threat;
    let way = if *level > before { "rose" } else { "fell" };
    let message = format!("the threat level {way} from {before} to {level} ({score})");
    let reasons: Vec<_> = reasons
        .iter()
        .map(|reason| format!("{} {} (+{})", reason.counted, reason.what, reason.points))
        .collect();
    let description = (!reasons.is_empty()).then(|| reasons.join("; "));
    let finding = finding(format!("The threat level {way} to {level}"), description, now);
    let details = Details {
        reason: Some(level.as_str().into()),
        explanation: finding.description.clone(),
        score: Some((*score).into()),
        outcome: Some(Outcome::Success),
        finding: Some(Box::new(finding)),
        ..Details::default()
    };
    let severity = if *level > before { level.severity() } else { Severity::Informational };
    Event { severity, details, ..Event::new(Kind::ThreatLevelChanged, now, Decision::Observed, message) }
}

/// A weakness was found, or is gone.
pub(crate) fn weakness(kind: Kind, weakness: &Weakness, now: SystemTime) -> Event {
    let Weakness { id, check, severity, said, recommendation, .. } = weakness;
    let is_gone = kind == Kind::WeaknessGone;
    let message = if is_gone { format!("gone: {said}") } else { said.clone() };
    let details = Details {
        reason: Some(check.as_str().into()),
        explanation: (!is_gone).then(|| recommendation.clone()),
        subject: Some(id.clone()),
        outcome: Some(Outcome::Success),
        finding: Some(Box::new(finding(check.title().into(), Some(said.clone()), now))),
        ..Details::default()
    };
    let severity = if is_gone { kind.severity() } else { *severity };
    Event { severity, details, ..Event::new(kind, now, Decision::Observed, message) }
}

fn finding(title: String, description: Option<String>, now: SystemTime) -> FindingDetails {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = i64::try_from(since.as_millis()).unwrap_or_default();
    FindingDetails { title, description, count: 1, first: at, last: at, ..FindingDetails::default() }
}
