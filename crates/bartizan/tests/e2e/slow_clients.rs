//! Clients that take their time on purpose, over HTTP/1.1 and in the TLS handshake: none keeps a connection, and
//! clients that are slow for a good reason are left alone. HTTP/2 is in `slow_http2_clients.rs`, the tool
//! `slowhttptest` in `slowhttptest.rs`.

use std::{fmt::Display, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, join, sink},
    net::TcpStream,
    time::{Instant, interval},
};
use tokio_rustls::TlsConnector;

use crate::{
    certificates::Authority,
    harness::Gateway,
    raw::{RawAnswer, RawConnection},
    siege::{
        Honest, Warehouse, connect_with_small_window, connections_end, kernel_connections, resident_bytes,
    },
    upstream::Upstream,
};

/// What each story sets its timeout to.
const DEADLINE: Duration = Duration::from_secs(1);

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(5);

/// Between two bytes of a client that wants to look alive.
const DRIP: Duration = Duration::from_millis(100);

/// `timeout` ends after [`DEADLINE`]; the others are far away.
fn hardening(timeout: &str) -> String {
    let timeouts = ["handshake_timeout", "header_timeout", "rate_window"]
        .map(|name| format!("{name}: {}", if name == timeout { "1s" } else { "60s" }));
    format!("hardening: {{ {} }}\n", timeouts.join(", "))
}

fn routes(to: impl Display, more: &str) -> String {
    format!("routes: [{{ path: /**, to: \"{to}\", auth: none{more} }}]\n")
}

/// Sends `start` at once and `rest` byte by byte, until the gateway closes; what it said, and after how long.
async fn drip(stream: TcpStream, start: &str, rest: &'static [u8]) -> (RawAnswer, Duration) {
    let since = Instant::now();
    let (reader, mut writer) = stream.into_split();
    writer.write_all(start.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        let mut pace = interval(DRIP);
        for &byte in rest.iter().cycle() {
            pace.tick().await;
            if writer.write_all(&[byte]).await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    });
    let answer = RawConnection::over(join(reader, sink())).read_to_end().await;
    dripping.abort();
    (answer, since.elapsed())
}

fn assert_on_time(took: Duration, what: &str) {
    // The gateway may have looked at its clock a little before we did.
    assert!(took + DRIP >= DEADLINE && took <= DEADLINE + SLACK, "{what}: closed after {took:?}");
}

#[tokio::test]
async fn a_head_has_a_deadline_however_it_is_fed() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&(routes(&upstream, "") + &hardening("header_timeout"))).await;
    let half = "GET /slow HTTP/1.1\r\nHost: a\r\nX: y";
    let cases = [
        ("silence", "", &b""[..]),
        ("half a head", half, b""),
        ("half a head, then a byte at a time", half, b"y"),
        ("a byte at a time", "", b"GET "),
        ("a field at a time", half, b"\r\nX: y"),
        ("an empty line and half a head", "\r\nGET /slow HTTP/1.1\r\nHost: a\r\n", b""),
    ];
    join_all(cases.map(async |(what, start, rest)| {
        let (answer, took) = drip(TcpStream::connect(gateway.http()).await.unwrap(), start, rest).await;
        // Who has said nothing is told nothing.
        let expected = if start.is_empty() && rest.is_empty() { 0 } else { 408 };
        assert_eq!(answer.status, expected, "{what}: {answer:?}");
        assert_on_time(took, what);
    }))
    .await;
    assert!(upstream.has_received_nothing().await);
    connections_end(&gateway, "http").await;
    Honest::of(&gateway).is_served().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&(routes(&upstream, "") + &hardening("header_timeout"))).await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(connection.read_answer().await.status, 200);
    let since = Instant::now();
    assert!(connection.is_closed().await, "without another word");
    assert_on_time(since.elapsed(), "an idle connection");
}

#[tokio::test]
async fn a_handshake_has_a_deadline_however_it_is_fed() {
    let upstream = Upstream::start().await;
    let listen = "version: 1\nlisten: { https: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\ntls: dev\n";
    let document = format!("{listen}{}{}", routes(&upstream, ""), hardening("handshake_timeout"));
    let gateway = Gateway::start(&document).await;
    // A handshake record of 512 bytes, the first four of a ClientHello.
    let hello = "\x16\x03\x01\x02\x00\x01\x00\x01";
    let cases = [
        ("silence", "", &b""[..]),
        ("half a ClientHello", hello, b""),
        ("a ClientHello byte by byte", hello, b"\0"),
    ];
    join_all(cases.map(async |(what, start, rest)| {
        let (answer, took) = drip(TcpStream::connect(gateway.https()).await.unwrap(), start, rest).await;
        assert_eq!(answer.status, 0, "{what}: {answer:?}");
        assert_on_time(took, what);
    }))
    .await;
    connections_end(&gateway, "https").await;
}

#[tokio::test]
async fn a_body_that_drips_in_is_answered_408() {
    let upstream = Upstream::start().await;
    let policies = ["hold", "stream", "refuse"]
        .map(|policy| format!("{{ path: /{policy}, to: \"{upstream}\", auth: none, body: {policy} }}"));
    let document = format!("routes: [{}]\n{}", policies.join(", "), hardening("rate_window"));
    let gateway = Gateway::start(&document).await;
    let bodies = [
        ("length", "Content-Length: 10000\r\n\r\n", &b"x"[..]),
        ("length, then silence", "Content-Length: 10000\r\n\r\n", b""),
        ("chunks", "Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ("length, claiming gRPC", "Content-Type: application/grpc\r\nContent-Length: 10000\r\n\r\n", b"x"),
        ("after 100 (Continue)", "Expect: 100-continue\r\nContent-Length: 10000\r\n\r\n", b""),
        ("one chunk", "Transfer-Encoding: chunked\r\n\r\n2710\r\n", b"x"),
        ("a chunk extension", "Transfer-Encoding: chunked\r\n\r\n1;x=", b"y"),
        ("trailers", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X: y\r\n"),
    ];
    let cases = bodies.iter().flat_map(|body| ["hold", "stream", "refuse"].map(|policy| (policy, *body)));
    join_all(cases.map(async |(policy, (framing, start, rest))| {
        let what = format!("{policy}, {framing}");
        let start = format!("POST /{policy} HTTP/1.1\r\nHost: a\r\n{start}");
        let (answer, took) = drip(TcpStream::connect(gateway.http()).await.unwrap(), &start, rest).await;
        assert_eq!(
            (answer.status, answer.code().as_deref()),
            (408, Some("body_too_slow")),
            "{what}: {answer:?}"
        );
        assert_on_time(took, &what);
        let id = answer.request_id();
        gateway.log(|line| line["request_id"] == id && line["code"] == "body_too_slow").await;
    }))
    .await;
    connections_end(&gateway, "http").await;
}

#[tokio::test]
async fn a_download_that_nobody_takes_is_cut() {
    // More than all buffers on the way hold.
    let warehouse = Warehouse::of(1024).await;
    let gateway = Gateway::start(&(routes(&warehouse, "") + &hardening("rate_window"))).await;
    let mut connection = RawConnection::over(connect_with_small_window(gateway.http()).await);
    connection.send("GET /download HTTP/1.1\r\nHost: a\r\n\r\n").await;
    connection.read_until("200").await;
    // Nothing is read from here on. The upstream is let go, and so is the client.
    warehouse.is_abandoned(1).await;
    connections_end(&gateway, "http").await;
    assert_eq!(kernel_connections(gateway.http()), 0, "what was not taken is thrown away");
    assert!(gateway.metric("bartizan_wire_violations_total{code=\"slow_read\"").await >= 1.0);
}

#[tokio::test]
async fn a_download_over_tls_that_nobody_takes_is_cut_too() {
    let (warehouse, authority) = (Warehouse::of(1024).await, Authority::new());
    let listen =
        "version: 1\nlisten: { https: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }";
    let tls = "tls: { cert: ./gateway.pem, key: ./gateway.key }";
    let launch =
        Gateway::launch(&format!("{listen}\n{tls}\n{}{}", routes(&warehouse, ""), hardening("rate_window")));
    authority.issue(&["127.0.0.1"]).write(launch.folder(), "gateway");
    let gateway = launch.start().await;
    let connector = TlsConnector::from(Arc::new(authority.client(&["http/1.1"])));
    let stream = connect_with_small_window(gateway.https()).await;
    let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    let mut connection = RawConnection::over(stream);
    connection.send("GET /download HTTP/1.1\r\nHost: a\r\n\r\n").await;
    connection.read_until("200").await;
    warehouse.is_abandoned(1).await;
    connections_end(&gateway, "https").await;
    assert_eq!(kernel_connections(gateway.https()), 0, "what was not taken is thrown away");
}

/// Its socket frees the gateway's buffer so slowly that nothing asks for more in many windows.
#[tokio::test]
async fn who_takes_a_download_slowly_but_steadily_is_served() {
    let warehouse = Warehouse::of(1024).await;
    let gateway = Gateway::start(&(routes(&warehouse, "") + &hardening("rate_window"))).await;
    let mut stream = connect_with_small_window(gateway.http()).await;
    stream.write_all(b"GET /download HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (mut pace, mut piece) = (interval(DRIP), [0; 1024]);
    for number in 0..60 {
        pace.tick().await;
        let length = stream.read(&mut piece).await.unwrap_or(0);
        assert!(length > 0, "cut off at piece {number}");
    }
}

/// Answers that pile up hold back the requests behind them.
#[tokio::test]
async fn who_asks_and_asks_and_never_reads_is_cut() {
    const REQUESTS: usize = 100_000;
    let warehouse = Warehouse::of(1).await;
    let gateway = Gateway::start(&(routes(&warehouse, "") + &hardening("rate_window"))).await;
    let before = resident_bytes(&gateway);
    let mut connection = RawConnection::over(connect_with_small_window(gateway.http()).await);
    // Returns when the gateway has closed: nobody takes in as much.
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(REQUESTS)).await;
    connections_end(&gateway, "http").await;
    assert!(gateway.metric("bartizan_wire_violations_total{code=\"slow_read\"").await >= 1.0);
    let after = resident_bytes(&gateway);
    assert!(after < before + 16 * 1024 * 1024, "{before} bytes before, {after} after");
}

#[tokio::test]
async fn who_waits_for_the_upstream_is_not_slow() {
    let upstream = Upstream::start().await;
    let document = routes(&upstream, "") + "hardening: { header_timeout: 500ms, rate_window: 500ms }\n";
    let gateway = Gateway::start(&document).await;
    let slept = Duration::from_secs(2);

    let mut waiting = RawConnection::open(gateway.http()).await;
    waiting.send("POST /gate HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab").await;
    let mut listening = RawConnection::open(gateway.http()).await;
    listening.send("GET /drip HTTP/1.1\r\nHost: a\r\n\r\n").await;
    listening.read_until("first").await;
    // Several windows of nothing at all: that is the story.
    tokio::time::sleep(slept).await;
    upstream.open_gate();

    assert_eq!(waiting.read_answer().await.status, 200);
    listening.read_until("last").await;
}

#[tokio::test]
async fn who_keeps_the_minimum_rate_is_served() {
    let upstream = Upstream::start().await;
    let document = routes(&upstream, "") + "hardening: { min_rate: 100B, rate_window: 500ms }\n";
    let gateway = Gateway::start(&document).await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("POST /steady HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n").await;
    let mut pace = interval(DRIP);
    for _ in 0..30 {
        pace.tick().await;
        connection.send([b'x'; 100]).await;
    }
    assert_eq!(connection.read_answer().await.status, 200);
    assert_eq!(upstream.received().await.body.len(), 3000);
}
