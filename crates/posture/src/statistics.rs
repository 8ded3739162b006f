//! Events in numbers.

use std::collections::BTreeMap;

use bartizan_events::{Bucket, Kind, Severity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The events of a time in numbers, those included that were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct EventStatistics {
    /// All of them.
    pub total: u64,
    /// Of informational severity: requests that were served, logins that succeeded.
    pub informational: u64,
    /// Of low severity.
    pub low: u64,
    /// Of medium severity.
    pub medium: u64,
    /// Of high severity.
    pub high: u64,
    /// Of critical severity.
    pub critical: u64,
    /// By type, the most frequent first.
    pub types: Vec<KindCount>,
}

/// How many events of a type there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KindCount {
    /// The type.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "request_refused")]
    pub kind: Kind,
    /// How many.
    pub count: u64,
}

impl EventStatistics {
    /// Of these counts.
    pub(crate) fn of<'a>(buckets: impl IntoIterator<Item = &'a Bucket>) -> Self {
        let mut statistics = Self::default();
        let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
        for Bucket { kind, severity, count, .. } in buckets {
            statistics.total = statistics.total.saturating_add(*count);
            let of = match severity {
                Severity::Informational => &mut statistics.informational,
                Severity::Low => &mut statistics.low,
                Severity::Medium => &mut statistics.medium,
                Severity::High => &mut statistics.high,
                Severity::Critical => &mut statistics.critical,
            };
            *of = of.saturating_add(*count);
            let of = kinds.entry(*kind).or_default();
            *of = of.saturating_add(*count);
        }
        statistics.types = kinds.into_iter().map(|(kind, count)| KindCount { kind, count }).collect();
        statistics.types.sort_by_key(|of| std::cmp::Reverse(of.count));
        statistics
    }

    /// How many of some kinds.
    pub fn count(&self, kinds: &[Kind]) -> u64 {
        let of = self.types.iter().filter(|of| kinds.contains(&of.kind));
        of.fold(0, |sum, of| sum.saturating_add(of.count))
    }
}
