//! What the limits have seen: for every rule how many requests, how many it refused or nearly refused, how many values
//! there were and which came most, over the last hour and the last day. For people, not for decisions.
//!
//! All of it is bounded: at most 260 KB for a rule, whatever comes, and nothing is allocated for a request once the
//! parts of a window have been used. Counts are exact, over 59 to 60 minutes and 23 to 24 hours. The rest are sketches:
//! the number of values is off by 3.3 % (standard error of a `HyperLogLog` with 1024 registers, Flajolet et al. 2007),
//! over 50 to 60 minutes and 22 to 24 hours; of the top values each says between what its count lies, and no value is
//! missing that came more often than the 64th part of all that it shared its quarter of the hash space with would
//! explain (space saving, Metwally et al. 2005: 16 counters in each of four parts).
//!
//! Threads that count the same value would pass the memory for it to and fro, which costs more than counting. So each
//! thread first counts for itself ([`Pending`]), and adds what it has when that is eight values, or the minute is over, or
//! somebody asks: nobody is told less than was seen.

mod distinct;
mod heavy_hitters;
mod label;
mod pending;
mod ring;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

use self::{
    distinct::{Distinct, Multiplicities},
    heavy_hitters::{HeavyHitters, Merged},
    pending::{Held, Pending},
    ring::{Ring, Slot},
};
use crate::{Nanos, Standing, key::KeyHasher, shards::Shards};

/// Locks of a rule. The registers of all of them together make one sketch.
const SHARDS: usize = 4;
/// Places in which threads count for themselves. More threads than these share them.
const LANES: usize = 8;

/// The statistics of every rule. What they have seen outlives a change of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    rules: Mutex<HashMap<Arc<str>, Arc<RuleStatistics>>>,
}

/// What one rule has seen.
pub struct RuleStatistics {
    hasher: KeyHasher,
    /// What is not added yet. A lane is locked before a shard, never after.
    lanes: Shards<Pending>,
    shards: Shards<Seen>,
}

/// What a rule said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was admitted.
    Admitted,
    /// It was admitted, and less than a fifth of the quota is left.
    NearMiss,
    /// It was refused, or would have been if the rule did more than report.
    Refused,
}

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// The last hour.
    Hour,
    /// The last 24 hours.
    Day,
}

/// What a rule has counted in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests that it admitted or refused, whatever a later stage said of them; not those that another rule of its
    /// stage refused.
    pub requests: u64,
    /// Those that it refused, or would have.
    pub refusals: u64,
    /// Those that it admitted with less than a fifth of the quota left.
    pub near_misses: u64,
    /// How many different values they had; an estimate.
    pub distinct_values: u64,
}

/// A value that came often. The true count lies between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopValue {
    /// The value; where it is long or not plain text, its beginning and a hash.
    pub value: String,
    /// It came so often at least.
    pub at_least: u64,
    /// It came so often at most.
    pub at_most: u64,
}

/// By what values are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranking {
    /// By their requests.
    Requests,
    /// By their refusals.
    Refusals,
}

/// What has been seen of a part of the values.
struct Seen {
    minutes: Ring<Counts>,
    hours: Ring<Counts>,
    /// Parts of ten minutes.
    last_hour: Ring<Sketches>,
    /// Parts of two hours.
    last_day: Ring<Sketches>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    requests: u64,
    refusals: u64,
    near_misses: u64,
}

#[derive(Default)]
struct Sketches {
    distinct: Distinct,
    requests: HeavyHitters,
    refusals: HeavyHitters,
}

// === impl Statistics ===

impl Statistics {
    /// Those of the rule with this name, new ones if there are none yet.
    pub(crate) fn of(&self, rule: &Arc<str>) -> Arc<RuleStatistics> {
        Arc::clone(self.rules.lock().entry(Arc::clone(rule)).or_default())
    }

    /// Those of the rule with this name, if it has any.
    pub(crate) fn find(&self, rule: &str) -> Option<Arc<RuleStatistics>> {
        self.rules.lock().get(rule).cloned()
    }

    /// Forgets rules that nobody holds any more.
    pub(crate) fn forget_unused(&self) {
        self.rules.lock().retain(|_, rule| Arc::strong_count(rule) > 1);
    }
}

// === impl RuleStatistics ===

impl Default for RuleStatistics {
    fn default() -> Self {
        Self {
            hasher: KeyHasher::new(),
            lanes: Shards::new(LANES, Pending::default),
            shards: Shards::new(SHARDS, Seen::new),
        }
    }
}

impl RuleStatistics {
    /// Adds one request of `value`.
    pub fn record(&self, now: Nanos, value: &[u8], outcome: Outcome) {
        let key = self.hasher.of_value(value);
        let Some(mut pending) = self.lanes.lock_own() else { return };
        if !pending.has_room(now.get(), key) {
            self.settle(&mut pending);
        }
        pending.add(now.get(), key, value, outcome);
    }

    /// Adds what a thread has counted for itself.
    fn settle(&self, pending: &mut Pending) {
        let now = pending.last();
        for held in pending.take() {
            if let Some(mut seen) = self.shards.lock_one(held.key) {
                seen.add(now, &held);
            }
        }
    }

    /// Adds what all threads have counted for themselves.
    fn settle_all(&self) {
        self.lanes.each().for_each(|mut pending| self.settle(&mut pending));
    }

    /// Forgets everything that was seen. What is recorded meanwhile may stay.
    pub fn clear(&self) {
        self.lanes.each().for_each(|mut pending| drop(pending.take()));
        self.shards.each().for_each(|mut seen| *seen = Seen::new());
    }

    /// What was counted in the period that ends now.
    pub fn totals(&self, now: Nanos, period: Period) -> Totals {
        self.settle_all();
        let (mut totals, mut multiplicities) = (Totals::default(), Multiplicities::default());
        for seen in self.shards.each() {
            let (counts, sketches) = seen.in_period(period);
            for counts in counts.live(now.get()) {
                totals.requests += counts.requests;
                totals.refusals += counts.refusals;
                totals.near_misses += counts.near_misses;
            }
            let mut distinct = Distinct::default();
            sketches.live(now.get()).for_each(|sketches| distinct.merge(&sketches.distinct));
            multiplicities.add(&distinct);
        }
        // Parts of a sketch are longer than those of the counts, and an estimate may be off.
        totals.distinct_values = multiplicities.estimate().clamp(totals.requests.min(1), totals.requests);
        totals
    }

    /// The values that came most in the period that ends now, at most `limit` of them, the most frequent first.
    pub fn top(&self, now: Nanos, period: Period, ranking: Ranking, limit: usize) -> Vec<TopValue> {
        self.settle_all();
        let mut top = Vec::new();
        for seen in self.shards.each() {
            let sketches = seen.in_period(period).1.live(now.get());
            top.extend(Merged::of(sketches.map(|sketches| sketches.ranked(ranking))).into_values());
        }
        top.sort_by(|one, other| {
            let rank = |top: &TopValue| (top.at_least, top.at_most);
            rank(other).cmp(&rank(one)).then_with(|| one.value.cmp(&other.value))
        });
        top.truncate(limit);
        top
    }
}

impl fmt::Debug for RuleStatistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleStatistics").finish_non_exhaustive()
    }
}

// === impl Outcome ===

impl Outcome {
    /// What a standing after the decision means.
    pub fn of(standing: &Standing) -> Self {
        match standing.retry_after {
            Some(_) => Self::Refused,
            None => Self::admitted(standing.remaining, standing.quota),
        }
    }

    /// Admitted, with so much of a quota left.
    pub fn admitted(remaining: u64, quota: u64) -> Self {
        if remaining.saturating_mul(5) < quota { Self::NearMiss } else { Self::Admitted }
    }
}

// === impl Seen ===

impl Seen {
    fn new() -> Self {
        Self {
            minutes: Ring::new(60, Duration::from_mins(1)),
            hours: Ring::new(24, Duration::from_hours(1)),
            last_hour: Ring::new(6, Duration::from_mins(10)),
            last_day: Ring::new(12, Duration::from_hours(2)),
        }
    }

    fn add(&mut self, now: u64, held: &Held) {
        let Held { key, counts: more, label } = held;
        for counts in [self.minutes.current(now), self.hours.current(now)].into_iter().flatten() {
            counts.requests += more.requests;
            counts.refusals += more.refusals;
            counts.near_misses += more.near_misses;
        }
        for sketches in [self.last_hour.current(now), self.last_day.current(now)].into_iter().flatten() {
            // The lowest bits have chosen the shard.
            sketches.distinct.add(key.shard / SHARDS as u64);
            sketches.requests.add(key.place, more.requests, label);
            if more.refusals > 0 {
                sketches.refusals.add(key.place, more.refusals, label);
            }
        }
    }

    fn in_period(&self, period: Period) -> (&Ring<Counts>, &Ring<Sketches>) {
        match period {
            Period::Hour => (&self.minutes, &self.last_hour),
            Period::Day => (&self.hours, &self.last_day),
        }
    }
}

impl Sketches {
    fn ranked(&self, ranking: Ranking) -> &HeavyHitters {
        match ranking {
            Ranking::Requests => &self.requests,
            Ranking::Refusals => &self.refusals,
        }
    }
}

// === impl Counts ===

impl Counts {
    fn count(&mut self, outcome: Outcome) {
        self.requests += 1;
        self.refusals += u64::from(outcome == Outcome::Refused);
        self.near_misses += u64::from(outcome == Outcome::NearMiss);
    }
}

impl Slot for Counts {
    fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Slot for Sketches {
    fn clear(&mut self) {
        self.distinct.clear();
        self.requests.clear();
        self.refusals.clear();
    }
}
