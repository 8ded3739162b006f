//! What several charges and several threads make of one store. The algorithms themselves are tested where they are.

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
};

use proptest::prelude::*;

use super::*;
use crate::{
    Clock, Factors,
    algorithm::tests::{factors, quotas},
};

const SECOND: u64 = 1_000_000_000;

fn units(units: u32) -> NonZeroU32 {
    NonZeroU32::new(units).unwrap()
}

fn bucket(name: &str, per_minute: u32) -> Limit {
    let quota = Quota::token_bucket(units(per_minute), Duration::from_mins(1), units(per_minute)).unwrap();
    Limit { name: name.into(), quota }
}

fn window(name: &str, algorithm: Algorithm, per_minute: u32) -> Limit {
    let quota = Quota::window(algorithm, units(per_minute), Duration::from_mins(1)).unwrap();
    Limit { name: name.into(), quota }
}

fn charge<'a>(limit: &'a Limit, value: &'a str, cost: u32) -> Charge<'a> {
    Charge { limit, value: value.as_bytes(), cost: units(cost), factors: Factors::default() }
}

fn every_algorithm(per_minute: u32) -> [Limit; 3] {
    [
        bucket("limit", per_minute),
        window("limit", Algorithm::SlidingWindow, per_minute),
        window("limit", Algorithm::FixedWindow, per_minute),
    ]
}

/// Of policies that are there for those who guess, or fill disks: what passes, not what they say.
#[test]
fn built_in_policies_that_guard_admit_in_their_first_window_what_they_say() {
    for (name, expected) in [
        ("auth", vec![(300, 10)]),
        ("upload", vec![(300, 5)]),
        ("strict", vec![(3600, 10)]),
        ("login", vec![(60, 5), (900, 20)]),
    ] {
        let policy = bartizan_config::LimitPolicy::built_in(&name.parse().unwrap()).unwrap();
        let limits: Vec<_> = policy
            .rules
            .iter()
            .filter_map(|rule| match rule.amount {
                bartizan_config::Amount::Rate(quota) => {
                    Some(Limit { name: Limit::name_of(&policy.name, &rule.name), quota })
                }
                bartizan_config::Amount::Concurrent(_) => None,
            })
            .collect();
        let charges: Vec<_> = limits.iter().map(|limit| charge(limit, "192.0.2.7", 1)).collect();
        let store = MemoryStore::new(1000);
        let admitted: Vec<u64> = (0..3600)
            .filter(|second| store.decide(Nanos::new(second * SECOND), &charges).is_admitted())
            .collect();
        for (window, most) in expected {
            let passed = admitted.iter().filter(|second| **second < window).count();
            assert_eq!(passed, most, "{name}, in {window} s");
        }
    }
}

#[test]
fn a_refusal_in_one_dimension_charges_none_and_leaves_nothing_behind() {
    for address in every_algorithm(10) {
        let (store, now, user) = (MemoryStore::new(1000), Nanos::new(0), bucket("user", 2));
        let both = [charge(&address, "::1", 1), charge(&user, "ann", 1)];
        assert!(store.decide(now, &both).is_admitted());
        assert!(store.decide(now, &both).is_admitted());
        let with_new = [charge(&address, "::2", 1), charge(&user, "ann", 1), charge(&user, "bob", 1)];
        for charges in [&both[..], &with_new] {
            let decision = store.decide(now, charges);
            let refused: Vec<_> = decision.standings.iter().map(|s| s.retry_after.is_some()).collect();
            assert_eq!(refused, charges.iter().map(|charge| charge.value == b"ann").collect::<Vec<_>>());
            assert_eq!(store.len(), 2, "no entry for who was not charged");
        }
        assert_eq!(store.standing(now, &both[0]).remaining, 8);
        assert_eq!(store.standing(now, &with_new[0]).remaining, 10);
    }
}

#[test]
fn charges_that_meet_in_one_key_count_one_after_the_other() {
    for limit in every_algorithm(5) {
        let (store, now) = (MemoryStore::new(1000), Nanos::new(0));
        let decision = store.decide(now, &[charge(&limit, "ann", 2), charge(&limit, "ann", 3)]);
        assert!(decision.is_admitted());
        assert!(decision.standings.iter().all(|standing| standing.remaining == 0), "{decision:?}");

        let decision = store.decide(now, &[charge(&limit, "bob", 3), charge(&limit, "bob", 3)]);
        assert_eq!(
            decision.standings.iter().map(|s| (s.remaining, s.retry_after.is_some())).collect::<Vec<_>>(),
            [(5, false), (5, true)],
            "the second has no room beside the first, and neither is charged"
        );
        assert_eq!(store.len(), 1);
    }
}

#[test]
fn looking_charges_nothing_and_says_how_long_to_wait() {
    for limit in every_algorithm(5) {
        let (store, now) = (MemoryStore::new(1000), Nanos::new(SECOND));
        let (all, one) = (charge(&limit, "ann", 5), charge(&limit, "ann", 1));
        assert_eq!((store.standing(now, &one).remaining, store.len()), (5, 0));
        assert!(store.decide(now, &[all]).is_admitted());
        let seen = store.standing(now, &one);
        assert_eq!(Some(&seen), store.decide(now, &[one]).standings.first());
        let wait = nanoseconds(seen.retry_after.unwrap());
        assert!(store.standing(Nanos::new(SECOND + wait - 1), &one).retry_after.is_some());
        assert!(!store.decide(Nanos::new(SECOND + wait - 1), &[one]).is_admitted());
        assert!(store.decide(Nanos::new(SECOND + wait), &[one]).is_admitted());
    }
}

#[test]
fn what_is_given_back_late_comes_out_of_the_window_that_it_was_charged_to() {
    for limit in &every_algorithm(10)[1..] {
        let (store, late) = (MemoryStore::new(1000), Nanos::new(60 * SECOND));
        assert!(store.decide(Nanos::new(0), &[charge(limit, "ann", 3)]).is_admitted());
        assert!(store.decide(late, &[charge(limit, "ann", 2)]).is_admitted());
        store.give_back(Nanos::new(0), &[charge(limit, "ann", 3), charge(limit, "bob", 3)]);
        assert_eq!(store.standing(late, &charge(limit, "ann", 1)).remaining, 8, "{limit:?}");
        assert_eq!(store.len(), 1, "nothing was taken from bob");
    }
}

#[test]
fn a_clock_that_jumped_back_costs_one_window_and_not_the_jump() {
    // For whoever has used up all and wants all again. Of a bucket it is the most that the largest factors may ever
    // leave owed: two windows where it holds all of the rate, at most four times what it takes to refill elsewhere,
    // and at least what the fewest units that factors may leave take to come back.
    let [bucket, sliding, fixed] = every_algorithm(5);
    let burst = |per_minute, burst| {
        let quota = Quota::token_bucket(units(per_minute), Duration::from_mins(1), units(burst)).unwrap();
        Limit { name: "limit".into(), quota }
    };
    let cases = [
        (fixed, 5, 60 * SECOND),
        (sliding, 5, 120 * SECOND),
        (bucket, 5, 120 * SECOND + 10),
        (burst(100, 20), 20, 26_400_000_040),
        (burst(5, 10), 10, 480 * SECOND + 20),
        (burst(20, 5), 5, 60 * SECOND),
    ];
    for (limit, units, expected) in cases {
        let (store, all) = (MemoryStore::new(1000), charge(&limit, "ann", units));
        assert!(store.decide(Nanos::new(1_000_000 * SECOND), &[all]).is_admitted());
        let refused = store.decide(Nanos::new(5 * SECOND), &[all]);
        let wait = refused.standings[0].retry_after.unwrap();
        assert_eq!(nanoseconds(wait), expected, "{limit:?}");
        assert!(store.decide(Nanos::new(5 * SECOND + expected), &[all]).is_admitted());
    }
}

#[test]
fn limits_count_apart_by_name_window_algorithm_and_value() {
    let (store, now) = (MemoryStore::new(1000), Nanos::new(0));
    let mut limits = every_algorithm(1).to_vec();
    limits.push(bucket("other", 1));
    let hourly = Quota::token_bucket(units(1), Duration::from_hours(1), units(1)).unwrap();
    limits.push(Limit { name: "limit".into(), quota: hourly });
    for limit in &limits {
        for value in ["", "ann", "limit", "ann\0"] {
            assert!(store.decide(now, &[charge(limit, value, 1)]).is_admitted(), "{limit:?} {value:?}");
            assert!(!store.decide(now, &[charge(limit, value, 1)]).is_admitted(), "{limit:?} {value:?}");
        }
    }
    let larger = window("limit", Algorithm::FixedWindow, 10);
    assert_eq!(
        store.standing(now, &charge(&larger, "ann", 1)).remaining,
        9,
        "a larger limit keeps its count"
    );
}

#[test]
fn a_value_that_is_reset_begins_afresh() {
    let (store, now, limit) = (MemoryStore::new(1000), Nanos::new(0), bucket("limit", 1));
    store.decide(now, &[charge(&limit, "ann", 1)]);
    assert!(!store.reset(&limit, b"bob"));
    assert!(store.reset(&limit, b"ann"));
    assert!(!store.reset(&limit, b"ann"));
    assert!(store.is_empty());
    assert!(store.decide(now, &[charge(&limit, "ann", 1)]).is_admitted());
}

#[test]
fn a_sweep_forgets_what_has_expired_and_nothing_else() {
    let store = MemoryStore::new(100_000);
    let [bucket, sliding, fixed] = every_algorithm(60);
    for number in 0..1000 {
        let value = number.to_string();
        store.decide(Nanos::new(0), &[charge(&bucket, &value, 1 + number % 2), charge(&fixed, &value, 1)]);
    }
    store.decide(Nanos::new(0), &[charge(&sliding, "ann", 1)]);
    assert_eq!(store.sweep(Nanos::new(SECOND)), 500);
    assert_eq!(store.sweep(Nanos::new(119 * SECOND)), 500);
    assert_eq!(store.sweep(Nanos::new(120 * SECOND)), 1000, "twice the window, which a factor may double");
    assert_eq!((store.sweep(Nanos::new(239 * SECOND)), store.len()), (0, 1));
    assert_eq!((store.sweep(Nanos::new(240 * SECOND)), store.is_empty()), (1, true));
}

#[test]
fn a_flood_of_new_values_stays_within_the_bound_and_frees_nobody_who_is_limited() {
    let (store, now) = (MemoryStore::new(2000), Nanos::new(0));
    let (login, pages) = (bucket("login", 5), bucket("pages", 1_000_000));
    assert!(store.decide(now, &[charge(&login, "ann", 5)]).is_admitted());
    for number in 0..50_000 {
        let value = number.to_string();
        let flood = [charge(&pages, &value, 1), charge(&pages, "all", 1)];
        store.decide(now, &flood);
    }
    assert!((1800..=2000).contains(&store.len()), "{}", store.len());
    assert!(!store.decide(now, &[charge(&login, "ann", 1)]).is_admitted());
}

#[test]
fn a_store_smaller_than_one_request_still_decides_it() {
    let (store, limit) = (MemoryStore::new(0), bucket("limit", 1));
    let values = ["a", "b", "c", "d", "e", "f"];
    let charges = values.map(|value| charge(&limit, value, 1));
    assert!(store.decide(Nanos::new(0), &charges).is_admitted());
    assert!(!store.decide(Nanos::new(0), &charges).is_admitted());
    assert!(store.len() <= values.len());
}

#[test]
fn many_threads_on_one_key_are_admitted_exactly_as_often_as_the_limit_says() {
    for limit in every_algorithm(1000) {
        let (store, total, now) = (MemoryStore::new(10_000), bucket("total", 100_000), Nanos::new(7));
        let (admitted, barrier) = (AtomicU32::new(0), Barrier::new(64));
        std::thread::scope(|scope| {
            for thread in 0..64 {
                let (store, limit, total, admitted, barrier) = (&store, &limit, &total, &admitted, &barrier);
                scope.spawn(move || {
                    let own = thread.to_string();
                    barrier.wait();
                    for _ in 0..100 {
                        let mut charges =
                            [charge(limit, "all", 1), charge(total, "all", 1), charge(total, &own, 1)];
                        charges.rotate_left(thread % 3);
                        admitted
                            .fetch_add(store.decide(now, &charges).is_admitted().into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1000);
        assert_eq!(
            store.standing(now, &charge(&total, "all", 1)).remaining,
            99_000,
            "charged as often as admitted"
        );
    }
}

/// One request of the property below: nanoseconds until it comes, and its charges by limit, value, cost, factors.
type Request = (u64, Vec<(usize, u8, u32, Factors)>);

fn requests() -> impl Strategy<Value = Vec<Request>> {
    let passed = prop_oneof![Just(0), 0..SECOND, 0..100 * SECOND];
    let charge = (0..3_usize, 0..3_u8, 1..=20_u32, factors());
    prop::collection::vec((passed, prop::collection::vec(charge, 0..6)), 1..40)
}

proptest! {
    /// The store against a map of states, copied for each request and charged only when nothing was refused.
    #[test]
    fn all_or_none_as_one_state_after_the_other(quotas in prop::array::uniform3(quotas()), requests in requests()) {
        let store = MemoryStore::new(100_000);
        let limits = ["a", "b", "c"].into_iter().zip(quotas);
        let limits: Vec<_> = limits.map(|(name, quota)| Limit { name: name.into(), quota }).collect();
        let (mut model, mut now) = (HashMap::<(usize, u8), State>::new(), 0);
        for (passed, asked) in &requests {
            now += passed;
            let charges: Vec<_> = asked
                .iter()
                .map(|(limit, value, cost, factors)| Charge {
                    limit: &limits[*limit],
                    value: std::slice::from_ref(value),
                    cost: units(*cost),
                    factors: *factors,
                })
                .collect();
            let (mut next, mut settled) = (model.clone(), Vec::new());
            let mut waits = Vec::new();
            for ((limit, value, ..), charge) in asked.iter().zip(&charges) {
                let (state, quota) = (next.entry((*limit, *value)).or_default(), Effective::of(charge));
                *state = state.settle(&quota, now);
                settled.push(((*limit, *value), *state));
                let charged = state.charge(&quota, now);
                *state = charged.unwrap_or(*state);
                waits.push(charged.err().map(|Wait(wait)| Duration::from_nanos(wait)));
            }
            let refused = waits.iter().any(Option::is_some);
            if refused {
                model.extend(settled.into_iter().rev());
            } else {
                model = next;
            }
            let before: Vec<_> = charges.iter().map(|charge| store.standing(Nanos::new(now), charge)).collect();
            let decision = store.decide(Nanos::new(now), &charges);
            let decided: Vec<_> = decision.standings.iter().map(|standing| standing.retry_after).collect();
            prop_assert_eq!(decided, waits);
            for ((standing, charge), (limit, value, ..)) in decision.standings.iter().zip(&charges).zip(asked) {
                let quota = Effective::of(charge);
                let kept = model.get(&(*limit, *value)).copied().unwrap_or_default();
                prop_assert_eq!(standing.remaining, kept.settle(&quota, now).level(&quota, now).remaining);
            }
            let keys: HashSet<_> = asked.iter().map(|(limit, value, ..)| (limit, value)).collect();
            if !refused && passed % 3 == 0 && keys.len() == asked.len() {
                store.give_back(Nanos::new(now), &charges);
                let after: Vec<_> = charges.iter().map(|charge| store.standing(Nanos::new(now), charge)).collect();
                prop_assert_eq!(&after, &before);
                for ((limit, value, ..), charge) in asked.iter().zip(&charges) {
                    model.entry((*limit, *value)).and_modify(|state| {
                        *state = state.give_back(&Effective::of(charge), now);
                    });
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn who_follows_another_store_stands_like_it_and_never_admits_what_it_refuses(
        quota in quotas(),
        older in 0..900_u64,
        steps in prop::collection::vec((0..1500_u64, 1..=1000_u64), 1..20),
        later in 0..2500_u64,
    ) {
        let limit = Limit { name: "limit".into(), quota };
        let thousandth = nanoseconds(quota.length()) / 1000;
        let (first, second) = (MemoryStore::new(256), MemoryStore::new(256));
        // What the first counts has begun before there was a second, as at a gateway that was started anew.
        let (old, young, mut passed) = (Nanos::LAST.get() / 2, Clock::monotonic().now().get(), older * thousandth);
        first.decide(Nanos::new(old), &[charge(&limit, "ann", 1)]);
        for (wait, share) in steps {
            passed += wait * thousandth;
            let (there, here) = (old + passed, young + passed - older * thousandth);
            let cost = u32::try_from(u64::from(quota.burst().get()) * share / 1000).unwrap().max(1);
            let charge = charge(&limit, "ann", cost);
            let decision = first.decide(Nanos::new(there), &[charge]);
            second.follow(Nanos::new(here), &[charge], &decision);
            let stands = |store: &MemoryStore, now| store.standing(Nanos::new(now), &charge);
            let (first_stands, second_stands) = (stands(&first, there), stands(&second, here));
            prop_assert_eq!(first_stands.remaining, second_stands.remaining);
            prop_assert_eq!(first_stands.reset, second_stands.reset);
            let later = later * thousandth;
            prop_assert!(stands(&second, here + later).remaining <= stands(&first, there + later).remaining);
        }
    }
}

#[test]
fn what_a_store_did_not_count_changes_nothing_for_who_follows_it() {
    for limit in every_algorithm(10) {
        let (store, now) = (MemoryStore::new(256), Nanos::new(SECOND));
        store.decide(now, &[charge(&limit, "ann", 4)]);
        store.follow(now, &[charge(&limit, "ann", 1)], &Decision::default());
        assert_eq!(store.standing(now, &charge(&limit, "ann", 1)).remaining, 6);
    }
}
