//! A report about a period, beside the period of the same length before it: for people who were not there.
//!
//! It is made of counts and rankings, never of pages of events, so it takes as long for a million events as the store
//! needs to look at each once. What could not be read in time is left out and named.

mod chart;
mod html;
mod made;
#[cfg(test)]
mod tests;

use bartizan_events::{Kind, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    html::html,
    made::{Period, System, Wanted, make},
};
use crate::{EventStatistics, LimitsSeen, Moment, Part, Recommendation, Threat, ThreatLevel, Weakness};

/// What happened in a period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SecurityReport {
    /// When it begins.
    pub from: Moment,
    /// When it ends.
    pub to: Moment,
    /// When it was made.
    pub made: Moment,
    /// Whether addresses, people and sentences are masked.
    pub masked: bool,
    /// What matters most, in sentences.
    pub summary: Vec<String>,
    /// The events in numbers.
    pub statistics: ReportStatistics,
    /// What came most.
    pub threats: ReportThreats,
    /// What was too much.
    pub limits: ReportLimits,
    /// Logins, accounts and administrators.
    pub people: ReportPeople,
    /// What runs, and how it fares.
    pub systems: ReportSystems,
    /// How threatened the gateway was.
    pub risk: ReportRisk,
    /// Where the gateway is weak now.
    pub weaknesses: Vec<Weakness>,
    /// What to do, the most urgent first.
    pub recommendations: Vec<Recommendation>,
    /// What is different from the period of the same length before, the largest difference first.
    pub changes: Vec<Difference>,
    /// What is missing: days that cannot be read, rankings that took too long.
    pub missing: Vec<String>,
}

/// The events of a period in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportStatistics {
    /// Those of the period.
    pub period: EventStatistics,
    /// Those of the period before.
    pub before: EventStatistics,
    /// Piece by piece.
    pub over_time: Vec<ReportPoint>,
}

/// A piece of the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportPoint {
    /// When it begins.
    pub at: Moment,
    /// Requests that were served.
    pub served: u64,
    /// Requests that were refused or challenged, for whatever reason but an attack.
    pub refused: u64,
    /// Requests that the firewall objected to.
    pub attacks: u64,
    /// Logins and tokens that failed.
    pub failed_logins: u64,
    /// The highest number of the threat that the events of this piece make by themselves, as if they came from many clients.
    #[schema(maximum = 100)]
    pub score: u8,
}

/// What came most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReportThreats {
    /// Types of events of low severity and above.
    pub kinds: Vec<ReportedCount>,
    /// Rules of the firewall and of detection.
    pub rules: Vec<ReportedCount>,
    /// Addresses.
    pub addresses: Vec<ReportedCount>,
    /// Routes.
    pub routes: Vec<ReportedCount>,
    /// The last events of high severity and above.
    pub notable: Vec<NotableEvent>,
}

/// Something, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedCount {
    /// What.
    pub name: String,
    /// How often, of what was kept.
    pub count: u64,
}

/// An event that somebody should know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotableEvent {
    /// When.
    pub at: Moment,
    /// What.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "token_reused")]
    pub kind: Kind,
    /// How bad.
    #[schema(value_type = String, example = "high")]
    pub severity: Severity,
    /// In a sentence.
    pub message: String,
    /// From where.
    pub address: Option<String>,
    /// What the client calls itself.
    pub client: Option<String>,
}

/// What was too much.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReportLimits {
    /// Requests of the period that were refused for a limit.
    pub exceeded: u64,
    /// Those of the period before.
    pub exceeded_before: u64,
    /// Addresses that were refused most for a limit.
    pub addresses: Vec<ReportedCount>,
    /// What the limits have seen in the last hour and the last day, when the report was made.
    pub seen: LimitsSeen,
}

/// Logins, accounts and administrators.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReportPeople {
    /// Logins that succeeded.
    pub logins: u64,
    /// Those that failed.
    pub failures: u64,
    /// Accounts and addresses that were paused.
    pub pauses: u64,
    /// Accounts made.
    pub created: u64,
    /// Accounts deleted.
    pub deleted: u64,
    /// People there are; null where there are no accounts, or they cannot be read.
    pub people: Option<u64>,
    /// How many of a hundred have a second factor that only they have.
    #[schema(maximum = 100)]
    pub factor_coverage: Option<u64>,
    /// Administrators.
    pub administrators: Option<u64>,
    /// Those of them without a second factor that only they have.
    pub administrators_without_factor: Option<u64>,
    /// API keys that work.
    pub keys: Option<u64>,
    /// Invitations that nobody has accepted yet.
    pub invitations: Option<u64>,
}

/// What runs, and how it fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportSystems {
    /// The version of the gateway.
    pub version: String,
    /// How long it has been running, in seconds.
    pub uptime_seconds: u64,
    /// The configuration in use.
    pub revision: String,
    /// Its parts, now.
    pub parts: Vec<Part>,
    /// Configurations that were taken over or refused in the period, the newest first; twenty at most.
    pub configurations: Vec<ConfigurationEvent>,
    /// How many there were.
    pub configuration_changes: u64,
}

/// A configuration that was taken over or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationEvent {
    /// When.
    pub at: Moment,
    /// Its revision; of one that was refused, that of the one that stayed.
    pub revision: String,
    /// Whether it was taken over.
    pub taken: bool,
}

/// How threatened the gateway was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportRisk {
    /// How threatened it is now.
    pub now: Threat,
    /// The highest level that the events of the period make by themselves.
    pub highest: ThreatLevel,
    /// Its number.
    #[schema(maximum = 100)]
    pub highest_score: u8,
    /// When the level changed in the period, the newest first; fifty at most.
    pub changes: Vec<LevelChange>,
}

/// A change of the level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ThreatLevelChange)]
pub struct LevelChange {
    /// When.
    pub at: Moment,
    /// What changed.
    pub said: String,
    /// Why.
    pub why: String,
}

/// What is different from the period before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReportDifference)]
pub struct Difference {
    /// What was counted.
    pub what: String,
    /// In this period.
    pub now: u64,
    /// In the one before.
    pub before: u64,
}
