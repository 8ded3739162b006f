//! The figures that the store in PostgreSQL is held to, at ten million events.
//!
//! The server is this bench's own, on a Unix socket, without `fsync`: reading does not notice, and what is printed of ingest is
//! said to be without it. Events are made by the server from a fixed seed (`SEED`): a million a day over the last ten days,
//! 20,000 addresses, 2,000 people, 100 organisations, 40 routes. Set `BARTIZAN_BENCH_EVENTS` for another number of them. What
//! comes through the log (200,000 events) is added before.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a bench that cannot start shall stop")]

#[expect(dead_code, reason = "tests use more of it")]
#[path = "../../store/tests/store/postgres_server.rs"]
mod postgres_server;

use std::{
    net::Ipv4Addr,
    sync::{Arc, LazyLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bartizan_events::{
    Database, Decision, Dimension, Event, EventLog, Filter, HttpDetails, Kind, Order, QueueBounds, Settings,
    Span,
};
use postgres_server::PostgresServer;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const SEED: u64 = 0x5eed_0006;
const WITHIN: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const DAYS: u32 = 10;
const INGESTED: u32 = 200_000;
const SERVER: &[&str] = &[
    "shared_buffers=1GB",
    "maintenance_work_mem=512MB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "effective_cache_size=8GB",
];

/// A number for each event, by its number and the seed: the same every time.
const LOADED: &str = "
INSERT INTO events (id, at, batch, gateway, kind, severity, decision, address, user_id, organization_id, route, request,
    message, details)
SELECT CAST(lpad(to_hex(at), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15) AS UUID), at, 0, 'bench',
    (ARRAY[2, 1, 4, 5])[1 + CAST(n & 3 AS INT)], (ARRAY[2, 1, 2, 3])[1 + CAST(n & 3 AS INT)], 2,
    CAST('10.0.0.0' AS INET) + ((n >> 2) % 20000), 'user-' || ((n >> 20) % 2000), 'organization-' || ((n >> 32) % 100),
    '/route-' || ((n >> 40) % 40) || '/**', h, 'GET /orders/7 was refused: not_found',
    '{\"reason\":\"route_not_found\",\"http\":{\"method\":\"GET\",\"path\":\"/orders/' || ((n >> 24) % 100000)
        || '\",\"query\":\"page=2&sort=date\",\"host\":\"shop.test\",\"secure\":false,\"version\":\"1.1\",\"user_agent\":\"'
        || 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0'
        || '\",\"status\":404,\"latency\":3}}'
FROM (
    SELECT i, md5($1 || ':' || i) AS h, hashint8extended(i, $2) & 9223372036854775807 AS n,
        $3 + i * $4 / $5 AS at
    FROM generate_series($6::BIGINT, $7::BIGINT) AS i
) AS made";
const COUNTED: &str = "INSERT INTO event_minutes AS known (minute, kind, severity, count)
    SELECT at / 60000, kind, severity, count(*) FROM events GROUP BY 1, 2, 3
    ON CONFLICT (minute, kind, severity) DO UPDATE SET count = excluded.count";

fn main() {
    LazyLock::force(&FILLED);
    divan::main();
    FILLED.log.finish();
}

struct Filled {
    log: EventLog,
    now: SystemTime,
    _folder: tempfile::TempDir,
    _server: PostgresServer,
}

static FILLED: LazyLock<Filled> = LazyLock::new(|| {
    let count: i64 = std::env::var("BARTIZAN_BENCH_EVENTS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000_000);
    let (folder, server) = (tempfile::tempdir().unwrap(), PostgresServer::start_with(SERVER, Arc::new(drop)));
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: 90 * DAY,
        queue: QueueBounds::default(),
        spill: 1 << 30,
    };
    let database = Database { url: server.url().into(), name: "the bench's".into() };
    let log = EventLog::open_in(settings, Some(&database), None).expect("a log");
    let now = SystemTime::now();
    // One for each day, so that the day is there.
    (0..=DAYS).for_each(|days| log.record(made(0, now - days * DAY)));
    log.flush();
    eprintln!("seed: {SEED:#x}");
    let began = Instant::now();
    for index in 0..INGESTED {
        log.record(made(index, SystemTime::now()));
        while index % 1024 == 0 && log.waiting() > 16_384 {
            std::thread::yield_now();
        }
    }
    log.flush();
    let took = began.elapsed();
    eprintln!(
        "ingest, without fsync: {INGESTED} events in {took:?}, {:.0}/s",
        f64::from(INGESTED) / took.as_secs_f64()
    );
    load(&server, count, now);
    Filled { log, now, _folder: folder, _server: server }
});

fn load(server: &PostgresServer, count: i64, now: SystemTime) {
    const AT_ONCE: i64 = 500_000;
    let span = DAYS * DAY;
    let milliseconds = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let since = milliseconds((now - span).duration_since(UNIX_EPOCH).unwrap_or_default());
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("{}&options[bartizan.scope]=everything", server.url());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        for first in (0..count).step_by(500_000) {
            let last = (first + AT_ONCE).min(count) - 1;
            sqlx::query(LOADED)
                .bind(format!("{SEED:x}"))
                .bind(i64::try_from(SEED).unwrap_or_default())
                .bind(since)
                .bind(milliseconds(span))
                .bind(count)
                .bind(first)
                .bind(last)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        for sql in [COUNTED, "VACUUM ANALYZE events", "VACUUM ANALYZE event_minutes"] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    });
    eprintln!("loaded: {count} events in {:?}", began.elapsed());
}

fn made(index: u32, moment: SystemTime) -> Event {
    let mut event =
        Event::new(Kind::RequestRefused, moment, Decision::Refused, "GET /orders/7 was refused: not_found");
    event.address = Some(Ipv4Addr::from_bits(0x0a00_0000 + index % 20_000).into());
    event.user = Some(format!("user-{}", index % 2000));
    event.organization = Some(format!("organization-{}", index % 100));
    event.route = Some(format!("/route-{}/**", index % 40));
    event.request = Some(format!("{index:032x}"));
    event.details.reason = Some("route_not_found".into());
    event.details.http = Some(Box::new(HttpDetails {
        method: "GET".into(),
        path: format!("/orders/{index}"),
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

fn day() -> Span {
    Span::new(Some(FILLED.now - DAY), None)
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
fn last_50_of_an_organization() -> usize {
    let view = FILLED.log.within("organization-7");
    view.page(&Filter::default(), Order::NewestFirst, None, 50, WITHIN).expect("a page").events.len()
}

#[divan::bench]
fn counts_per_5_minutes_over_24_hours() -> usize {
    let filter = Filter { span: day(), ..Filter::default() };
    FILLED.log.counts(&filter, 5, WITHIN).expect("counts").buckets.len()
}

#[divan::bench(sample_count = 10)]
fn top_10_addresses_over_24_hours() -> usize {
    let filter = Filter { span: day(), ..Filter::default() };
    FILLED.log.top(&filter, Dimension::Address, 10, WITHIN).expect("a ranking").values.len()
}
