//! What flows: upgrades, events, large bodies in both directions, and connections that are used again.

use std::{process::Stdio, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt, Full, channel::Channel};
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    process::Command,
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    accept_hdr_async, client_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request as Handshake, Response as Accepted},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    harness::{Gateway, PATIENCE},
    raw::RawConnection,
    service::Service,
    upstream::{Body, Upstream, text},
};

const MIB: usize = 1024 * 1024;
/// Large enough to tell whether it was kept in memory.
const LARGE: usize = 64 * MIB;

/// A gateway with one public route for everything; `besides` is what else the route says.
async fn gateway(upstream: impl std::fmt::Display, besides: &str) -> Gateway {
    Gateway::start(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none{besides} }}]")).await
}

// === upgrades ===

/// Accepts one WebSocket, says everything back, and tells what it was asked for and how it was closed.
async fn echo() -> (String, JoinHandle<(String, Option<CloseFrame>)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let told = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut target = String::new();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let look = |request: &Handshake, mut accepted: Accepted| -> Result<Accepted, ErrorResponse> {
            target = request.uri().to_string();
            accepted.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("chat"));
            Ok(accepted)
        };
        let mut socket = accept_hdr_async(stream, look).await.unwrap();
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => {
                    // The answer to the closing frame goes out with this flush.
                    let _ = socket.flush().await;
                    return (target, frame);
                }
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    socket.send(message).await.unwrap()
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("{error}"),
                None => return (target, None),
            }
        }
    });
    (url, told)
}

#[tokio::test]
async fn a_websocket_speaks_both_ways_and_closes_in_order() {
    let (upstream, told) = echo().await;
    let gateway = gateway(upstream, "").await;
    let stream = TcpStream::connect(gateway.http()).await.unwrap();
    let request = Request::get("ws://shop.test/chat?room=1")
        .header("host", "shop.test")
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "WebSocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "chat")
        .body(())
        .unwrap();
    let (mut socket, response) = client_async(request, stream).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    assert!(response.headers().contains_key("x-request-id"));

    let messages = [Message::text("hello"), Message::binary(vec![0; 300_000]), Message::text("\u{1f980}")];
    for message in messages {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.send(Message::Ping("here?".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("here?".into()));

    let goodbye = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    socket.close(Some(goodbye.clone())).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(Some(_))))));
    assert!(socket.next().await.is_none(), "the connection ends after the closing handshake");
    assert_eq!(told.await.unwrap(), ("/chat?room=1".to_owned(), Some(goodbye)));
    gateway.stop().await;
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Switches protocols and does what the story says with the connection.
async fn switching<T, F>(then: impl FnOnce(RawConnection) -> F + Send + 'static) -> (String, JoinHandle<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let done = tokio::spawn(async move {
        let mut connection = RawConnection::over(listener.accept().await.unwrap().0);
        connection.read_until("\r\n\r\n").await;
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        // What is said at once travels in the same packet.
        connection.send(format!("{switch}first words")).await;
        then(connection).await
    });
    (url, done)
}

#[tokio::test]
async fn what_an_upstream_says_together_with_the_switch_is_not_lost() {
    let (upstream, done) = switching(async |mut connection| connection.read_until("answer").await).await;
    let gateway = gateway(upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let said = connection.read_until("first words").await;
    assert!(said.starts_with(b"HTTP/1.1 101 "));
    connection.send("answer").await;
    assert_eq!(done.await.unwrap(), b"answer");
}

#[tokio::test]
async fn a_half_closed_tunnel_still_carries_the_other_half() {
    let (upstream, done) = switching(async |mut connection| {
        let last = connection.read_to_end().await.rest;
        connection.send("goodbye").await;
        last
    })
    .await;
    let gateway = gateway(upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    connection.read_until("first words").await;
    connection.send("that was all").await;
    connection.finish().await;
    assert_eq!(connection.read_until("goodbye").await, b"goodbye");
    assert_eq!(done.await.unwrap(), b"that was all");
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_route_without_upgrades_refuses_them() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, ", upgrade: []").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.code().as_deref()), (400, Some("upgrade_refused")));
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn an_upgrade_needs_the_credential_of_its_route() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "identity: {{ partners: {{ api_key: {{}} }} }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: partners }}]"
    ))
    .await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    assert_eq!(connection.read_answer().await.status, 401);
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn an_upstream_may_decline_an_upgrade() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello from upstream"[..]));
    assert_eq!(upstream.received().await.headers["upgrade"], "websocket");
}

// === responses ===

#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    let (events, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(Mutex::new(receiver));
    let upstream = Service::start(move |_| {
        let receiver = Arc::clone(&receiver);
        async move {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                while let Some(event) = receiver.lock().await.recv().await {
                    if sender.send_data(format!("data: {event}\n\n").into()).await.is_err() {
                        return;
                    }
                }
            });
            let response = Response::builder().header(header::CONTENT_TYPE, "text/event-stream");
            response.body(body.boxed()).unwrap()
        }
    })
    .await;
    let gateway = gateway(&upstream, "").await;
    let mut response = gateway.get("/events").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    for event in ["one", "two", "three"] {
        // The next one exists only after this one has arrived.
        events.send(event).await.unwrap();
        let chunk = response.chunk().await.unwrap().expect("an event");
        assert_eq!(chunk, format!("data: {event}\n\n"));
    }
    drop(events);
    assert!(response.chunk().await.unwrap().is_none(), "the end arrives, too");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_stream_upstream() {
    let (gone, mut ended) = mpsc::channel::<()>(1);
    let upstream = Service::start(move |_| {
        let gone = gone.clone();
        async move {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                while sender.send_data("tick\n".into()).await.is_ok() {
                    tokio::task::yield_now().await;
                }
                let _ = gone.send(()).await;
            });
            Response::new(body.boxed())
        }
    })
    .await;
    let gateway = gateway(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    connection.read_until("tick").await;
    drop(connection);
    timeout(PATIENCE, ended.recv()).await.expect("the upstream still sends").unwrap();
}

/// What the process has taken of the machine's memory at its peak.
fn peak_memory(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test]
async fn a_large_download_passes_through_little_memory() {
    let upstream = Service::start(async |_| {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            let chunk = Bytes::from(vec![b'x'; MIB / 16]);
            for _ in 0..LARGE / chunk.len() {
                if sender.send_data(chunk.clone()).await.is_err() {
                    return;
                }
            }
        });
        Response::new(body.boxed())
    })
    .await;
    let gateway = gateway(&upstream, "").await;
    gateway.get("/warm").await.chunk().await.unwrap();
    let before = peak_memory(&gateway);
    let (mut response, mut length) = (gateway.get("/large").await, 0);
    while let Some(chunk) = response.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, LARGE);
    let taken = peak_memory(&gateway) - before;
    assert!(taken < LARGE / 4, "{} MiB taken", taken / MIB);
}

#[tokio::test]
async fn a_head_request_has_the_length_and_no_body() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = String::from_utf8(connection.read_until("\r\n\r\n").await).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: 19\r\n"), "{head}");
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(connection.read_answer().await.body, b"hello from upstream", "nothing came between");
}

// === requests ===

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
        let gateway = gateway(&upstream, &format!(", body: {{ policy: {policy}, max: 100MiB }}")).await;
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
    let gateway = gateway(&upstream, "").await;
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
        let gateway = gateway(&upstream, body).await;
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
        let gateway = gateway(&upstream, body).await;
        let answer = gateway.raw(format!("POST / HTTP/1.1\r\nHost: a\r\n{rest}")).await;
        assert_eq!((answer.status, answer.code().as_deref()), (413, Some("body_too_large")), "{name}");
        assert!(upstream.has_received_nothing().await, "{name}");
    }
}

#[tokio::test]
async fn a_stream_that_grows_too_large_is_broken_off() {
    let (upstream, mut arrived) = measuring().await;
    for body in [", body: { policy: stream, max: 100KiB }", ", body: { hold: 1KiB, max: 100KiB }"] {
        let gateway = gateway(&upstream, body).await;
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
        let gateway = gateway(&upstream, body).await;
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
    let gateway = gateway(&upstream, ", body: stream").await;
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

// === expectations and versions ===

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream, "").await;
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
    let gateway = gateway(&upstream, ", methods: [GET, PUT], body: { max: 4 }").await;
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
    let gateway = gateway(&upstream, "").await;
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

#[tokio::test]
async fn an_http_1_0_client_is_answered_in_its_own_way() {
    let upstream = Upstream::start().await;
    upstream.open_gate();
    let gateway = gateway(&upstream, "").await;
    let answer = gateway.raw("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello from upstream"[..]));
    // A body of unknown length ends with the connection: chunks are not known yet.
    let drip = gateway.raw("GET /drip HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((drip.status, drip.header("transfer-encoding")), (200, ""));
    assert_eq!(drip.rest, b"firstlast");
}

#[tokio::test]
async fn connections_are_used_again_on_both_sides() {
    let upstream = Service::start(async |_| text("ok")).await;
    let gateway = gateway(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    for number in 0..20 {
        let method = if number % 2 == 0 { Method::GET } else { Method::POST };
        connection
            .send(format!("{method} /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"))
            .await;
        assert_eq!(connection.read_answer().await.body, b"ok", "{number}");
    }
    assert_eq!(upstream.connections(), 1);
}
