//! What is made of whom: the factors for each degree of risk, and for what else is known of a caller. Whoever judges a
//! request takes them from here, one [times](RiskFactors::times) the other.

use super::{Factors, RiskFactors};

impl RiskFactors {
    /// Of a caller of medium risk, or one of whom nothing is known: limits as they are.
    pub const MEDIUM: Self = Self::everywhere(AS_IT_IS);
    /// Of low risk: half as much again by address, twice as much by user.
    pub const LOW: Self = Self {
        address: Factors { quota: 1500, ..AS_IT_IS },
        user: Factors { quota: 2000, ..AS_IT_IS },
        ..Self::MEDIUM
    };
    /// Of high risk: half by address, and everything costs twice as much.
    pub const HIGH: Self = Self {
        address: Factors { quota: 500, cost: 2000, ..AS_IT_IS },
        ..Self::everywhere(Factors { cost: 2000, ..AS_IT_IS })
    };
    /// Of critical risk: a tenth by address and by user, and everything costs five times as much, in windows twice as long.
    pub const CRITICAL: Self = Self {
        address: Factors { quota: 100, cost: 5000, window: 2000 },
        user: Factors { quota: 100, cost: 5000, window: 2000 },
        ..Self::everywhere(Factors { cost: 5000, window: 2000, ..AS_IT_IS })
    };
    /// Of a program that is no browser: everything costs twice as much.
    pub const BOT: Self = Self::everywhere(Factors { cost: 2000, ..AS_IT_IS });
    /// Of an address that has sent more than [`BUSY`](Self::BUSY) requests lately: a tenth by address.
    pub const BUSY_ADDRESS: Self = Self { address: Factors { quota: 100, ..AS_IT_IS }, ..Self::MEDIUM };
    /// Of a session that is used from elsewhere than where its person was proven: half by user, and every request counts
    /// twice there.
    pub const MOVED: Self = Self { user: Factors { quota: 500, cost: 2000, ..AS_IT_IS }, ..Self::MEDIUM };
    /// From more requests than so many on an address counts as busy.
    pub const BUSY: u32 = 1000;

    const fn everywhere(factors: Factors) -> Self {
        Self { address: factors, user: factors, organization: factors, other: factors }
    }

    /// Both together, each kind of limit for itself.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self {
            address: self.address.times(other.address),
            user: self.user.times(other.user),
            organization: self.organization.times(other.organization),
            other: self.other.times(other.other),
        }
    }
}

const AS_IT_IS: Factors = Factors { quota: Factors::ONE, cost: Factors::ONE, window: Factors::ONE };

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use bartizan_model::Quota;

    use super::*;
    use crate::{Charge, DimensionKind, Limit, MemoryStore, Nanos};

    /// How many of 1000 requests a limit of 200 an hour by `kind` admits, and how many seconds its window has.
    fn admitted(risk: RiskFactors, kind: DimensionKind) -> (usize, u64) {
        let units = |units| NonZeroU32::new(units).unwrap();
        let quota = Quota::token_bucket(units(200), Duration::from_hours(1), units(200)).unwrap();
        let limit = Limit { name: "any".into(), quota };
        let charge = Charge { limit: &limit, value: b"anybody", cost: units(1), factors: risk.on([kind]) };
        let (store, now) = (MemoryStore::new(1), Nanos::new(0));
        let admitted = (0..1000).filter(|_| store.decide(now, &[charge]).is_admitted()).count();
        (admitted, store.standing(now, &charge).window.as_secs())
    }

    #[test]
    fn each_degree_of_risk_makes_of_limits_what_it_says() {
        use DimensionKind::{Address, Organization, Other, User};
        let (hour, two) = (3600, 7200);
        let cases = [
            ("medium", RiskFactors::MEDIUM, [200, 200, 200, 200], hour),
            ("low", RiskFactors::LOW, [300, 400, 200, 200], hour),
            ("high", RiskFactors::HIGH, [50, 100, 100, 100], hour),
            ("critical", RiskFactors::CRITICAL, [4, 4, 40, 40], two),
            ("bot", RiskFactors::BOT, [100, 100, 100, 100], hour),
            ("busy", RiskFactors::BUSY_ADDRESS, [20, 200, 200, 200], hour),
            ("moved", RiskFactors::MOVED, [200, 50, 200, 200], hour),
            ("a bot of low risk", RiskFactors::LOW.times(RiskFactors::BOT), [150, 200, 100, 100], hour),
            ("a bot of high risk", RiskFactors::HIGH.times(RiskFactors::BOT), [25, 50, 50, 50], hour),
            ("no more than allowed", RiskFactors::CRITICAL.times(RiskFactors::CRITICAL), [4, 4, 40, 40], two),
        ];
        for (who, risk, expected, window) in cases {
            for (kind, expected) in [Address, User, Organization, Other].into_iter().zip(expected) {
                assert_eq!(admitted(risk, kind), (expected, window), "{who}, {kind:?}");
            }
        }
        assert_eq!(RiskFactors::MEDIUM, RiskFactors::default());
    }
}
