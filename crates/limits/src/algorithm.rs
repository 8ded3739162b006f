//! The algorithms: pure functions from what is kept of a key, a quota as it stands for one request, and the time,
//! to what is kept next. Integers only, and no sum leaves 64 bits: see [`Quota`](bartizan_model::Quota) and
//! [`Nanos`](crate::Nanos) for the largest of each. They store nothing and read no clock.
//!
//! Every use begins with [`State::settle`]. It drops what no longer counts, and it is what keeps a clock that jumped
//! back from locking or opening a limit: the state is moved to where the clock stands now, with its use unchanged.
//! Therefore a store keeps the settled state even when it charges nothing.

mod fixed_window;
mod sliding_window;
#[cfg(test)]
pub(crate) mod tests;
mod token_bucket;

use bartizan_model::Algorithm;

pub(crate) use self::token_bucket::longest_debt;
use crate::charge::Effective;

/// What is kept of one key. The default is a key of which nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    /// Nanoseconds: when a token bucket is full again (the theoretical arrival time), or the start of a window.
    pub(crate) at: u64,
    /// Units in the window.
    pub(crate) current: u32,
    /// Units in the window before it.
    pub(crate) previous: u32,
}

/// How full a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Level {
    /// Units left.
    pub(crate) remaining: u64,
    /// Nanoseconds until all of them are there again.
    pub(crate) reset: u64,
}

/// Refused: the least nanoseconds until the charge would be admitted if nothing else happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) u64);

impl State {
    /// The state as it counts now. What follows expects a settled state.
    pub(crate) fn settle(self, quota: &Effective, now: u64) -> Self {
        match quota.algorithm {
            Algorithm::TokenBucket => token_bucket::settle(self, quota, now),
            Algorithm::SlidingWindow => sliding_window::settle(self, quota, now),
            Algorithm::FixedWindow => fixed_window::settle(self, quota, now),
        }
    }

    /// The state after the charge, or how long to wait.
    pub(crate) fn charge(self, quota: &Effective, now: u64) -> Result<Self, Wait> {
        match quota.algorithm {
            Algorithm::TokenBucket => token_bucket::charge(self, quota, now),
            Algorithm::SlidingWindow => sliding_window::charge(self, quota, now),
            Algorithm::FixedWindow => fixed_window::charge(self, quota, now),
        }
    }

    /// The state without a charge that was made at `taken_at`, as far as it still counts: of a window that is known, of a
    /// bucket it is for whoever gives back to know ([`Standing::reset`](crate::Standing)). It needs no settled state.
    pub(crate) fn give_back(self, quota: &Effective, taken_at: u64) -> Self {
        match quota.algorithm {
            Algorithm::TokenBucket => token_bucket::give_back(self, quota),
            Algorithm::SlidingWindow => sliding_window::give_back(self, quota, taken_at),
            Algorithm::FixedWindow => fixed_window::give_back(self, quota, taken_at),
        }
    }

    /// How full the key is.
    pub(crate) fn level(self, quota: &Effective, now: u64) -> Level {
        match quota.algorithm {
            Algorithm::TokenBucket => token_bucket::level(self, quota, now),
            Algorithm::SlidingWindow => sliding_window::level(self, quota, now),
            Algorithm::FixedWindow => fixed_window::level(self, quota, now),
        }
    }

    /// The state that stands like this: what another store has counted, to count on from. Of a sliding window that has
    /// counted in this window it is not told what was in the one before; all of it then counts as of this one.
    pub(crate) fn standing_at(quota: &Effective, level: Level, now: u64) -> Self {
        let used = quota.burst.saturating_sub(level.remaining);
        match quota.algorithm {
            Algorithm::TokenBucket => Self { at: now.saturating_add(level.reset), ..Self::default() },
            Algorithm::FixedWindow => fixed_window::standing_at(quota, used, now.saturating_add(level.reset)),
            Algorithm::SlidingWindow => sliding_window::standing_at(quota, used, level.reset, now),
        }
    }

    /// Whether a window has counted nothing.
    pub(crate) fn is_unused(self) -> bool {
        self.current == 0 && self.previous == 0
    }
}

/// Units as windows keep them. No factor makes more than twice [`Quota::LARGEST`](bartizan_model::Quota::LARGEST)
/// of a limit, so that this never cuts.
fn units(units: u64) -> u32 {
    u32::try_from(units).unwrap_or(u32::MAX)
}
