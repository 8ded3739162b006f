//! What it costs to remember a request: of a value that comes often, of one among many, and of one that nobody has seen.

use std::sync::atomic::{AtomicU64, Ordering};

use bartizan_limits::{Clock, Nanos, Outcome, Period, Ranking, RuleStatistics};
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const THREADS: [usize; 2] = [1, 2];

fn main() {
    divan::main();
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn one_value(bencher: Bencher<'_, '_>) {
    record(bencher, Outcome::Admitted, |_| 0);
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn among_a_thousand(bencher: Bencher<'_, '_>) {
    record(bencher, Outcome::Admitted, |number| number % 1000);
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn a_new_one_each_time(bencher: Bencher<'_, '_>) {
    record(bencher, Outcome::Admitted, |number| number);
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn a_new_one_each_time_refused(bencher: Bencher<'_, '_>) {
    record(bencher, Outcome::Refused, |number| number);
}

#[divan::bench]
fn totals_and_top_of_a_day(bencher: Bencher<'_, '_>) {
    let statistics = RuleStatistics::default();
    for number in 0..100_000_u64 {
        statistics.record(Nanos::default(), &number.to_be_bytes(), Outcome::Refused);
    }
    bencher.bench(|| {
        let top = statistics.top(Nanos::default(), Period::Day, Ranking::Refusals, 10);
        (statistics.totals(Nanos::default(), Period::Day), top)
    });
}

fn record(bencher: Bencher<'_, '_>, outcome: Outcome, value: impl Fn(u64) -> u64 + Sync) {
    let (statistics, clock, next) = (RuleStatistics::default(), Clock::monotonic(), AtomicU64::new(0));
    bencher
        .with_inputs(|| value(next.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
        .bench_values(|value| statistics.record(clock.now(), &value, outcome));
}
