//! The statistics of one rule over time.

use super::*;

const MINUTE: u64 = 60_000_000_000;
const HOUR: u64 = 60 * MINUTE;

fn at(nanoseconds: u64) -> Nanos {
    Nanos::new(nanoseconds)
}

fn counts(totals: Totals) -> [u64; 4] {
    [totals.requests, totals.refusals, totals.near_misses, totals.distinct_values]
}

#[test]
fn what_was_seen_leaves_the_hour_and_then_the_day() {
    let statistics = RuleStatistics::default();
    for (minute, value, outcome) in [
        (0, "ada", Outcome::Admitted),
        (0, "ada", Outcome::NearMiss),
        (1, "ada", Outcome::Refused),
        (70, "grace", Outcome::Refused),
    ] {
        statistics.record(at(minute * MINUTE), value.as_bytes(), outcome);
    }
    let totals = |now, period| counts(statistics.totals(at(now), period));
    assert_eq!(totals(MINUTE, Period::Hour), [3, 1, 1, 1]);
    assert_eq!(totals(59 * MINUTE, Period::Hour), [3, 1, 1, 1]);
    assert_eq!(totals(70 * MINUTE, Period::Hour), [1, 1, 0, 1]);
    assert_eq!(totals(70 * MINUTE, Period::Day), [4, 2, 1, 2]);
    assert_eq!(totals(24 * HOUR, Period::Day), [1, 1, 0, 1]);
    assert_eq!(totals(48 * HOUR, Period::Day), [0; 4]);
}

#[test]
fn what_is_cleared_is_counted_afresh() {
    let statistics = RuleStatistics::default();
    let record = |value: &str| statistics.record(at(0), value.as_bytes(), Outcome::Refused);
    ["ada", "grace", "ada"].into_iter().for_each(record);
    let top = || statistics.top(at(0), Period::Day, Ranking::Refusals, 10).len();
    assert_eq!((counts(statistics.totals(at(0), Period::Hour)), top()), ([3, 3, 0, 2], 2));
    // Some of it is still with the thread that counted it.
    record("joan");
    statistics.clear();
    for period in [Period::Hour, Period::Day] {
        assert_eq!(counts(statistics.totals(at(0), period)), [0; 4]);
    }
    assert_eq!(top(), 0);
    record("ada");
    assert_eq!(counts(statistics.totals(at(0), Period::Day)), [1, 1, 0, 1]);
}

#[test]
fn the_most_frequent_come_first_and_refusals_have_a_ranking_of_their_own() {
    let statistics = RuleStatistics::default();
    for (value, admitted, refused) in [("ada", 5, 0), ("grace", 3, 1), ("joan", 0, 3)] {
        (0..admitted).for_each(|_| statistics.record(at(0), value.as_bytes(), Outcome::Admitted));
        (0..refused).for_each(|_| statistics.record(at(0), value.as_bytes(), Outcome::Refused));
    }
    let top = |ranking, limit| {
        let top = statistics.top(at(MINUTE), Period::Hour, ranking, limit);
        assert!(top.iter().all(|top| top.at_least == top.at_most), "{top:?}");
        top.into_iter().map(|top| (top.value, top.at_least)).collect::<Vec<_>>()
    };
    let named = |named: &[(&str, u64)]| {
        named.iter().map(|(name, count)| ((*name).into(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(top(Ranking::Requests, 10), named(&[("ada", 5), ("grace", 4), ("joan", 3)]));
    assert_eq!(top(Ranking::Refusals, 10), named(&[("joan", 3), ("grace", 1)]));
    assert_eq!(top(Ranking::Requests, 1), named(&[("ada", 5)]));
}

#[test]
fn a_flood_of_values_hides_nobody_who_asks_much() {
    let statistics = RuleStatistics::default();
    for number in 0..20_000_u32 {
        statistics.record(at(0), format!("flood-{number}").as_bytes(), Outcome::Admitted);
        if number % 10 == 0 {
            statistics.record(at(0), b"ada", Outcome::Refused);
        }
    }
    let top = statistics.top(at(0), Period::Hour, Ranking::Requests, 1);
    assert_eq!(top.first().map(|top| top.value.as_str()), Some("ada"));
    assert!(top.iter().all(|top| (top.at_least..=top.at_most).contains(&2000)), "{top:?}");
    let distinct = statistics.totals(at(0), Period::Day).distinct_values;
    assert!(distinct.abs_diff(20_001) < 20_001 * 5 * 33 / 1000, "{distinct}");
}

#[test]
fn threads_lose_nothing() {
    let statistics = RuleStatistics::default();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let statistics = &statistics;
            scope.spawn(move || {
                for number in 0..5_000_u32 {
                    let value = [thread % 2, u8::try_from(number % 8).unwrap()];
                    statistics.record(at(u64::from(number)), &value, Outcome::Refused);
                }
            });
        }
    });
    let [requests, refusals, near_misses, distinct] = counts(statistics.totals(at(5_000), Period::Hour));
    assert_eq!([requests, refusals, near_misses], [20_000, 20_000, 0]);
    // Sixteen values, some of which may share a register.
    assert!((13..=17).contains(&distinct), "{distinct}");
}

#[test]
fn less_than_a_fifth_left_is_a_near_miss() {
    let cases = [(10, 10, false), (2, 10, false), (1, 10, true), (0, 1, true), (0, 0, false)];
    for (remaining, quota, is_near) in cases {
        let expected = if is_near { Outcome::NearMiss } else { Outcome::Admitted };
        assert_eq!(Outcome::admitted(remaining, quota), expected, "{remaining} of {quota}");
    }
}

#[test]
fn rules_that_nobody_holds_are_forgotten() {
    let statistics = Statistics::default();
    let kept = statistics.of(&"a/kept".into());
    drop(statistics.of(&"a/dropped".into()));
    statistics.forget_unused();
    assert!(statistics.find("a/kept").is_some_and(|found| Arc::ptr_eq(&found, &kept)));
    assert!(statistics.find("a/dropped").is_none());
}
