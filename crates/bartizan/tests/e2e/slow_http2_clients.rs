//! Clients that take their time on purpose, over HTTP/2, where a connection looks alive at no cost: frames of all
//! kinds move no deadline but those of useful requests.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{
    frames::{
        DATA, END_HEADERS, END_STREAM, Ending, Frame, FrameConnection, HEADERS, Outcome, PING, PREFACE,
        WINDOW_UPDATE, Watch, block, frame, get, post, pseudo,
    },
    harness::Gateway,
    siege::{Honest, Warehouse, connections_end},
    upstream::Upstream,
};

/// What each story sets its timeout to.
const DEADLINE: Duration = Duration::from_secs(1);

/// What a busy machine and an orderly end may add to it.
const SLACK: Duration = Duration::from_secs(8);

/// Between two frames of a client that wants to look alive.
const DRIP: Duration = Duration::from_millis(100);

const INITIAL_WINDOW_SIZE: u16 = 4;

/// `timeout` ends after [`DEADLINE`]; the others are far away.
fn document(timeout: &str, to: impl std::fmt::Display) -> String {
    let timeouts = ["header_timeout", "rate_window"]
        .map(|name| format!("{name}: {}", if name == timeout { "1s" } else { "60s" }));
    format!("routes: [{{ path: /**, to: \"{to}\", auth: none }}]\nhardening: {{ {} }}\n", timeouts.join(", "))
}

/// Sends `bytes` again and again until `see` has seen enough of what the gateway sends.
async fn drip<T>(
    connection: &mut FrameConnection,
    bytes: &[u8],
    mut see: impl FnMut(Option<Frame>) -> Option<T>,
) -> T {
    let mut pace = interval(DRIP);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            frame = connection.read_frame() => if let Some(seen) = see(frame) { return seen },
            _ = pace.tick() => { connection.send(bytes).await; }
        }
    }
}

/// The same until the gateway closes.
async fn drip_to_end(connection: &mut FrameConnection, bytes: &[u8]) -> Ending {
    let mut ending = Ending::default();
    let count = |frame| match frame {
        Some(frame) => {
            ending.count(&frame);
            None
        }
        None => Some(()),
    };
    drip(connection, bytes, count).await;
    ending
}

fn assert_on_time(since: Instant, what: &str) {
    let took = since.elapsed();
    assert!(took + DRIP >= DEADLINE && took <= DEADLINE + SLACK, "{what}: closed after {took:?}");
}

#[tokio::test]
async fn a_connection_without_a_request_ends_whatever_it_sends() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document("header_timeout", &upstream)).await;
    let ping = frame(PING, 0, 0, [0; 8]);
    let half_a_head = frame(HEADERS, END_STREAM, 1, block(&pseudo("GET", "/")));
    let begun = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(&pseudo("GET", "/")));
    let unknown = frame(0xbe, 0, 0, [0; 8]);
    let cases = [
        ("silence", &b""[..], &b""[..]),
        ("PING after PING", b"", &ping),
        ("frames of an unknown kind", b"", &unknown),
        ("half a frame header", &begun[..5], b""),
        ("half a head in half a frame", &begun[..20], b""),
        ("half a head", &half_a_head, b""),
        ("a head byte by byte", &[0, 0x20, 0, HEADERS, 0, 0, 0, 0, 1], b"\0"),
    ];
    join_all(cases.map(async |(what, start, rest)| {
        let since = Instant::now();
        let mut connection = FrameConnection::open(gateway.http()).await;
        connection.send(start).await;
        drip_to_end(&mut connection, rest).await;
        assert_on_time(since, what);
    }))
    .await;
    assert!(upstream.has_received_nothing().await);
    connections_end(&gateway, "http").await;
}

#[tokio::test]
async fn half_a_preface_has_the_deadline_of_a_head() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document("header_timeout", &upstream)).await;
    let cases = [1, 3, 16, 20, PREFACE.len()];
    join_all(cases.map(async |length| {
        let since = Instant::now();
        let mut connection = FrameConnection::connect(gateway.http()).await;
        connection.send(&PREFACE[..length]).await;
        connection.ending().await;
        assert_on_time(since, &format!("{length} bytes of the preface"));
    }))
    .await;
}

#[tokio::test]
async fn an_idle_connection_is_told_goodbye() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document("header_timeout", &upstream)).await;
    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send(get(1, "/")).await;
    assert!(matches!(connection.outcome(1).await, Outcome::Answered(200, _)));
    let since = Instant::now();
    let ending = drip_to_end(&mut connection, &frame(PING, 0, 0, [0; 8])).await;
    assert_eq!(ending.goaway, Some(0), "in order: {ending:?}");
    assert_on_time(since, "an idle connection");
}

#[tokio::test]
async fn a_body_that_drips_in_is_answered_408_and_costs_its_stream_only() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document("rate_window", &upstream)).await;
    for (what, bytes) in [("a byte at a time", frame(DATA, 0, 1, b"x")), ("silence", Vec::new())] {
        let mut connection = FrameConnection::open(gateway.http()).await;
        let since = Instant::now();
        connection.send(post(1, "/slow")).await;
        let mut watch = Watch::of(1);
        let outcome = drip(&mut connection, &bytes, |frame| watch.see(frame)).await;
        assert_eq!(outcome.refusal(), (408, Some("body_too_slow".into())), "{what}: {outcome:?}");
        assert_on_time(since, what);
        connection.send(get(3, "/quick")).await;
        let quick = connection.outcome(3).await;
        assert!(matches!(quick, Outcome::Answered(200, _)), "{what}: {quick:?}");
        assert_eq!(upstream.received().await.uri.path(), "/quick", "{what}");
    }
}

#[tokio::test]
async fn claiming_grpc_is_no_leave_to_drip() {
    let upstream = Upstream::start().await;
    let document = format!(
        "upstreams: {{ old: {{ targets: \"{upstream}\", protocol: http1 }}, new: {{ targets: \"{upstream}\" }} }}\n\
         routes:\n\
         - {{ path: /http1, to: old, auth: none }}\n\
         - {{ path: /refuse, to: new, auth: none, body: refuse }}\n\
         - {{ path: /grpc, to: new, auth: none }}\n\
         hardening: {{ header_timeout: 60s, rate_window: 1s }}\n"
    );
    let gateway = Gateway::start(&document).await;
    let call = |path| {
        let fields = [&pseudo("POST", path)[..], &[("content-type", "application/grpc"), ("te", "trailers")]];
        frame(HEADERS, END_HEADERS, 1, block(&fields.concat()))
    };
    for path in ["/http1", "/refuse"] {
        let mut connection = FrameConnection::open(gateway.http()).await;
        let since = Instant::now();
        connection.send(call(path)).await;
        let mut watch = Watch::of(1);
        let outcome = drip(&mut connection, &frame(DATA, 0, 1, b"x"), |frame| watch.see(frame)).await;
        assert_eq!(outcome.refusal(), (408, Some("body_too_slow".into())), "{path}: {outcome:?}");
        assert_on_time(since, path);
    }
    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send(call("/grpc")).await;
    let mut pace = interval(DRIP);
    for _ in 0..30 {
        pace.tick().await;
        connection.send(frame(DATA, 0, 1, b"x")).await;
    }
    connection.send(frame(DATA, END_STREAM, 1, b"")).await;
    let outcome = connection.outcome(1).await;
    assert!(matches!(outcome, Outcome::Answered(200, _)), "a slow conversation is one: {outcome:?}");
}

#[tokio::test]
async fn a_download_whose_window_stays_shut_is_cut() {
    // More than the windows of all streams and the buffers on the way hold.
    let warehouse = Warehouse::of(1024).await;
    let gateway = Gateway::start(&document("rate_window", &warehouse)).await;
    let one_byte = [frame(WINDOW_UPDATE, 0, 1, 1u32.to_be_bytes()), frame(PING, 0, 0, [0; 8])].concat();
    // No window at all, the usual one once, and a byte at a time.
    join_all([(0, &b""[..]), (65_535, b""), (0, &one_byte)].map(async |(window, bytes)| {
        let settings = [(INITIAL_WINDOW_SIZE, window)];
        let mut connection = FrameConnection::with_settings(gateway.http(), &settings).await;
        connection.send(get(1, "/download")).await;
        drip_to_end(&mut connection, bytes).await;
    }))
    .await;
    warehouse.is_abandoned(3).await;
    connections_end(&gateway, "http").await;
    assert!(gateway.metric("bartizan_wire_violations_total{code=\"slow_read\"").await >= 3.0);
}

#[tokio::test]
async fn who_waits_for_the_upstream_is_not_slow() {
    let upstream = Upstream::start().await;
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]");
    let gateway =
        Gateway::start(&format!("{routes}\nhardening: {{ header_timeout: 500ms, rate_window: 500ms }}"))
            .await;
    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send([get(1, "/gate"), get(3, "/drip")].concat()).await;
    // Several windows of nothing at all: that is the story.
    tokio::time::sleep(Duration::from_secs(2)).await;
    upstream.open_gate();
    assert!(matches!(connection.outcome(3).await, Outcome::Answered(200, _)));
    connection.send(get(5, "/after")).await;
    assert!(matches!(connection.outcome(5).await, Outcome::Answered(200, _)));
    Honest::of(&gateway).is_served().await;
}
