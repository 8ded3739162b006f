//! What the limits say about one request.

use std::time::Duration;

use smallvec::SmallVec;

/// The answer to the charges of one request. When any of them is refused, nothing is charged to any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// How each charge stands, in the order in which they were asked.
    pub standings: SmallVec<[Standing; 4]>,
}

/// How one charge stands after the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The units at once that applied to this request, after its factors.
    pub quota: u64,
    /// The length of the window that applied.
    pub window: Duration,
    /// Units left.
    pub remaining: u64,
    /// Until all of the quota is available again, if nothing more is asked.
    pub reset: Duration,
    /// Until this charge would be admitted; absent when it was.
    pub retry_after: Option<Duration>,
}

impl Standing {
    /// What is used of the quota, in thousandths.
    pub fn used(&self) -> u32 {
        let (quota, used) = (self.quota.max(1), self.quota.saturating_sub(self.remaining));
        u32::try_from(u128::from(used) * 1000 / u128::from(quota)).unwrap_or(1000)
    }
}

impl Decision {
    /// Whether every charge was admitted.
    pub fn is_admitted(&self) -> bool {
        self.standings.iter().all(|standing| standing.retry_after.is_none())
    }
}
