//! What a client is told about its limits: the fields of draft-ietf-httpapi-ratelimit-headers-10, and those of older
//! clients.

use std::{ops::Range, time::Duration};

use bartizan_limits::Standing;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{CompiledRule, LimitEffect, RuleStanding};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells how each rule stands, and to older clients how the worst of them does. Rules that only report say nothing, and
/// those on requests in flight only where they refuse.
pub(super) fn insert<'r>(
    standings: impl Iterator<Item = (&'r CompiledRule, &'r RuleStanding)> + Clone,
    headers: &mut HeaderMap,
) {
    let told = standings.filter_map(|(rule, standing)| Told::of(rule, standing));
    let Some(worst) = told.clone().reduce(|one, other| if other.is_worse_than(&one) { other } else { one })
    else {
        return;
    };
    // One piece of memory for all, with room for two rules of usual names.
    let mut texts = Texts(Vec::with_capacity(192));
    let policy = |told: &Told<'_>| {
        let second = match told.measure {
            Measure::In(seconds) => (";w=", Some(seconds)),
            Measure::AtOnce => (";qu=\"concurrent-requests\"", None),
        };
        [(";q=", Some(told.units)), second]
    };
    let limit = |told: &Told<'_>| [(";r=", Some(told.remaining())), (";t=", Some(told.reset()))];
    let fields = [
        (RATELIMIT_POLICY, texts.list(told.clone(), policy)),
        (RATELIMIT, texts.list(told, limit)),
        (X_RATELIMIT_LIMIT, texts.number(worst.units)),
        (X_RATELIMIT_REMAINING, texts.number(worst.remaining())),
        (X_RATELIMIT_RESET, texts.number(worst.reset())),
    ];
    let text = Bytes::from(texts.0);
    for (name, range) in fields {
        // INVARIANT: names of rules are letters, digits and punctuation that needs no quoting.
        if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(range)) {
            headers.insert(name, value);
        }
    }
}

/// What a client is told of one rule.
#[derive(Clone, Copy)]
struct Told<'r> {
    name: &'r str,
    /// At most so many units.
    units: u64,
    measure: Measure,
    standing: &'r Standing,
}

/// What the units of a rule are of.
#[derive(Clone, Copy)]
enum Measure {
    /// A window of so many seconds.
    In(u64),
    /// The requests in flight.
    AtOnce,
}

impl<'r> Told<'r> {
    /// Requests in flight are told where there are too many: how many others there are meanwhile nobody can rely on.
    fn of(rule: &'r CompiledRule, stood: &'r RuleStanding) -> Option<Self> {
        let standing = &stood.standing;
        let (units, measure) = match stood.quota {
            Some(quota) => {
                let (units, window) = promised(stood.factors.of_quota(quota.limit()), standing);
                (units, Measure::In(window))
            }
            None if stood.effect == LimitEffect::Refused => (standing.quota, Measure::AtOnce),
            None => return None,
        };
        (!rule.is_shadow()).then_some(Self { name: &rule.name, units, measure, standing })
    }

    fn remaining(&self) -> u64 {
        self.standing.remaining
    }

    /// Of a refusal when this request would be admitted, as `Retry-After` says it, and not when all is there again.
    fn reset(&self) -> u64 {
        whole_seconds(self.standing.retry_after.unwrap_or(self.standing.reset))
    }

    /// Whether it refused and the other did not, or has the smaller share left.
    fn is_worse_than(&self, other: &Self) -> bool {
        let (one, other) = (self.standing, other.standing);
        let left =
            |one: &Standing, other: &Standing| u128::from(one.remaining) * u128::from(other.quota.max(1));
        match one.retry_after.cmp(&other.retry_after) {
            std::cmp::Ordering::Equal => left(one, other) < left(other, one),
            order => order.is_gt(),
        }
    }
}

/// The texts of several fields, one after the other.
struct Texts(Vec<u8>);

impl Texts {
    /// A list of rules, each with two parameters; where it lies.
    fn list<'r>(
        &mut self,
        rules: impl Iterator<Item = Told<'r>>,
        parameters: impl Fn(&Told<'r>) -> [(&'static str, Option<u64>); 2],
    ) -> Range<usize> {
        let start = self.0.len();
        for told in rules {
            let separator = if self.0.len() == start { "\"" } else { ", \"" };
            for part in [separator, told.name, "\""] {
                self.0.extend_from_slice(part.as_bytes());
            }
            for (key, number) in parameters(&told) {
                self.0.extend_from_slice(key.as_bytes());
                if let Some(number) = number {
                    self.number(number);
                }
            }
        }
        start..self.0.len()
    }

    /// A number; where it lies.
    fn number(&mut self, number: u64) -> Range<usize> {
        let start = self.0.len();
        self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        start..self.0.len()
    }
}

/// So many units in so many seconds. Of a bucket that holds more than its rate, what it holds and how long that takes to
/// refill: never is more left than the quota that is told.
fn promised(limit: u64, standing: &Standing) -> (u64, u64) {
    if standing.quota <= limit {
        return per_seconds(limit, standing.window);
    }
    let nanoseconds = standing.window.as_nanos() * u128::from(standing.quota) / u128::from(limit.max(1));
    let refill = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
    per_seconds(standing.quota, refill)
}

/// Fields know whole seconds only: a quota for less is told for one.
fn per_seconds(units: u64, window: Duration) -> (u64, u64) {
    match window.as_millis() {
        short if short < 1000 => (units * 1000 / u64::try_from(short.max(1)).unwrap_or(1), 1),
        _ => (units, whole_seconds(window)),
    }
}

/// Rounded up, so that who waits so long waits long enough.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_that_holds_more_than_its_rate_is_told_with_the_time_it_takes_to_refill() {
        let cases =
            [((2, 7), (7, 210)), ((7, 7), (7, 60)), ((100, 20), (100, 60)), ((1, 1000), (1000, 60_000))];
        for ((limit, quota), expected) in cases {
            let [reset, window] = [0, 60].map(Duration::from_secs);
            let standing = Standing { quota, window, remaining: 0, reset, retry_after: None };
            assert_eq!(promised(limit, &standing), expected);
        }
    }

    #[test]
    fn seconds_are_rounded_up_and_short_windows_are_told_for_one() {
        assert_eq!(
            [0, 1, 999, 1000, 1001].map(|ms| whole_seconds(Duration::from_millis(ms))),
            [0, 1, 1, 1, 2]
        );
        let cases =
            [((10, 100), (100, 1)), ((10, 1000), (10, 1)), ((5, 900_000), (5, 900)), ((3, 1500), (3, 2))];
        for ((units, milliseconds), expected) in cases {
            assert_eq!(per_seconds(units, Duration::from_millis(milliseconds)), expected);
        }
    }
}
