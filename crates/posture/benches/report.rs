//! What a report, and a look at the threat, take at a million events.
//!
//! Events are made from a fixed seed (`SEED`): 20,000 addresses, 40 routes, 50 rules, over 24 hours. Set
//! `BARTIZAN_BENCH_EVENTS` for another number of them.

#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, SystemTime},
};

use bartizan_events::{Decision, Event, EventLog, Kind, QueueBounds, Settings};
use bartizan_posture::{
    Assessment, EventStatistics, LimitsSeen, Meter, Period, Posture, SecurityReport, System, Wanted, html,
    make,
};
use divan::Bencher;

const SEED: u64 = 0x5eed_0007;
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
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: 90 * DAY,
        queue: QueueBounds::default(),
        spill: 1 << 30,
    };
    let log = EventLog::open(settings).expect("a log");
    let (now, mut random) = (SystemTime::now(), Random(SEED));
    let step = DAY / count;
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
    Filled { log, now, _folder: folder }
});

/// Numerical Recipes' generator for 64 bits: enough to spread values.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn made(random: &mut Random, at: SystemTime) -> Event {
    let kind = match random.below(10) {
        0..6 => Kind::RequestRefused,
        6..8 => Kind::RateLimitExceeded,
        8 => Kind::AttackDetected,
        _ => Kind::AuthenticationFailed,
    };
    let mut event = Event::new(kind, at, Decision::Refused, "a request was refused");
    let host = u32::try_from(random.below(20_000)).unwrap_or_default();
    event.address = Some(std::net::Ipv4Addr::from(0x0a00_0000 + host).into());
    event.route = Some(format!("/route/{}/**", random.below(40)));
    event.rules = vec![format!("{}", 942_100 + random.below(50))];
    event
}

fn report() -> SecurityReport {
    let Filled { log, now, .. } = &*FILLED;
    let posture = Posture {
        at: (*now).into(),
        threat: Meter::new(*now).threat(Assessment::default()),
        hour: EventStatistics::default(),
        day: EventStatistics::default(),
        limits: LimitsSeen::default(),
        open_alerts: None,
        parts: Vec::new(),
        weaknesses: Vec::new(),
        scanned: None,
        recommendations: Vec::new(),
    };
    let system = System {
        posture: Arc::new(posture),
        inventory: None,
        version: "0".into(),
        uptime: DAY,
        revision: "0".into(),
    };
    let period = Period::new(*now - DAY, *now).expect("a day");
    let wanted = Wanted { period, personal: true, within: Duration::from_mins(1) };
    make(log, wanted, system).expect("a report")
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn a_report_of_a_day(bencher: Bencher) {
    bencher.bench_local(report);
}

#[divan::bench(sample_count = 20)]
fn its_page(bencher: Bencher) {
    let report = report();
    bencher.bench_local(|| html(&report));
}
