//! Properties of the algorithms, over quotas up to the largest, any costs and factors, and clocks that jump.

mod oracle;
mod reference;

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::Quota;
use proptest::prelude::*;
use reference::Reference;

use super::*;
use crate::{Charge, Factors, Limit, Nanos, charge::nanoseconds};

/// One request: how far the clock moves before it, in thousandths of the window and nanoseconds, and what it asks, in
/// thousandths of the burst.
#[derive(Debug, Clone, Copy)]
struct Step {
    thousandths: i64,
    nanoseconds: i64,
    cost: u64,
    factors: Factors,
}

pub(crate) fn quotas() -> impl Strategy<Value = Quota> {
    let units = || prop_oneof![1..=5_u32, 1..=1000_u32, 1..=Quota::LARGEST];
    let windows = prop_oneof![
        Just(Quota::SHORTEST_WINDOW),
        (1..=100_u64).prop_map(Duration::from_secs),
        (nanoseconds(Quota::SHORTEST_WINDOW)..=nanoseconds(Quota::LONGEST_WINDOW))
            .prop_map(Duration::from_nanos),
        Just(Quota::LONGEST_WINDOW),
    ];
    (0..3, units(), windows, units()).prop_map(|(algorithm, limit, window, burst)| {
        // What refills in time.
        let most = Quota::LONGEST_WINDOW.as_nanos() * u128::from(limit) / window.as_nanos();
        let burst = u32::try_from(most.clamp(1, burst.into())).unwrap();
        let units = |units| NonZeroU32::new(units).unwrap();
        match algorithm {
            0 => Quota::token_bucket(units(limit), window, units(burst)),
            1 => Quota::window(Algorithm::SlidingWindow, units(limit), window),
            _ => Quota::window(Algorithm::FixedWindow, units(limit), window),
        }
        .unwrap()
    })
}

fn sliding(limit: u32) -> Quota {
    let limit = NonZeroU32::new(limit).unwrap();
    Quota::window(Algorithm::SlidingWindow, limit, Duration::from_secs(1)).unwrap()
}

/// A request for one unit.
fn one_of(quota: Quota) -> Effective {
    let step = Step { thousandths: 0, nanoseconds: 0, cost: 0, factors: Factors::default() };
    effective(quota, &step)
}

fn buckets() -> impl Strategy<Value = Quota> {
    quotas().prop_filter("a bucket", |quota| quota.algorithm() == Algorithm::TokenBucket)
}

pub(crate) fn factors() -> impl Strategy<Value = Factors> {
    let any =
        (0.1..2.0, 1.0..5.0, 1.0..2.0).prop_map(|(quota, cost, window)| Factors::new(quota, cost, window));
    prop_oneof![Just(Factors::default()), any]
}

fn forwards() -> impl Strategy<Value = i64> {
    prop_oneof![4 => Just(0), 4 => 0..=300_i64, 1 => 0..=2500_i64]
}

fn moves() -> impl Strategy<Value = i64> {
    prop_oneof![8 => forwards(), 1 => -300..=0_i64, 1 => -3000..=3000_i64, 1 => any::<i32>().prop_map(i64::from)]
}

fn steps(moves: impl Strategy<Value = i64>) -> impl Strategy<Value = Vec<Step>> {
    let costs = prop_oneof![Just(0), 0..=300_u64, 0..=2000_u64];
    let step = (moves, -2..=2_i64, costs, factors()).prop_map(|(thousandths, nanoseconds, cost, factors)| {
        Step { thousandths, nanoseconds, cost, factors }
    });
    prop::collection::vec(step, 1..60)
}

fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..=1_u64 << 60, Just(Nanos::LAST.get())]
}

/// Where the clock stands after a step.
fn moved(now: u64, step: &Step, quota: &Quota) -> u64 {
    let window = i128::from(nanoseconds(quota.length()));
    let now = i128::from(now) + window * i128::from(step.thousandths) / 1000 + i128::from(step.nanoseconds);
    u64::try_from(now.clamp(0, Nanos::LAST.get().into())).unwrap()
}

fn effective(quota: Quota, step: &Step) -> Effective {
    let limit = Limit { name: "any".into(), quota };
    let cost = u64::from(quota.burst().get()) * step.cost / 1000;
    let cost = NonZeroU32::new(u32::try_from(cost).unwrap()).unwrap_or(NonZeroU32::MIN);
    Effective::of(&Charge { limit: &limit, value: b"anybody", cost, factors: step.factors })
}

proptest! {
    #[test]
    fn as_the_reference_decides(quota in quotas(), steps in steps(moves()), mut now in starts()) {
        let (mut state, mut reference) = (State::default(), Reference::default());
        for step in &steps {
            now = moved(now, step, &quota);
            let asked = effective(quota, step);
            let settled = state.settle(&asked, now);
            let outcome = settled.charge(&asked, now);
            state = outcome.unwrap_or(settled);
            let expected = reference.ask(&asked, now.into());
            prop_assert_eq!((outcome.is_ok(), state.level(&asked, now)), expected, "{:?} at {}", asked, now);
        }
    }

    #[test]
    fn the_wait_is_exact_and_bounded(
        quota in quotas(), steps in steps(moves()), mut now in starts(),
    ) {
        let mut state = State::default();
        for step in &steps {
            now = moved(now, step, &quota);
            let asked = effective(quota, step);
            let settled = state.settle(&asked, now);
            state = match settled.charge(&asked, now) {
                Ok(state) => state,
                Err(Wait(wait)) => {
                    let later = |wait| settled.settle(&asked, now + wait).charge(&asked, now + wait);
                    prop_assert!(later(wait).is_ok());
                    prop_assert!(later(wait - 1).is_err());
                    let longest = match asked.algorithm {
                        Algorithm::TokenBucket => longest_debt(&quota),
                        _ => 2 * asked.window,
                    };
                    prop_assert!(wait <= longest, "{wait} {asked:?}");
                    settled
                }
            };
        }
    }

    #[test]
    fn no_jump_of_the_clock_admits_more_than_the_time_that_it_ran_forward(
        quota in quotas(), steps in steps(moves()), factors in factors(), mut now in starts(),
    ) {
        let (mut state, mut forward, mut admitted) = (State::default(), 0_u128, 0_u128);
        for (index, step) in steps.iter().enumerate() {
            let before = now;
            now = moved(now, step, &quota);
            if index > 0 {
                forward += u128::from(now.saturating_sub(before));
            }
            let asked = effective(quota, &Step { factors, ..*step });
            let settled = state.settle(&asked, now);
            let outcome = settled.charge(&asked, now);
            admitted += outcome.map_or(0, |_| u128::from(asked.cost));
            state = outcome.unwrap_or(settled);
            let earned = match quota.algorithm() {
                Algorithm::TokenBucket => {
                    u128::from(asked.burst) + forward / u128::from(asked.window.div_ceil(asked.limit))
                }
                _ => u128::from(asked.limit) * (1 + forward / u128::from(asked.window)),
            };
            prop_assert!(admitted <= earned, "{admitted} > {earned}");
        }
    }

    /// Against a log of what was admitted, which is no estimate.
    #[test]
    fn a_sliding_window_admits_less_than_twice_the_limit_in_any_window(
        limit in 1..=50_u32, steps in steps(forwards()),
    ) {
        let (quota, mut now, mut state) = (sliding(limit), 0, State::default());
        let mut log: Vec<(u64, u64)> = Vec::new();
        for step in &steps {
            now = moved(now, step, &quota).max(now);
            let asked = effective(quota, &Step { factors: Factors::default(), ..*step });
            let settled = state.settle(&asked, now);
            let Ok(charged) = settled.charge(&asked, now) else { state = settled; continue };
            state = charged;
            log.push((now, asked.cost));
            let in_window: u64 = log.iter().filter(|(at, _)| at + asked.window > now).map(|(_, cost)| cost).sum();
            prop_assert!(in_window < 2 * asked.limit, "{in_window} at {now}: {log:?}");
        }
    }

    /// Who asks evenly and no more than the rate is refused no more than once in a window.
    #[test]
    fn a_sliding_window_is_exact_to_a_unit_when_it_is_used_evenly(limit in 10..=200_u32) {
        let window = Duration::from_millis(u64::from(limit) * 10);
        let quota = Quota::window(Algorithm::SlidingWindow, NonZeroU32::new(limit).unwrap(), window).unwrap();
        let (asked, step) = (one_of(quota), nanoseconds(window) / u64::from(limit));
        let mut state = State::default();
        for window in 0..20 {
            let begin = window * asked.window;
            let mut admits = |now: u64| {
                let settled = state.settle(&asked, now);
                let outcome = settled.charge(&asked, now);
                state = outcome.unwrap_or(settled);
                outcome.is_ok()
            };
            let admitted = (0..asked.limit).map(|place| begin + place * step).filter(|now| admits(*now)).count();
            prop_assert!(admitted as u64 + 1 >= asked.limit, "{admitted} in window {window}");
        }
    }

    #[test]
    fn a_risky_request_forgives_nothing(quota in buckets(), steps in steps(forwards()), mut now in starts()) {
        let mut state = State::default();
        for step in &steps {
            now = now.max(moved(now, step, &quota));
            let asked = effective(quota, step);
            let settled = state.settle(&asked, now);
            prop_assert_eq!(settled.at, state.at, "{:?}", asked);
            state = settled.charge(&asked, now).unwrap_or(settled);
        }
    }

    #[test]
    fn some_request_may_owe_half_of_the_longest_debt_and_none_may_owe_more(quota in buckets()) {
        let capacity = |thousandths| {
            let factors = Factors::new(f64::from(thousandths) / 1000.0, 1.0, 2.0);
            let asked = effective(quota, &Step { thousandths: 0, nanoseconds: 0, cost: 0, factors });
            asked.burst * asked.window.div_ceil(asked.limit)
        };
        let most = (100..=2000).map(capacity).max().unwrap();
        let longest = longest_debt(&quota);
        prop_assert!(most <= longest && longest <= 2 * most, "{most} {longest}");
    }

    #[test]
    fn what_is_given_back_was_never_charged(
        quota in quotas(), steps in steps(forwards()), last in 0..20_usize, delay in 0..=2500_i64,
    ) {
        let (mut state, mut now) = (State::default(), 0);
        for step in steps.iter().take(last) {
            now = moved(now, step, &quota);
            let asked = effective(quota, step);
            let settled = state.settle(&asked, now);
            state = settled.charge(&asked, now).unwrap_or(settled);
        }
        let Some(step) = steps.get(last) else { return Ok(()) };
        now = now.max(moved(now, step, &quota));
        let (asked, charged) = (effective(quota, step), now);
        let Ok(with) = state.settle(&asked, now).charge(&asked, now) else { return Ok(()) };
        let later = moved(now, &Step { thousandths: delay, nanoseconds: 0, ..*step }, &quota);
        let level = |state: State| state.settle(&asked, later).level(&asked, later);
        prop_assert_eq!(level(with.give_back(&asked, charged)), level(state));
        prop_assert_eq!(level(with.settle(&asked, later).give_back(&asked, charged)), level(state));
    }
}

/// What the manual says of `10/min`: all ten in the last second of a minute, and nine more until the next one ends.
#[test]
fn a_sliding_window_that_is_packed_at_its_end_admits_nearly_twice_the_limit() {
    let asked = one_of(sliding(10));
    let (mut state, mut admitted) = (State::default(), Vec::new());
    // The first begins the window, the others come in its last hundredth.
    for hundredth in std::iter::once(0).chain(std::iter::repeat_n(99, 9)).chain(100..200) {
        let now = hundredth * asked.window / 100;
        let settled = state.settle(&asked, now);
        let outcome = settled.charge(&asked, now);
        admitted.extend(outcome.is_ok().then_some(hundredth));
        state = outcome.unwrap_or(settled);
    }
    assert_eq!(admitted.iter().filter(|hundredth| **hundredth < 100).count(), 10);
    assert_eq!(admitted.iter().filter(|hundredth| (99..199).contains(*hundredth)).count(), 18);
}

#[test]
fn no_debt_is_so_long_that_a_sum_overflows() {
    let quota = |limit, window, burst| {
        let units = |units| NonZeroU32::new(units).unwrap();
        Quota::token_bucket(units(limit), window, units(burst)).unwrap()
    };
    let longest = Quota::LONGEST_WINDOW;
    let cases = [
        quota(1, longest, 1),
        quota(19, longest, 19),
        quota(19, longest, 18),
        quota(Quota::LARGEST, longest, Quota::LARGEST),
        quota(1, Quota::SHORTEST_WINDOW, 26_784_000),
        quota(Quota::LARGEST, Quota::SHORTEST_WINDOW, Quota::LARGEST),
    ];
    for quota in cases {
        assert!(
            longest_debt(&quota) <= 4 * nanoseconds(longest) + 2 * u64::from(Quota::LARGEST),
            "{quota:?}"
        );
        for factors in [Factors::STRICTEST, Factors::default(), Factors::MOST_LENIENT] {
            let step = Step { thousandths: 0, nanoseconds: 0, cost: 1000, factors };
            let (asked, now) = (effective(quota, &step), Nanos::LAST.get());
            let empty = State { at: u64::MAX, ..State::default() }.settle(&asked, now);
            assert_eq!(empty.level(&asked, now).remaining, 0);
            let Err(Wait(wait)) = empty.charge(&asked, now) else { panic!("must be empty") };
            assert!(empty.settle(&asked, now + wait).charge(&asked, now + wait).is_ok());
        }
    }
}
