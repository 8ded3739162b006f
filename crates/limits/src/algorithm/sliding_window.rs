//! The sliding window, in constant space: two fixed windows, of which the previous one counts by the share of it that a
//! window ending now still covers. Exact to a unit when the previous window was used evenly. Never more than the limit is admitted
//! in one of the fixed windows, so in any other window, which lies across two of them, less than twice the limit: whoever
//! uses all of one window in its last moment comes close to that.

use super::{Level, State, Wait, units};
use crate::charge::Effective;

pub(super) fn settle(state: State, quota: &Effective, now: u64) -> State {
    let window = quota.window;
    if state.is_unused() || now >= state.at + 2 * window {
        State { at: now, ..State::default() }
    } else if now >= state.at + window {
        // What nobody used in the window that is over leaves nothing behind: a store may have forgotten it by now.
        let at = if state.current == 0 { now } else { state.at + window };
        State { at, current: 0, previous: state.current }
    } else {
        // A start ahead of the clock: the clock jumped back. The use stays, the window begins again.
        State { at: state.at.min(now), ..state }
    }
}

pub(super) fn charge(state: State, quota: &Effective, now: u64) -> Result<State, Wait> {
    let used = u64::from(state.current) + quota.cost;
    if let Some(room) = quota.limit.checked_sub(used) {
        let fits = fits_after(state.previous, room, quota.window);
        if state.at + fits <= now {
            return Ok(State { current: units(used), ..state });
        }
        return Err(Wait(state.at + fits - now));
    }
    // Not in this window: the next one begins with what is now the current use as its previous one.
    let room = quota.limit - quota.cost;
    Err(Wait(state.at + quota.window + fits_after(state.current, room, quota.window) - now))
}

pub(super) fn give_back(state: State, quota: &Effective, taken_at: u64) -> State {
    let cost = units(quota.cost);
    if taken_at >= state.at {
        State { current: state.current.saturating_sub(cost), ..state }
    } else if taken_at + quota.window >= state.at {
        State { previous: state.previous.saturating_sub(cost), ..state }
    } else {
        state
    }
}

pub(super) fn level(state: State, quota: &Effective, now: u64) -> Level {
    let covered = quota.window - (now - state.at);
    let weighted = narrow((u128::from(state.previous) * u128::from(covered)).div_ceil(quota.window.into()));
    let windows = if state.current > 0 { 2 } else { u64::from(state.previous > 0) };
    Level {
        remaining: quota.limit.saturating_sub(weighted + u64::from(state.current)),
        reset: (state.at + windows * quota.window).saturating_sub(now),
    }
}

/// With so many units used, none of which counts any more after `reset`.
pub(super) fn standing_at(quota: &Effective, used: u64, reset: u64, now: u64) -> State {
    let (window, end) = (quota.window, now.saturating_add(reset));
    if reset > window {
        return State { at: end.saturating_sub(2 * window), current: units(used), previous: 0 };
    }
    // Only what remains of the window before still counts, by the share that is covered.
    let previous = narrow(u128::from(used) * u128::from(window) / u128::from(reset.max(1)));
    State { at: end.saturating_sub(window), current: 0, previous: units(previous) }
}

/// How far into a window its previous one, of so many units, counts for no more than `room`.
fn fits_after(previous: u32, room: u64, window: u64) -> u64 {
    if u64::from(previous) <= room {
        return 0;
    }
    window - narrow(u128::from(window) * u128::from(room) / u128::from(previous))
}

/// Both ways round a share is of something that fits 64 bits, and is no larger.
fn narrow(share: u128) -> u64 {
    u64::try_from(share).unwrap_or(u64::MAX)
}
