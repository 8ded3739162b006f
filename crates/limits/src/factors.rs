//! What a request's risk makes of a limit: factors on the quota, the cost and the window.

mod figures;

use std::num::NonZeroU32;

use crate::DimensionKind;

/// The factors of one request on one limit. They are kept in thousandths, so that every backend computes the same.
///
/// A quota shrinks or grows for this request only: what is counted stays counted. What a client is told is the quota,
/// the window and what is left of them for *its* request; the next one may find others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factors {
    quota: u32,
    cost: u32,
    window: u32,
}

impl Default for Factors {
    fn default() -> Self {
        Self { quota: Self::ONE, cost: Self::ONE, window: Self::ONE }
    }
}

impl Factors {
    /// The factor that changes nothing, in thousandths.
    pub const ONE: u32 = 1000;

    /// Of each factor the one that admits least.
    pub(crate) const STRICTEST: Self = Self { quota: 100, cost: 5000, window: 2000 };
    /// Of each factor the one that admits most.
    pub(crate) const MOST_LENIENT: Self = Self { quota: 2000, cost: Self::ONE, window: Self::ONE };

    /// Factors on the quota (0.1 to 2), on the cost (1 to 5) and on the window (1 to 2). What lies outside is
    /// brought to the nearest that is allowed; what is not a number changes nothing.
    pub fn new(quota: f64, cost: f64, window: f64) -> Self {
        Self::of_thousandths(thousandths(quota), thousandths(cost), thousandths(window))
    }

    /// The same of factors in thousandths.
    pub fn of_thousandths(quota: u32, cost: u32, window: u32) -> Self {
        Self {
            quota: quota.clamp(Self::STRICTEST.quota, Self::MOST_LENIENT.quota),
            cost: cost.clamp(Self::MOST_LENIENT.cost, Self::STRICTEST.cost),
            window: window.clamp(Self::MOST_LENIENT.window, Self::STRICTEST.window),
        }
    }

    /// On the units that a window admits, in thousandths.
    pub fn quota(self) -> u32 {
        self.quota
    }

    /// On what the request costs, in thousandths.
    pub fn cost(self) -> u32 {
        self.cost
    }

    /// On the length of the window, in thousandths.
    pub fn window(self) -> u32 {
        self.window
    }

    /// So many units of a quota as they stand for the request: at least one, so that nobody is locked out.
    pub fn of_quota(self, units: NonZeroU32) -> u64 {
        (u64::from(units.get()) * u64::from(self.quota) / u64::from(Self::ONE)).max(1)
    }

    /// A window of so many nanoseconds as it stands for the request.
    pub(crate) fn of_window(self, nanoseconds: u64) -> u64 {
        nanoseconds / u64::from(Self::ONE) * u64::from(self.window)
    }

    /// Whether they admit less than without them.
    pub fn are_strict(self) -> bool {
        self.quota < Self::ONE || self.cost > Self::ONE || self.window > Self::ONE
    }

    /// The smaller quota, the higher cost and the longer window of the two.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            quota: self.quota.min(other.quota),
            cost: self.cost.max(other.cost),
            window: self.window.max(other.window),
        }
    }

    /// Both together: each factor times that of the other, as far as it is allowed.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        // At most 5000 times 5000.
        let product = |one: u32, another: u32| one * another / Self::ONE;
        Self {
            quota: product(self.quota, other.quota).clamp(Self::STRICTEST.quota, Self::MOST_LENIENT.quota),
            cost: product(self.cost, other.cost).clamp(Self::MOST_LENIENT.cost, Self::STRICTEST.cost),
            window: product(self.window, other.window)
                .clamp(Self::MOST_LENIENT.window, Self::STRICTEST.window),
        }
    }
}

/// The factors of one request on all limits, by what they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RiskFactors {
    /// On limits by address or network.
    pub address: Factors,
    /// On limits by user or API key.
    pub user: Factors,
    /// On limits by organisation.
    pub organization: Factors,
    /// On all others: by endpoint, route, header or claim.
    pub other: Factors,
}

impl RiskFactors {
    /// Those on a limit that counts by all of these together: of each factor the strictest, so that nobody is admitted
    /// more for being counted by a combination.
    pub fn on(&self, kinds: impl IntoIterator<Item = DimensionKind>) -> Factors {
        let each = kinds.into_iter().map(|kind| match kind {
            DimensionKind::Address => self.address,
            DimensionKind::User => self.user,
            DimensionKind::Organization => self.organization,
            DimensionKind::Other => self.other,
        });
        each.reduce(Factors::stricter).unwrap_or_default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "brought to the nearest that is one"
)]
fn thousandths(factor: f64) -> u32 {
    if factor.is_nan() { Factors::ONE } else { (factor * 1000.0).round() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_brought_back() {
        let cases = [
            ((1.0, 1.0, 1.0), (1000, 1000, 1000)),
            ((0.0, 0.0, 0.0), (100, 1000, 1000)),
            ((9.0, 9.0, 9.0), (2000, 5000, 2000)),
            ((-1.0, f64::INFINITY, f64::NEG_INFINITY), (100, 5000, 1000)),
            ((f64::NAN, f64::NAN, f64::NAN), (1000, 1000, 1000)),
            ((0.333_33, 1.5, 1.25), (333, 1500, 1250)),
        ];
        for ((quota, cost, window), expected) in cases {
            let factors = Factors::new(quota, cost, window);
            assert_eq!((factors.quota(), factors.cost(), factors.window()), expected);
        }
    }

    #[test]
    fn no_quota_shrinks_to_nothing() {
        let cases = [(1, 0.1, 1), (9, 0.1, 1), (10, 0.1, 1), (25, 0.1, 2), (1, 1.5, 1), (100, 2.0, 200)];
        for (units, quota, expected) in cases {
            let units = NonZeroU32::new(units).unwrap();
            assert_eq!(Factors::new(quota, 1.0, 1.0).of_quota(units), expected, "{units} {quota}");
        }
    }

    #[test]
    fn a_combination_has_the_strictest_of_its_parts() {
        use DimensionKind::{Address, Organization, Other, User};
        let risk = RiskFactors {
            address: Factors::new(0.5, 2.0, 1.0),
            user: Factors::new(2.0, 1.0, 2.0),
            organization: Factors::new(1.5, 1.0, 1.0),
            other: Factors::default(),
        };
        let cases: [(&[DimensionKind], Factors); 6] = [
            (&[], Factors::default()),
            (&[Address], risk.address),
            (&[User], risk.user),
            (&[User, Address], Factors::new(0.5, 2.0, 2.0)),
            (&[Organization, Other], Factors::default()),
            (&[Organization, User], Factors::new(1.5, 1.0, 2.0)),
        ];
        for (kinds, expected) in cases {
            assert_eq!(risk.on(kinds.iter().copied()), expected, "{kinds:?}");
        }
    }
}
