//! The figures that the store of events is held to, at a million events.
//!
//! Events are made from a fixed seed (`SEED`): 20,000 addresses, 2,000 people, 40 routes, over 24 hours. Set
//! `BARTIZAN_BENCH_EVENTS` for another number of them.

#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use bartizan_events::{
    Decision, Dimension, Event, EventLog, Filter, HttpDetails, Kind, Order, QueueBounds, Settings, Span,
};
use divan::Bencher;

const SEED: u64 = 0x5eed_0006;
const WITHIN: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

fn main() {
    LazyLock::force(&FILLED);
    divan::main();
    FILLED.log.finish();
}

struct Filled {
    log: EventLog,
    now: SystemTime,
    _folder: tempfile::TempDir,
}

static FILLED: LazyLock<Filled> = LazyLock::new(|| {
    let count =
        std::env::var("BARTIZAN_BENCH_EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().expect("a directory");
    let log = open(folder.path());
    let (now, mut random) = (SystemTime::now(), Random(SEED));
    let step = DAY / count;
    let began = std::time::Instant::now();
    for index in 0..count {
        log.record(made(&mut random, now - DAY + step * index));
        // As fast as it is written: the queue is not what is measured.
        if index % 1024 == 0 {
            while log.waiting() > 16_384 {
                std::thread::yield_now();
            }
        }
    }
    log.flush();
    let took = began.elapsed();
    eprintln!("seed: {SEED:#x}");
    eprintln!("ingest: {count} events in {took:?}, {:.0}/s", f64::from(count) / took.as_secs_f64());
    Filled { log, now, _folder: folder }
});

fn open(directory: &std::path::Path) -> EventLog {
    let settings = Settings {
        directory: directory.join("events"),
        retention: 90 * DAY,
        queue: QueueBounds::default(),
        spill: 1 << 30,
    };
    EventLog::open(settings).expect("a log")
}

/// Numerical Recipes' generator for 64 bits: enough to spread values.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn made(random: &mut Random, moment: SystemTime) -> Event {
    let kinds = [Kind::RequestRefused, Kind::RequestAllowed, Kind::RateLimitExceeded, Kind::AttackDetected];
    let kind = kinds[usize::try_from(random.below(4)).unwrap_or_default()];
    let address = u32::try_from(random.below(20_000)).unwrap_or_default() + 0x0a00_0000;
    let mut event = Event::new(kind, moment, Decision::Refused, "GET /orders/7 was refused: not_found");
    event.address = Some(std::net::Ipv4Addr::from_bits(address).into());
    event.user = Some(format!("user-{}", random.below(2000)));
    event.route = Some(format!("/route-{}/**", random.below(40)));
    event.request = Some(format!("{:016x}{:016x}", random.below(u64::MAX), random.below(u64::MAX)));
    event.details.reason = Some("route_not_found".into());
    event.details.http = Some(Box::new(HttpDetails {
        method: "GET".into(),
        path: format!("/orders/{}", random.below(100_000)),
        query: "page=2&sort=date".into(),
        host: "shop.test".into(),
        user_agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0"
            .into(),
        version: "1.1".into(),
        status: Some(404),
        latency: Some(3),
        ..HttpDetails::default()
    }));
    event
}

#[divan::bench]
fn last_50() -> usize {
    let page = FILLED.log.page(&Filter::default(), Order::NewestFirst, None, 50, WITHIN);
    page.expect("a page").events.len()
}

#[divan::bench]
fn by_address_in_24_hours() -> usize {
    let filter = Filter {
        network: Some("10.0.0.77/32".parse().expect("a network")),
        span: day(),
        ..Filter::default()
    };
    FILLED.log.page(&filter, Order::NewestFirst, None, 50, WITHIN).expect("a page").events.len()
}

#[divan::bench]
fn counts_per_5_minutes_over_24_hours() -> usize {
    let filter = Filter { span: day(), ..Filter::default() };
    FILLED.log.counts(&filter, 5, WITHIN).expect("counts").buckets.len()
}

#[divan::bench]
fn top_10_addresses_over_24_hours() -> usize {
    let filter = Filter { span: day(), ..Filter::default() };
    FILLED.log.top(&filter, Dimension::Address, 10, WITHIN).expect("a ranking").values.len()
}

fn day() -> Span {
    Span::new(Some(FILLED.now - DAY), None)
}

/// What the road pays: an event that is already made, put into the queue.
#[divan::bench(sample_count = 1000, sample_size = 16)]
fn record(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a directory");
    let log = open(folder.path());
    let mut random = Random(SEED);
    bencher
        .with_inputs(|| made(&mut random, SystemTime::now()))
        .bench_local_values(|event| log.record(event));
    log.finish();
}
