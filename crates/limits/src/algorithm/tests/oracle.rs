//! `governor` as an oracle: another implementation of the same bucket must decide and wait alike.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    Quota as Theirs, RateLimiter,
    clock::{Clock as _, FakeRelativeClock},
};
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn as_governor_decides(
        interval in 1_000..=10_000_000_u64,
        limit in 100..=10_000_u32,
        burst in 1..=200_u32,
        steps in prop::collection::vec((0..=3000_u64, 0..=2_u64, 1..=200_u32), 1..80),
    ) {
        let units = |units| NonZeroU32::new(units).unwrap();
        // Whole microseconds, as factors need them.
        let interval = Duration::from_micros(interval);
        let quota = Quota::token_bucket(units(limit), interval * limit, units(burst));
        let Ok(quota) = quota else { return Ok(()) };
        let clock = FakeRelativeClock::default();
        let theirs = Theirs::with_period(interval).unwrap().allow_burst(units(burst));
        let theirs = RateLimiter::direct_with_clock(theirs, clock.clone());
        let limit = Limit { name: "any".into(), quota };
        let (mut state, mut now) = (State::default(), 0);
        for (thousandths, jitter, cost) in steps {
            let passed = nanoseconds(interval) * thousandths / 1000 + jitter;
            now += passed;
            clock.advance(Duration::from_nanos(passed));
            let cost = units(cost.min(burst));
            let asked = Effective::of(&Charge { limit: &limit, value: b"any", cost, factors: Factors::default() });
            let settled = state.settle(&asked, now);
            let ours = settled.charge(&asked, now);
            let wait = theirs.check_n(cost).unwrap().map_err(|until| until.wait_time_from(clock.now()));
            prop_assert_eq!(ours.map(drop), wait.map(drop).map_err(|wait| Wait(nanoseconds(wait))));
            state = ours.unwrap_or(settled);
        }
    }
}
