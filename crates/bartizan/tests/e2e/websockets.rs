//! WebSocket and other upgrades: through the gateway, or refused by it.

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Request};
use rustix::process::Signal;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Duration, Instant, interval},
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
    harness::Gateway,
    phrases::public,
    raw::RawConnection,
    siege::{connect_with_small_window, connections_end, resident_bytes},
    upstream::Upstream,
};

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
                    socket.send(message).await.unwrap();
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
    speaks_both_ways_and_closes_in_order("").await;
}

/// The firewall looks at the request that opens it, and at nothing that follows.
#[tokio::test]
async fn a_websocket_speaks_both_ways_with_the_firewall_on() {
    speaks_both_ways_and_closes_in_order(", waf: { responses: on }").await;
}

async fn speaks_both_ways_and_closes_in_order(besides: &str) {
    let (upstream, told) = echo().await;
    let gateway = public(upstream, besides).await;
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
    let gateway = public(upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let said = connection.read_until("first words").await;
    assert!(said.starts_with(b"HTTP/1.1 101 "));
    connection.send("answer").await;
    assert_eq!(done.await.unwrap(), b"answer");
}

#[tokio::test]
async fn what_follows_a_declined_upgrade_is_a_request_like_any_other() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "identity: {{ partners: {{ api_key: {{}} }} }}\n\
         routes: [{{ path: /, to: \"{upstream}\", auth: none }}, {{ path: /admin, to: \"{upstream}\", auth: partners }}]"
    ))
    .await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(format!("{UPGRADE}GET /admin HTTP/1.1\r\nHost: shop.test\r\n\r\n")).await;
    assert_eq!(connection.read_answer().await.status, 200);
    assert_eq!(upstream.received().await.uri.path(), "/");
    connection.finish().await;
    let behind = connection.read_to_end().await;
    assert!([0, 401].contains(&behind.status) && behind.rest.is_empty(), "{behind:?}");
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn a_half_closed_tunnel_still_carries_the_other_half() {
    let (upstream, done) = switching(async |mut connection| {
        let last = connection.read_to_end().await.rest;
        connection.send("goodbye").await;
        last
    })
    .await;
    let gateway = public(upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    connection.read_until("first words").await;
    connection.send("that was all").await;
    connection.finish().await;
    assert_eq!(connection.read_until("goodbye").await, b"goodbye");
    assert_eq!(done.await.unwrap(), b"that was all");
    assert!(connection.is_closed().await);
}

/// More than every buffer on the way holds.
const ENDLESS: usize = 64 * 1024 * 1024;

/// What a tunnel may take of the gateway's memory.
const MEMORY: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn a_client_that_never_reads_loses_its_tunnel() {
    let (upstream, done) = switching(async |mut connection| connection.send(vec![0; ENDLESS]).await).await;
    let gateway = Gateway::start(&format!(
        "routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\nhardening: {{ rate_window: 500ms }}\n"
    ))
    .await;
    let before = resident_bytes(&gateway);
    let mut connection = RawConnection::over(connect_with_small_window(gateway.http()).await);
    connection.send(UPGRADE).await;
    connection.read_until("first words").await;
    // The upstream is stopped, and only the end of the tunnel lets it go.
    done.await.unwrap();
    connections_end(&gateway, "http").await;
    assert!(gateway.metric("bartizan_wire_violations_total{code=\"slow_read\"").await >= 1.0);
    let after = resident_bytes(&gateway);
    assert!(after < before + MEMORY, "{before} bytes before, {after} after");
}

#[tokio::test]
async fn an_upstream_that_never_reads_loses_its_tunnel() {
    let (upstream, _done) = switching(async |connection| {
        let _kept = connection;
        std::future::pending::<()>().await;
    })
    .await;
    let gateway = public(upstream, ", timeouts: { idle: 1s }").await;
    let before = resident_bytes(&gateway);
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    connection.read_until("first words").await;
    connection.send(vec![0; ENDLESS]).await;
    connections_end(&gateway, "http").await;
    let after = resident_bytes(&gateway);
    assert!(after < before + MEMORY, "{before} bytes before, {after} after");
}

/// A tunnel whose other end says everything back, in use.
async fn echoing_tunnel(drain: &str) -> (Gateway, RawConnection, JoinHandle<()>) {
    let (upstream, done) = switching(async |mut connection| {
        while !connection.read_until("tick").await.is_empty() {
            connection.send("tock").await;
        }
    })
    .await;
    let gateway = Gateway::start(&format!(
        "shutdown: {{ drain: {drain} }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ))
    .await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    connection.read_until("first words").await;
    (gateway, connection, done)
}

#[tokio::test]
async fn a_tunnel_in_use_goes_on_until_the_drain_is_over() {
    const DRAIN: Duration = Duration::from_secs(3);
    let (mut gateway, mut connection, _done) = echoing_tunnel("3s").await;
    gateway.signal(Signal::TERM);
    gateway.notified("STOPPING=1").await;
    let (since, mut pace) = (Instant::now(), interval(Duration::from_millis(100)));
    while since.elapsed() + Duration::from_millis(500) < DRAIN {
        pace.tick().await;
        connection.send("tick").await;
        connection.read_until("tock").await;
    }
    assert!(gateway.ended().await.success());
    assert!(since.elapsed() + Duration::from_millis(500) >= DRAIN);
    assert!(connection.is_closed().await);
}

#[tokio::test]
async fn a_drain_is_over_as_soon_as_the_last_tunnel_is() {
    let (mut gateway, mut connection, _done) = echoing_tunnel("1h").await;
    gateway.signal(Signal::TERM);
    gateway.notified("STOPPING=1").await;
    connection.send("tick").await;
    connection.read_until("tock").await;
    drop(connection);
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn a_route_without_upgrades_refuses_them() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, ", upgrade: []").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.code().as_deref()), (400, Some("upgrade_refused")));
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn an_upgrade_that_is_not_meant_for_this_connection_is_refused() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    for connection in ["", "Connection: keep-alive\r\n", "Connection: upgrades\r\n"] {
        let request = UPGRADE.replace("Connection: Upgrade\r\n", connection);
        let answer = gateway.raw(request).await;
        assert_eq!((answer.status, answer.code().as_deref()), (400, Some("upgrade_refused")), "{connection}");
    }
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
    let gateway = public(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send(UPGRADE).await;
    let answer = connection.read_answer().await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello from upstream"[..]));
    assert_eq!(upstream.received().await.headers["upgrade"], "websocket");
}
