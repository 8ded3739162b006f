//! Ten times what the log can write, for half a minute: what becomes of the events, and of memory.
//!
//! First it is found out how much the log writes in a second. Then ten times as many come, one of ten of them of medium
//! severity, evenly spread over every millisecond. Each second a line is printed: what came, what waits, what is spilled, and the
//! memory that the process holds. It fails where that grows beyond the bounds of the queue and a fixed rest.

#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant, SystemTime},
};

use bartizan_events::{Decision, Event, EventLog, HttpDetails, Kind, QueueBounds, Settings};

const OVERLOAD: u64 = 10;
const SECONDS: u64 = 30;
const PROBED: u64 = 200_000;
/// What the process may hold beside the queue: SQLite's pages, a batch on its way, the spill's buffers.
const REST: u64 = 256 * 1024 * 1024;
/// The size of a page of memory, in bytes.
const PAGE: u64 = 4096;

fn main() {
    // Whoever lists or filters benches wants none of this.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let bounds = QueueBounds::default();
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: Duration::from_hours(24 * 90),
        queue: bounds,
        spill: 1 << 30,
    };
    let log = EventLog::open(settings).expect("a log");
    let written = probe(&log);
    let start = resident();
    eprintln!("the log writes {written} events/s; {} MiB resident", start >> 20);
    let most = storm(&log, written * OVERLOAD, folder.path());
    log.finish();
    let allowed = start + bounds.bytes as u64 + REST;
    eprintln!("at most {} MiB resident, {} MiB allowed", most >> 20, allowed >> 20);
    assert!(most <= allowed, "memory is not bounded");
}

/// How many events the log writes in a second.
fn probe(log: &EventLog) -> u64 {
    let began = Instant::now();
    for index in 0..PROBED {
        log.record(made(Kind::RequestRefused, index));
        while index % 1024 == 0 && log.waiting() > 16_384 {
            thread::yield_now();
        }
    }
    log.flush();
    let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    PROBED * 1_000_000 / took
}

/// So many events a second; the most memory that was seen.
fn storm(log: &EventLog, each_second: u64, directory: &Path) -> u64 {
    let (began, mut sent, mut most) = (Instant::now(), 0_u64, 0);
    for second in 1..=SECONDS {
        while began.elapsed() < Duration::from_secs(second) {
            let elapsed = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let due = each_second.saturating_mul(elapsed) / 1_000_000;
            while sent < due {
                let kind = if sent.is_multiple_of(10) { Kind::AttackDetected } else { Kind::RequestRefused };
                log.record(made(kind, sent));
                sent += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        most = most.max(resident());
        eprintln!(
            "{second:>2} s: {sent} events came, {} wait, {} MiB spilled, {} MiB resident",
            log.waiting(),
            spilled(directory) >> 20,
            resident() >> 20
        );
    }
    most
}

fn made(kind: Kind, index: u64) -> Event {
    let mut event = Event::new(kind, SystemTime::now(), Decision::Refused, "GET /orders/7 was refused");
    event.user = Some(format!("user-{}", index % 2000));
    event.details.http = Some(Box::new(HttpDetails {
        method: "GET".into(),
        path: format!("/orders/{index}"),
        ..HttpDetails::default()
    }));
    event
}

/// The memory that this process holds, in bytes.
fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("the memory of this process");
    statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .map_or(0, |pages| pages * PAGE)
}

fn spilled(directory: &Path) -> u64 {
    let files = fs::read_dir(directory.join("events/spill")).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
