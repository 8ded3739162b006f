//! What a decision costs with a million live keys, with `governor` (keyed, which decides one dimension) beside it, and
//! what ten million keys take: memory, and the time to forget them.

#![expect(clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bartizan_limits::{Charge, Clock, Factors, Limit, MemoryStore, Nanos};
use bartizan_model::Quota;
use divan::{AllocProfiler, Bencher, black_box};
use governor::{DefaultKeyedRateLimiter, RateLimiter};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const LIVE: u64 = 1_000_000;
/// Enough for all of them, however unevenly they fall.
const ROOM: u64 = LIVE + LIVE / 4;
const MANY: u64 = 10_000_000;
const THREADS: [usize; 2] = [1, 2];
const HOUR: Duration = Duration::from_hours(1);

fn main() {
    divan::main();
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn one_dimension(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(["address"], Quota::LARGEST, ROOM);
    bencher.with_inputs(|| shop.somebody()).bench_values(|value| shop.decide(&value));
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn one_dimension_by_governor(bencher: Bencher<'_, '_>) {
    let quota = governor::Quota::with_period(HOUR / Quota::LARGEST).unwrap();
    let limiter: DefaultKeyedRateLimiter<[u8; 16]> =
        RateLimiter::keyed(quota.allow_burst(NonZeroU32::new(Quota::LARGEST).unwrap()));
    for number in 0..LIVE {
        limiter.check_key(&value(number)).unwrap();
    }
    let somebody = Somebody::among(LIVE);
    bencher.with_inputs(|| somebody.next()).bench_values(|value| limiter.check_key(&value).is_ok());
}

#[divan::bench(threads = THREADS, sample_size = 1000)]
fn four_dimensions(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(["address", "user", "organization", "key"], Quota::LARGEST, ROOM);
    bencher.with_inputs(|| shop.somebody()).bench_values(|value| shop.decide(&value));
}

/// Nobody has anything left: the same reads, and everything that was charged is taken back.
#[divan::bench(threads = THREADS, sample_size = 1000)]
fn four_dimensions_refused(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(["address", "user", "organization", "key"], 1, ROOM);
    bencher.with_inputs(|| shop.somebody()).bench_values(|value| shop.decide(&value));
}

/// Everybody is new to a store that is full: each pushes out somebody.
#[divan::bench(sample_size = 1000)]
fn one_dimension_of_a_flood(bencher: Bencher<'_, '_>) {
    let shop = Shop::open(["address"], 1, LIVE);
    let next = AtomicU64::new(LIVE);
    bencher
        .with_inputs(|| value(next.fetch_add(1, Ordering::Relaxed)))
        .bench_values(|value| shop.decide(&value));
}

/// The memory is in the columns of the allocator.
#[divan::bench(sample_count = 1, sample_size = 1)]
fn ten_million_keys_added() -> MemoryStore {
    filled(MANY)
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn ten_million_keys_swept(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| filled(MANY)).bench_refs(|store| store.sweep(Nanos::LAST));
}

/// A store with a million live keys, spread evenly over its limits.
struct Shop {
    store: MemoryStore,
    clock: Clock,
    limits: Vec<Limit>,
    somebody: Somebody,
}

impl Shop {
    fn open<const LIMITS: usize>(names: [&str; LIMITS], burst: u32, room: u64) -> Self {
        let shop = Self {
            store: MemoryStore::new(usize::try_from(room).unwrap()),
            clock: Clock::monotonic(),
            limits: names.map(|name| limit(name, burst)).into(),
            somebody: Somebody::among(LIVE / u64::try_from(LIMITS).unwrap()),
        };
        for number in 0..shop.somebody.many {
            assert!(shop.decide(&value(number)));
        }
        shop
    }

    fn somebody(&self) -> [u8; 16] {
        self.somebody.next()
    }

    fn decide(&self, value: &[u8]) -> bool {
        let now = self.clock.now();
        let charge = |limit| Charge { limit, value, cost: NonZeroU32::MIN, factors: Factors::default() };
        match self.limits.as_slice() {
            [one] => self.store.decide(now, &[charge(one)]),
            [one, two, three, four] => {
                self.store.decide(now, &[charge(one), charge(two), charge(three), charge(four)])
            }
            _ => return false,
        }
        .is_admitted()
    }
}

/// Draws values in an order that no cache foresees.
struct Somebody {
    drawn: AtomicU64,
    many: u64,
}

impl Somebody {
    fn among(many: u64) -> Self {
        Self { drawn: AtomicU64::new(0), many }
    }

    fn next(&self) -> [u8; 16] {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        value((drawn >> 20) % self.many)
    }
}

fn filled(keys: u64) -> MemoryStore {
    let (store, limit) = (MemoryStore::new(usize::try_from(keys).unwrap()), limit("address", 10));
    for number in 0..keys {
        let value = value(number);
        let charge =
            Charge { limit: &limit, value: &value, cost: NonZeroU32::MIN, factors: Factors::default() };
        black_box(store.decide(Nanos::new(0), &[charge]));
    }
    store
}

fn limit(name: &str, burst: u32) -> Limit {
    let burst = NonZeroU32::new(burst).unwrap();
    Limit { name: Arc::from(name), quota: Quota::token_bucket(burst, HOUR, burst).unwrap() }
}

/// An address, as its bytes.
fn value(number: u64) -> [u8; 16] {
    (u128::from(number) | 0x2001_0db8 << 96).to_be_bytes()
}
