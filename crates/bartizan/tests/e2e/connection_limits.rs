//! How many connections there may be from one address, from one network, and in all: one more is closed without a
//! byte, everybody else is served, and a connection that ends makes room.

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    eventually::eventually,
    frames::{FrameConnection, HEADERS, Outcome, get},
    harness::{Gateway, PATIENCE},
    raw::RawConnection,
    siege::{Honest, connect_from, open_files},
    upstream::Upstream,
};

async fn gateway(upstream: &Upstream, listen: &str, limits: &str) -> Gateway {
    let listen = format!(
        "listen: {{ http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\"{listen} }}"
    );
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]");
    Gateway::start(&format!("version: 1\n{listen}\n{routes}\nhardening: {{ {limits} }}\n")).await
}

/// A connection from `source` that has been served once, if the gateway lets it in.
async fn enter(gateway: &Gateway, source: &str) -> Option<TcpStream> {
    let mut stream = connect_from(source, gateway.http()).await;
    // Whoever is not let in may be gone before this is written.
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut answer = [0; 1024];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("neither served nor closed");
    let length = read.unwrap_or(0);
    assert!(length == 0 || answer.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&answer));
    (length > 0).then_some(stream)
}

async fn refused(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric(&format!("bartizan_connections_refused_total{{reason=\"{reason}\"}}")).await
}

/// Limit, who fills it, who is over it.
type Case = (&'static str, &'static str, [&'static str; 3], &'static str);

const CASES: [Case; 3] = [
    ("address", "connections_per_address: 3", ["127.0.0.1", "127.0.0.1", "127.0.0.1"], "127.0.0.1"),
    ("prefix", "connections_per_prefix: 3", ["127.0.0.1", "127.0.0.2", "127.0.0.3"], "127.0.0.4"),
    ("total", "max_connections: 3", ["127.0.0.1", "127.0.1.1", "127.0.2.1"], "127.0.3.1"),
];

#[tokio::test]
async fn one_connection_too_many_is_closed_until_another_ends() {
    for (reason, limit, inside, outside) in CASES {
        let upstream = Upstream::start().await;
        let gateway = gateway(&upstream, "", limit).await;
        let mut open = Vec::new();
        for source in inside {
            open.push(
                enter(&gateway, source)
                    .await
                    .unwrap_or_else(|| panic!("{reason}: {source} is within the limit")),
            );
        }
        for refusals in 1..=3 {
            assert!(enter(&gateway, outside).await.is_none(), "{reason}: over the limit");
            // Counted once the connection is closed, which the client may notice first.
            eventually(reason, async || refused(&gateway, reason).await >= f64::from(refusals)).await;
        }
        if reason != "total" {
            Honest::of(&gateway).is_served().await;
        }
        for stream in &mut open {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0, "{reason}: who is inside stays inside");
        }

        open.pop();
        eventually(reason, async || enter(&gateway, outside).await.is_some()).await;
    }
}

#[tokio::test]
async fn a_connection_that_says_nothing_counts_too_whatever_the_listener() {
    let upstream = Upstream::start().await;
    let listen = ", https: \"127.0.0.1:0\"";
    let gateway =
        gateway(&upstream, listen, "connections_per_address: 3 }\ntls: dev\nlog: { level: info").await;
    let silent = [
        TcpStream::connect(gateway.http()).await.unwrap(),
        TcpStream::connect(gateway.https()).await.unwrap(),
        TcpStream::connect(gateway.https()).await.unwrap(),
    ];
    eventually("refused", async || enter(&gateway, "127.0.0.1").await.is_none()).await;
    Honest::of(&gateway).is_served().await;
    drop(silent);
    eventually("admitted", async || enter(&gateway, "127.0.0.1").await.is_some()).await;
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_many() {
    let upstream = Upstream::start().await;
    let limits = "connections_per_address: 1, connections_per_prefix: 1, max_connections: 4";
    let gateway = gateway(&upstream, ", trusted_proxies: [\"127.0.0.1/32\"]", limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(enter(&gateway, "127.0.0.1").await.expect("a proxy is counted in all only"));
    }
    open.push(enter(&gateway, "127.0.0.2").await.expect("the first of its address"));
    assert!(enter(&gateway, "127.0.0.1").await.is_none(), "in all it counts");
    assert_eq!(refused(&gateway, "total").await, 1.0);
}

#[tokio::test]
async fn a_connection_has_a_last_request_and_says_so() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, "", "max_requests_per_connection: 3").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    for number in 1..=3 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = connection.read_answer().await;
        let expected = if number == 3 { "close" } else { "" };
        assert_eq!((answer.status, answer.header("connection")), (200, expected), "request {number}");
    }
    assert!(connection.is_closed().await);

    let mut connection = FrameConnection::open(gateway.http()).await;
    connection.send([get(1, "/"), get(3, "/"), get(5, "/")].concat()).await;
    let ending = connection.ending().await;
    assert_eq!((ending.goaway, ending.frames[usize::from(HEADERS)]), (Some(0), 3), "in order: {ending:?}");
    for _ in 0..6 {
        assert_eq!(upstream.received().await.uri.path(), "/");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn a_client_that_does_not_hear_goodbye_is_cut_off() {
    let upstream = Upstream::start().await;
    let limits = "max_requests_per_connection: 3, http2: { concurrent_streams: 2 }";
    let gateway = gateway(&upstream, "", limits).await;
    let mut deaf = FrameConnection::open(gateway.http()).await.deaf();
    let mut served = 0;
    while let Outcome::Answered(200, _) = {
        deaf.send(get(2 * served + 1, "/")).await;
        deaf.outcome(2 * served + 1).await
    } {
        served += 1;
        assert!(served <= 3 + 2 * 2, "{served} requests were served");
    }
    assert_eq!(served, 3 + 2 * 2, "who may not have heard yet is served");
}

/// The last file descriptor is gone: nobody is served then, but the gateway neither ends nor spins, and goes on once
/// there are some again.
#[tokio::test]
async fn running_out_of_files_is_survived() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, "", "header_timeout: 60s").await;
    let honest = Honest::of(&gateway);
    honest.is_served().await;
    let pid = Pid::from_raw(i32::try_from(gateway.pid()).unwrap());
    let few = u64::try_from(open_files(&gateway) + 5).unwrap();
    let enough = getrlimit(Resource::Nofile);
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(few), ..enough }).unwrap();

    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(gateway.http()).await.unwrap());
    }
    gateway.log(|line| line["level"] == "WARN" && line["message"] == "cannot accept connections").await;
    drop(silent);
    honest.is_served().await;
    prlimit(pid, Resource::Nofile, enough).unwrap();
    honest.is_served().await;
    gateway.stop().await;
}
