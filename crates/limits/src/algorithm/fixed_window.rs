//! The fixed window: at most the limit in a window that begins with the first request and not before it.
//!
//! Its weakness is its nature: up to twice the limit can pass around the end of a window.

use super::{Level, State, Wait, units};
use crate::charge::Effective;

pub(super) fn settle(state: State, quota: &Effective, now: u64) -> State {
    if state.is_unused() || now >= state.at + quota.window {
        State { at: now, ..State::default() }
    } else {
        // A start ahead of the clock: the clock jumped back. The use stays, the window begins again.
        State { at: state.at.min(now), ..state }
    }
}

pub(super) fn charge(state: State, quota: &Effective, now: u64) -> Result<State, Wait> {
    let used = u64::from(state.current) + quota.cost;
    if used <= quota.limit {
        Ok(State { current: units(used), ..state })
    } else {
        Err(Wait(state.at + quota.window - now))
    }
}

pub(super) fn give_back(state: State, quota: &Effective, taken_at: u64) -> State {
    if taken_at < state.at {
        return state;
    }
    State { current: state.current.saturating_sub(units(quota.cost)), ..state }
}

pub(super) fn level(state: State, quota: &Effective, now: u64) -> Level {
    Level {
        remaining: quota.limit.saturating_sub(state.current.into()),
        reset: if state.is_unused() { 0 } else { state.at + quota.window - now },
    }
}

/// The window that ends then, with so many units used.
pub(super) fn standing_at(quota: &Effective, used: u64, end: u64) -> State {
    State { at: end.saturating_sub(quota.window), current: units(used), previous: 0 }
}
