//! Upgrades through an upstream: the tunnel, its half-close, its limits.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    backend::{Backend, status},
    gateway::{Gateway, LIMITS, Limits},
    *,
};

const ASK: &[u8] = b"GET /chat HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Switches protocols and echoes until the client ends its half, then says goodbye.
async fn echo() -> Backend {
    Backend::start(|mut request| async move {
        assert_eq!(request.headers()["upgrade"], "websocket");
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut stream = hyper_util::rt::TokioIo::new(upgrade.await.expect("upgraded"));
            let mut bytes = [0; 1024];
            loop {
                match stream.read(&mut bytes).await {
                    Ok(0) => break,
                    Ok(length) => stream.write_all(&bytes[..length]).await.expect("echoed"),
                    Err(_) => return,
                }
            }
            stream.write_all(b"goodbye").await.expect("sent");
            stream.shutdown().await.expect("shut down");
        });
        let mut reply = status(101);
        reply.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
        reply.headers_mut().insert("upgrade", http::HeaderValue::from_static("websocket"));
        reply
    })
    .await
}

async fn switched(gateway: &Gateway) -> TcpStream {
    let mut client = TcpStream::connect(gateway.address).await.expect("connected");
    client.write_all(ASK).await.expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.expect("a head"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    client
}

async fn say(client: &mut TcpStream, word: &str) {
    client.write_all(word.as_bytes()).await.expect("sent");
    let mut echo = vec![0; word.len()];
    client.read_exact(&mut echo).await.expect("an echo");
    assert_eq!(echo, word.as_bytes());
}

#[tokio::test]
async fn bytes_pass_and_a_half_close_is_kept() {
    let backend = echo().await;
    let upstream = upstream(settings(&[&backend]));
    let gateway = Gateway::start(Arc::clone(&upstream), LIMITS).await;
    let mut client = switched(&gateway).await;
    for word in ["hello", "and", "again"] {
        say(&mut client, word).await;
    }
    assert_eq!(upstream.targets[0].in_flight(), 1, "an upgraded connection counts as load");
    client.shutdown().await.expect("half closed");
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.expect("the other half");
    assert_eq!(rest, "goodbye");
    while upstream.targets[0].in_flight() > 0 || upstream.status().targets[0].connections > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_upgraded_connection_takes_a_place_but_is_never_pooled() {
    let backend = echo().await;
    let mut settings = settings(&[&backend]);
    settings.max_connections = 1;
    settings.timeouts.connect = Duration::from_millis(100);
    let upstream = upstream(settings);
    let mut gateway = Gateway::start(Arc::clone(&upstream), LIMITS).await;
    let _client = switched(&gateway).await;
    let mut second = TcpStream::connect(gateway.address).await.expect("connected");
    second.write_all(ASK).await.expect("sent");
    let error = gateway.errors.recv().await.expect("an error");
    assert!(matches!(error, UpstreamError::Saturated), "{error}");
}

#[tokio::test]
async fn an_upgrade_that_is_declined_is_an_ordinary_response() {
    let backend = Backend::start(|_| async { backend::text("no sockets here") }).await;
    let upstream = upstream(settings(&[&backend]));
    let mut request = get();
    request.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
    request.headers_mut().insert("upgrade", http::HeaderValue::from_static("websocket"));
    assert_eq!(fetch(&upstream, request).await.expect("an answer").1, "no sockets here");
    while upstream.status().targets[0].connections > 0 || upstream.targets[0].in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn silence_ends_a_tunnel() {
    let backend = echo().await;
    let limits = Limits { idle: Duration::from_millis(200), ..LIMITS };
    let gateway = Gateway::start(upstream(settings(&[&backend])), limits).await;
    let mut client = switched(&gateway).await;
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        say(&mut client, "still here").await;
    }
    let quiet = std::time::Instant::now();
    let ended = tokio::time::timeout(AMPLE, client.read_u8()).await.expect("in time");
    assert!(ended.is_err());
    assert!(quiet.elapsed() >= Duration::from_millis(190));
}

#[tokio::test]
async fn a_quiet_tunnel_ends_when_the_gateway_drains() {
    let backend = echo().await;
    let gateway = Gateway::start(upstream(settings(&[&backend])), LIMITS).await;
    let mut client = switched(&gateway).await;
    say(&mut client, "hello").await;
    gateway.shutdown.send_replace(true);
    say(&mut client, "a tunnel in use goes on").await;
    let ended = tokio::time::timeout(AMPLE / 2, client.read_u8()).await.expect("before its idle time");
    assert!(ended.is_err());
}
