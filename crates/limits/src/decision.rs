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

impl Decision {
    /// Whether every charge was admitted.
    pub fn is_admitted(&self) -> bool {
        self.standings.iter().all(|standing| standing.retry_after.is_none())
    }

    /// The charge that stands worst: of the refused the one that takes longest, else the one with the smallest
    /// share of its quota left. `None` without charges.
    pub fn worst(&self) -> Option<(usize, &Standing)> {
        self.standings.iter().enumerate().max_by(|(_, one), (_, other)| {
            one.retry_after.cmp(&other.retry_after).then_with(|| {
                // Shares are compared across: one.used / one.quota against other.used / other.quota.
                let used = |standing: &Standing| standing.quota.saturating_sub(standing.remaining);
                (u128::from(used(one)) * u128::from(other.quota))
                    .cmp(&(u128::from(used(other)) * u128::from(one.quota)))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    fn standing(quota: u64, remaining: u64, retry_after: Option<u64>) -> Standing {
        Standing {
            quota,
            window: Duration::from_mins(1),
            remaining,
            reset: Duration::ZERO,
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn the_worst_is_who_waits_longest_or_else_who_has_least_left() {
        let cases = [
            (smallvec![standing(10, 5, None), standing(1000, 400, None)], Some(1), true),
            (smallvec![standing(10, 0, None), standing(10, 9, Some(1))], Some(1), false),
            (smallvec![standing(10, 0, Some(3)), standing(10, 0, Some(2))], Some(0), false),
            (smallvec![], None, true),
        ];
        for (standings, worst, admitted) in cases {
            let decision = Decision { standings };
            assert_eq!(decision.worst().map(|(index, _)| index), worst, "{decision:?}");
            assert_eq!(decision.is_admitted(), admitted, "{decision:?}");
        }
    }
}
