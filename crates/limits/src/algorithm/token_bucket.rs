//! The token bucket, kept as the one number of the generic cell rate algorithm (ITU-T I.371): the theoretical arrival
//! time, at which the bucket will be full again. A unit takes one interval to refill: the window over the limit,
//! rounded up to a nanosecond, so that never more than the limit is admitted.

use bartizan_model::Quota;

use super::{Level, State, Wait};
use crate::{
    Factors,
    charge::{Effective, nanoseconds},
};

pub(super) fn settle(state: State, quota: &Effective, now: u64) -> State {
    // Nearly always, and told without working out how much may be owed at most.
    if state.at <= now + capacity(quota) {
        return state;
    }
    // Later arrival times come from a clock that has since jumped back, or from a quota that has since changed.
    State { at: state.at.min(now + longest_debt(&quota.stated)), ..state }
}

/// How long a bucket may be away from being full, whatever the factors of the requests that it admitted. It depends on
/// the quota alone: if it depended on the factors of a request, that request could forgive what others owe.
///
/// A bucket holds as many of its factored units as refill in the longest window at the rate of the quota, and more where
/// the rate has lost more of its factor to rounding down than the burst has: at most one unit, of the fewest that the
/// rate may be left with. And it holds at least one unit, which takes longest at that fewest.
pub(crate) fn longest_debt(quota: &Quota) -> u64 {
    let window = Factors::STRICTEST.of_window(nanoseconds(quota.length()));
    let fewest = Factors::STRICTEST.of_quota(quota.limit());
    let refill = u64::from(quota.burst().get()) * window.div_ceil(quota.limit().get().into());
    // A burst of all of the rate is rounded as the rate is.
    let uneven = if quota.burst() == quota.limit() { 0 } else { refill.div_ceil(fewest) };
    // Each unit takes whole nanoseconds.
    let rounded = Factors::MOST_LENIENT.of_quota(quota.burst());
    (refill + uneven + rounded).max(window.div_ceil(fewest))
}

pub(super) fn charge(state: State, quota: &Effective, now: u64) -> Result<State, Wait> {
    let full_again = state.at.max(now) + cost(quota);
    let latest = now + capacity(quota);
    if full_again <= latest { Ok(State { at: full_again, ..state }) } else { Err(Wait(full_again - latest)) }
}

pub(super) fn give_back(state: State, quota: &Effective) -> State {
    State { at: state.at.saturating_sub(cost(quota)), ..state }
}

pub(super) fn level(state: State, quota: &Effective, now: u64) -> Level {
    let reset = state.at.saturating_sub(now);
    Level { remaining: capacity(quota).saturating_sub(reset) / interval(quota), reset }
}

fn interval(quota: &Effective) -> u64 {
    quota.window.div_ceil(quota.limit)
}

/// How long an empty bucket takes to refill: never more than the longest debt.
fn capacity(quota: &Effective) -> u64 {
    quota.burst * interval(quota)
}

/// How long the cost takes to refill; never more than the whole bucket.
fn cost(quota: &Effective) -> u64 {
    quota.cost * interval(quota)
}
