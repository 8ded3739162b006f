//! How the gateway stands at a moment, as it is told.

use std::time::SystemTime;

use bartizan_events::Severity;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{EventStatistics, Moment, Threat, Weakness};

/// How the gateway stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Posture {
    /// When this was.
    pub at: Moment,
    /// How threatened it is, and why.
    pub threat: Threat,
    /// The events of the last hour.
    pub hour: EventStatistics,
    /// The events of the last 24 hours.
    pub day: EventStatistics,
    /// What the limits have seen.
    pub limits: LimitsSeen,
    /// Alerts that nobody has acknowledged; null where nobody is alerted.
    pub open_alerts: Option<u64>,
    /// The parts of the gateway and how they fare.
    pub parts: Vec<Part>,
    /// Where the gateway is weak, the worst first.
    pub weaknesses: Vec<Weakness>,
    /// When that was looked at last; null before the first time.
    pub scanned: Option<Moment>,
    /// What to do, the most urgent first.
    pub recommendations: Vec<Recommendation>,
}

/// What the limits have seen, each request once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LimitsSeen {
    /// Requests of the last hour that some rule counted or refused.
    pub hour_requests: u64,
    /// Those that were refused for a limit.
    pub hour_refusals: u64,
    /// Requests of the last 24 hours.
    pub day_requests: u64,
    /// Those that were refused for a limit.
    pub day_refusals: u64,
}

/// A part of the gateway, or what it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PosturePart)]
pub struct Part {
    /// Which.
    #[schema(example = "store")]
    pub name: String,
    /// How it fares.
    pub health: PartHealth,
    /// Why, where it does not.
    pub said: String,
}

/// How a part fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartHealth {
    /// It does its work.
    Working,
    /// It does not.
    Failing,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PostureRecommendation)]
pub struct Recommendation {
    /// How urgent it is.
    #[schema(value_type = String, example = "high")]
    pub severity: Severity,
    /// Why.
    pub why: String,
    /// The setting to change, or the command to run.
    pub what: String,
}

/// What is known of a running gateway from one moment to the next, beside its events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pulse {
    /// Its parts.
    pub parts: Vec<Part>,
    /// Alerts that nobody has acknowledged, by severity, the least first; `None`: nobody is alerted.
    pub open_alerts: Option<[u64; 5]>,
    /// What the limits have seen.
    pub limits: LimitsSeen,
}

impl Part {
    /// A part that works, or why it does not.
    pub fn new(name: impl Into<String>, failure: Option<String>) -> Self {
        let health = if failure.is_some() { PartHealth::Failing } else { PartHealth::Working };
        Self { name: name.into(), health, said: failure.unwrap_or_default() }
    }
}

/// The most recommendations.
const MOST: usize = 20;

/// What to do about a threat and about weaknesses.
pub(crate) fn recommendations(threat: &Threat, weaknesses: &[Weakness]) -> Vec<Recommendation> {
    let of_threat = threat.reasons.iter().filter(|reason| reason.points >= 5 && !reason.is_listed());
    let of_threat = of_threat.map(|reason| Recommendation {
        severity: if reason.points >= 15 { Severity::High } else { Severity::Medium },
        why: format!("{} {}", reason.counted, reason.what),
        what: reason.cause.advice().into(),
    });
    let of_weakness = weaknesses.iter().map(|weakness| Recommendation {
        severity: weakness.severity,
        why: weakness.said.clone(),
        what: weakness.recommendation.clone(),
    });
    let mut all: Vec<_> = of_threat.chain(of_weakness).collect();
    all.sort_by_key(|recommendation| std::cmp::Reverse(recommendation.severity));
    all.truncate(MOST);
    all
}

impl Posture {
    /// Whether something else is told than before; what only grows older is not.
    pub(crate) fn differs(&self, before: &Self) -> bool {
        let steady = |posture: &Self| Self { at: SystemTime::UNIX_EPOCH.into(), ..posture.clone() };
        steady(self) != steady(before)
    }
}

impl crate::Reason {
    /// Weaknesses have recommendations of their own.
    fn is_listed(&self) -> bool {
        self.cause == crate::Cause::Weaknesses
    }
}
