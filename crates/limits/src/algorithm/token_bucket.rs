//! The token bucket, kept as the one number of the generic cell rate algorithm (ITU-T I.371): the theoretical arrival
//! time, at which the bucket will be full again. A unit takes one interval to refill: the window over the limit,
//! rounded up to a nanosecond, so that never more than the limit is admitted.

use super::{Level, State, Wait};
use crate::charge::Effective;

/// 73 years, in nanoseconds. A bucket holds at most what refills in this time, whatever its burst.
const LONGEST_REFILL: u64 = 1 << 61;

pub(super) fn settle(state: State, quota: &Effective, now: u64) -> State {
    // An honest arrival time is at most one refill ahead, or two if the factors of earlier requests were higher.
    // Later ones come from a clock that has since jumped back.
    State { at: state.at.min(now + 2 * capacity(quota)), ..state }
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

/// How long an empty bucket takes to refill.
fn capacity(quota: &Effective) -> u64 {
    quota.burst.saturating_mul(interval(quota)).min(LONGEST_REFILL)
}

/// How long the cost takes to refill; never more than the whole bucket.
fn cost(quota: &Effective) -> u64 {
    quota.cost.saturating_mul(interval(quota)).min(LONGEST_REFILL)
}
