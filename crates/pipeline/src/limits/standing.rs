//! How one rule stood when it decided about a request: what it takes to tell the client, to give back what was taken, and
//! to explain it later.

use std::time::Duration;

use bartizan_limits::{Charge, Factors, Limit, Standing};
use bartizan_model::{Algorithm, Quota};

use super::{RuleReference, Value};

/// How one rule stood.
#[derive(Debug, Clone)]
pub(crate) struct RuleStanding {
    pub(crate) rule: RuleReference,
    pub(crate) whom: Whom,
    /// How much the rule admits in what time, before the request's risk; `None`: it counts requests in flight.
    pub(crate) quota: Option<Quota>,
    /// What the request's risk made of the rule.
    pub(crate) factors: Factors,
    /// What the request costs there, after its factors; one place for a rule that counts requests in flight.
    pub(crate) units: u64,
    pub(crate) effect: LimitEffect,
    pub(crate) standing: Standing,
}

/// Who was counted.
#[derive(Debug, Clone)]
pub(crate) enum Whom {
    /// All of the value.
    Value(Value),
    /// What is remembered of one that is long.
    Shortened(Box<str>),
}

/// What a rule of a limit did with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitEffect {
    /// Admitted and counted it.
    Counted,
    /// Refused it.
    Refused,
    /// Would have admitted it, and did not count it because another rule refused.
    NotCounted,
    /// Counted it, and gave it back because a later rule refused.
    GivenBack,
    /// Would have refused it if it did more than report.
    WouldRefuse,
}

impl RuleStanding {
    /// What was charged, the same again: a charge with a factor is given back with it.
    pub(crate) fn charge<'c>(&'c self, limit: &'c Limit, cost: std::num::NonZeroU32) -> Option<Charge<'c>> {
        let Whom::Value(value) = &self.whom else { return None };
        Some(Charge { limit, value: value.as_bytes(), cost, factors: self.factors })
    }

    /// Whether something of what was charged so long ago is still owed. What has come back by itself since must not come
    /// back twice: many requests that are given back late would make a burst of their own.
    pub(crate) fn is_owed(&self, elapsed: Duration) -> bool {
        elapsed < self.standing.reset
    }

    /// The request was given back.
    pub(crate) fn give_back(&mut self, algorithm: Algorithm) {
        let standing = &mut self.standing;
        let used = standing.quota.saturating_sub(standing.remaining);
        standing.remaining = standing.quota.min(standing.remaining.saturating_add(self.units));
        let still_used = standing.quota.saturating_sub(standing.remaining);
        standing.reset = match algorithm {
            _ if still_used == 0 => Duration::ZERO,
            // It refills evenly.
            Algorithm::TokenBucket => share(standing.reset, still_used, used),
            Algorithm::SlidingWindow | Algorithm::FixedWindow => standing.reset,
        };
        self.effect = LimitEffect::GivenBack;
    }
}

fn share(time: Duration, of: u64, all: u64) -> Duration {
    let nanoseconds = time.as_nanos() * u128::from(of) / u128::from(all.max(1));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket that refills a unit a second would otherwise be paid twice for each that waited so long.
    #[test]
    fn what_has_come_back_by_itself_is_not_given_back() {
        let stood = |reset| RuleStanding {
            rule: RuleReference::Coarse(0),
            whom: Whom::Shortened("somebody".into()),
            quota: None,
            factors: Factors::default(),
            units: 1,
            effect: LimitEffect::Counted,
            standing: Standing {
                quota: 20,
                window: Duration::from_mins(1),
                remaining: 19,
                reset: Duration::from_secs(reset),
                retry_after: None,
            },
        };
        let is_owed = |reset, elapsed| stood(reset).is_owed(Duration::from_millis(elapsed));
        assert!(is_owed(1, 0) && is_owed(1, 999) && is_owed(5, 4999));
        assert!(!is_owed(1, 1000) && !is_owed(5, 60_000));
    }

    #[test]
    fn what_is_given_back_is_there_again_sooner() {
        let cases = [
            (Algorithm::TokenBucket, (8, 360, 2), (10, 0)),
            (Algorithm::TokenBucket, (6, 1440, 1), (7, 1080)),
            (Algorithm::FixedWindow, (6, 1440, 1), (7, 1440)),
            (Algorithm::SlidingWindow, (9, 1440, 1), (10, 0)),
            (Algorithm::SlidingWindow, (10, 0, 5), (10, 0)),
        ];
        for (algorithm, (remaining, reset, units), expected) in cases {
            let standing = Standing {
                quota: 10,
                window: Duration::from_hours(1),
                remaining,
                reset: Duration::from_secs(reset),
                retry_after: None,
            };
            let mut stood = RuleStanding {
                rule: RuleReference::Coarse(0),
                whom: Whom::Shortened("somebody".into()),
                quota: None,
                factors: Factors::default(),
                units,
                effect: LimitEffect::Counted,
                standing,
            };
            stood.give_back(algorithm);
            assert_eq!((stood.standing.remaining, stood.standing.reset.as_secs()), expected);
        }
    }
}
