//! What a client is told about its limits: the fields of draft-ietf-httpapi-ratelimit-headers-10, and those of older
//! clients.

use std::{fmt::Write, time::Duration};

use bartizan_config::Amount;
use bartizan_limits::Standing;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::CompiledRule;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const X_RATELIMIT_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_RATELIMIT_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RATELIMIT_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells how each rule stands, and to older clients how the worst of them does. Rules that only report say nothing.
pub(super) fn insert<'r>(
    standings: impl Iterator<Item = (&'r CompiledRule, &'r Standing)>,
    headers: &mut HeaderMap,
) {
    // Room for two rules of usual names.
    let (mut policies, mut limits) = (String::with_capacity(80), String::with_capacity(80));
    let mut worst: Option<(u64, &Standing)> = None;
    for (rule, standing) in standings.filter(|(rule, _)| !rule.is_shadow()) {
        let Some(Amount::Rate(quota)) = rule.rule().map(|rule| rule.amount) else { continue };
        let separator = if policies.is_empty() { "" } else { ", " };
        // A bucket may hold more than its rate: never is more left than the quota that is told.
        let most = u64::from(quota.limit().get()).max(standing.quota);
        let (units, window) = whole_seconds(most, quota.length());
        let (remaining, reset) = (standing.remaining, seconds(standing.reset));
        // INVARIANT: writing to a string does not fail.
        let _ = write!(policies, "{separator}\"{}\";q={units};w={window}", rule.name);
        let _ = write!(limits, "{separator}\"{}\";r={remaining};t={reset}", rule.name);
        if worst.is_none_or(|(_, worst)| is_worse(standing, worst)) {
            worst = Some((units, standing));
        }
    }
    let Some((units, standing)) = worst else { return };
    for (name, text) in [(RATELIMIT_POLICY, policies), (RATELIMIT, limits)] {
        // INVARIANT: names of rules are letters, digits and punctuation that needs no quoting.
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
    headers.insert(X_RATELIMIT_LIMIT, units.into());
    headers.insert(X_RATELIMIT_REMAINING, standing.remaining.into());
    headers.insert(X_RATELIMIT_RESET, seconds(standing.reset).into());
}

/// Whether one refused and the other did not, or which has the smaller share left.
fn is_worse(one: &Standing, other: &Standing) -> bool {
    let left = |one: &Standing, other: &Standing| u128::from(one.remaining) * u128::from(other.quota.max(1));
    match one.retry_after.cmp(&other.retry_after) {
        std::cmp::Ordering::Equal => left(one, other) < left(other, one),
        order => order.is_gt(),
    }
}

/// Fields know whole seconds only: a quota for less is told for one.
fn whole_seconds(units: u64, window: Duration) -> (u64, u64) {
    match window.as_millis() {
        short if short < 1000 => (units * 1000 / u64::try_from(short.max(1)).unwrap_or(1), 1),
        _ => (units, seconds(window)),
    }
}

/// Rounded up, so that who waits so long waits long enough.
pub(super) fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_and_short_windows_are_told_for_one() {
        assert_eq!([0, 1, 999, 1000, 1001].map(|ms| seconds(Duration::from_millis(ms))), [0, 1, 1, 1, 2]);
        let cases =
            [((10, 100), (100, 1)), ((10, 1000), (10, 1)), ((5, 900_000), (5, 900)), ((3, 1500), (3, 2))];
        for ((units, milliseconds), expected) in cases {
            assert_eq!(whole_seconds(units, Duration::from_millis(milliseconds)), expected);
        }
    }
}
