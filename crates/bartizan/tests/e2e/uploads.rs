//! Request bodies: held, streamed, refused, and asked for first.

use std::process::Stdio;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, channel::Channel};
use hyper::body::Incoming;
use tokio::{process::Command, sync::mpsc, time::timeout};

use crate::{
    eventually::eventually,
    harness::PATIENCE,
    phrases::{peak_memory, public},
    raw::RawConnection,
    service::Service,
    upstream::{Body, Upstream, text},
};

const MIB: usize = 1024 * 1024;
/// Large enough to tell whether it was kept in memory.
const LARGE: usize = 64 * MIB;

/// Tells of a request when its head arrives, and answers with the length of its body.
async fn measuring() -> (Service, mpsc::UnboundedReceiver<Request<()>>) {
    let (heads, arrived) = mpsc::unbounded_channel();
    let service = Service::start(move |request: Request<Incoming>| {
        let heads = heads.clone();
        async move {
            let (head, mut body) = request.into_parts();
            let _ = heads.send(Request::from_parts(head, ()));
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            let body: Body = Full::new(Bytes::from(length.to_string())).boxed();
            Response::new(body)
        }
    })
    .await;
    (service, arrived)
}

async fn arrival(arrived: &mut mpsc::UnboundedReceiver<Request<()>>) -> Request<()> {
    timeout(PATIENCE, arrived.recv()).await.expect("nothing arrived").unwrap()
}

#[tokio::test]
async fn a_large_upload_passes_through_little_memory() {
    let (upstream, _arrived) = measuring().await;
    for policy in ["stream", "hold"] {
        let gateway = public(&upstream, &format!(", body: {{ policy: {policy}, max: 100MiB }}")).await;
        let upload = |length: usize| {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                let chunk = Bytes::from(vec![b'x'; MIB / 16]);
                for _ in 0..length / chunk.len() {
                    sender.send_data(chunk.clone()).await.unwrap();
                }
            });
            gateway.client().post(gateway.url("/")).body(reqwest::Body::wrap(body)).send()
        };
        assert_eq!(upload(MIB).await.unwrap().text().await.unwrap(), MIB.to_string(), "{policy}");
        let before = peak_memory(&gateway);
        assert_eq!(upload(LARGE).await.unwrap().text().await.unwrap(), LARGE.to_string(), "{policy}");
        let taken = peak_memory(&gateway) - before;
        assert!(taken < LARGE / 4, "{policy}: {} MiB taken", taken / MIB);
    }
}

#[tokio::test]
async fn a_held_body_arrives_when_it_is_whole() {
    let (upstream, mut arrived) = measuring().await;
    let gateway = public(&upstream, "").await;
    let mut slow = RawConnection::open(gateway.http()).await;
    slow.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst").await;
    // A later request overtakes it.
    assert_eq!(gateway.get("/quick").await.status(), 200);
    assert_eq!(arrival(&mut arrived).await.uri().path(), "/quick");
    assert!(arrived.is_empty(), "the slow one is not there yet");
    slow.send("-last").await;
    assert_eq!(slow.read_answer().await.body, b"10");
    let head = arrival(&mut arrived).await;
    assert_eq!((head.uri().path(), head.headers()["content-length"].as_bytes()), ("/slow", &b"10"[..]));
}

#[tokio::test]
async fn a_body_longer_than_what_is_held_is_streamed() {
    let (upstream, mut arrived) = measuring().await;
    for (body, sent) in [(", body: { hold: 1KiB }", 1500), (", body: stream", 5)] {
        let gateway = public(&upstream, body).await;
        let mut connection = RawConnection::open(gateway.http()).await;
        connection
            .send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(sent)))
            .await;
        // It is on its way although most of it has not been sent.
        assert_eq!(arrival(&mut arrived).await.headers()["content-length"], "100000", "{body}");
        connection.send("x".repeat(100_000 - sent)).await;
        assert_eq!(connection.read_answer().await.body, b"100000", "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let upstream = Upstream::start().await;
    let chunked = |length: usize| {
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length))
    };
    let announced = |length: usize| format!("Content-Length: {length}\r\n\r\n");
    let cases = [
        ("refuse, announced", ", body: { policy: refuse, hold: 1KiB }", announced(2000)),
        ("refuse, in chunks", ", body: { policy: refuse, hold: 1KiB }", chunked(2000)),
        ("max, announced", ", body: { max: 1KiB }", announced(2000)),
        ("max, in chunks", ", body: { max: 1KiB }", chunked(2000)),
        ("max of a stream, announced", ", body: { policy: stream, max: 1KiB }", announced(2000)),
    ];
    for (name, body, rest) in cases {
        let gateway = public(&upstream, body).await;
        let answer = gateway.raw(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}")).await;
        assert_eq!((answer.status, answer.code().as_deref()), (413, Some("body_too_large")), "{name}");
        assert!(upstream.has_received_nothing().await, "{name}");
    }
}

#[tokio::test]
async fn all_held_bodies_together_have_a_limit() {
    const HELD: &str = "bartizan_held_body_bytes";
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    gateway.rewrite(&format!(
        "routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\nhardening: {{ max_held_bytes: 60KiB }}"
    ));
    gateway.cli(["reload"]).await.succeeded();
    let post = |length: usize| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
    };
    // What is held, or the memory that waits for the last byte, too.
    let is_held = async || (50_000.0..=50_001.0).contains(&gateway.metric(HELD).await);

    let mut slow = RawConnection::open(gateway.http()).await;
    slow.send(post(50_001)).await;
    // What is announced takes no room.
    let small = gateway.raw(format!("{}{}", post(20_000), "x".repeat(20_000))).await;
    assert_eq!(small.status, 200, "{small:?}");
    slow.send("x".repeat(50_000)).await;
    eventually("50000 bytes held", is_held).await;

    let refused = gateway.raw(format!("{}{}", post(20_000), "x".repeat(20_000))).await;
    assert_eq!((refused.status, refused.code().as_deref()), (503, Some("overloaded")));
    assert_eq!(refused.header("retry-after"), "1");
    let line = gateway.log(|line| line["code"] == "overloaded").await;
    assert_eq!(line["reason"], "no room left under `hardening.max_held_bytes`");

    slow.send("x").await;
    assert_eq!(slow.read_answer().await.status, 200);
    let mut broken = RawConnection::open(gateway.http()).await;
    broken.send(format!("{}{}", post(50_001), "x".repeat(50_000))).await;
    eventually("50000 bytes held", is_held).await;
    drop(broken);
    eventually("nothing held", async || gateway.metric(HELD).await == 0.0).await;
    assert_eq!(gateway.raw(format!("{}{}", post(20_000), "x".repeat(20_000))).await.status, 200);
}

#[tokio::test]
async fn a_stream_that_grows_too_large_is_broken_off() {
    let (upstream, mut arrived) = measuring().await;
    for body in [", body: { policy: stream, max: 100KiB }", ", body: { hold: 1KiB, max: 100KiB }"] {
        let gateway = public(&upstream, body).await;
        let mut connection = RawConnection::open(gateway.http()).await;
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
        connection.send(&chunk).await;
        arrival(&mut arrived).await;
        connection.send(chunk.repeat(20)).await;
        let answer = connection.read_answer().await;
        assert_eq!((answer.status, answer.code().as_deref()), (413, Some("body_too_large")), "{body}");
    }
}

#[tokio::test]
async fn a_chunked_upload_arrives_as_it_was_meant() {
    let upstream = Upstream::start().await;
    for body in ["", ", body: stream"] {
        let gateway = public(&upstream, body).await;
        let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = gateway.raw(format!("{request}5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(upstream.received().await.body, "hello, world", "{body}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_request_has_ended_is_passed_on() {
    let (paths, mut asked) = mpsc::unbounded_channel();
    let upstream = Service::start(move |request: Request<Incoming>| {
        paths.send(request.uri().path().to_owned()).unwrap();
        async { text("enough") }
    })
    .await;
    let gateway = public(&upstream, ", body: stream").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst").await;
    assert_eq!(connection.read_answer().await.body, b"enough");
    assert_eq!(asked.recv().await.unwrap(), "/upload");
    // Whatever follows is still the body of that request.
    connection.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n").await;
    connection.finish().await;
    let rest = connection.read_to_end().await;
    assert_eq!((rest.status, rest.rest.len()), (0, 0), "{rest:?}");
    assert_eq!(gateway.get("/later").await.status(), 200);
    assert_eq!(asked.recv().await.unwrap(), "/later");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    let interim = connection.read_until("\r\n\r\n").await;
    assert_eq!(interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.send("hello").await;
    assert_eq!(connection.read_answer().await.status, 200);
    let received = upstream.received().await;
    assert_eq!(received.body, "hello");
    assert!(!received.headers.contains_key("expect"));

    let refused = gateway.raw("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: tea\r\n\r\n").await;
    assert_eq!((refused.status, refused.code().as_deref()), (417, Some("expectation_failed")));
}

#[tokio::test]
async fn a_client_that_asks_first_is_not_told_to_continue_when_it_will_be_refused() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, ", methods: [GET, PUT], body: { max: 4 }").await;
    for (method, status) in [("POST", 405), ("PUT", 413)] {
        let mut connection = RawConnection::open(gateway.http()).await;
        let head =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        connection.send(head).await;
        let line = String::from_utf8(connection.read_until("\r\n").await).unwrap();
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn curl_waits_for_the_word_and_uploads() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let upload = gateway.folder().join("upload");
    std::fs::write(&upload, vec![b'x'; 3 * MIB]).unwrap();
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--verbose",
        "--noproxy",
        "*",
        "--expect100-timeout",
        "30",
        "--header",
        "Expect: 100-continue",
    ]);
    curl.arg("--data-binary").arg(format!("@{}", upload.display())).arg(gateway.url("/upload"));
    let output = timeout(PATIENCE, curl.stdin(Stdio::null()).kill_on_drop(true).output()).await;
    let output = output.expect("curl hangs").expect("curl is needed for this story");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("< HTTP/1.1 100 Continue") && told.contains("< HTTP/1.1 200 OK"), "{told}");
    assert_eq!(upstream.received().await.body.len(), 3 * MIB);
}
