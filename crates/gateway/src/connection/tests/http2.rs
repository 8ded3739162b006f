use std::time::Duration;

use bartizan_config::{Hardening, Http2Limits};
use bytes::Bytes;
use h2::{Reason, client::SendRequest};
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

use super::super::{
    ListenerKind,
    harness::{Running, settings, start},
};

const PATIENCE: Duration = Duration::from_secs(20);
const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const ENHANCE_YOUR_CALM: u8 = 0xb;

fn limits() -> Hardening {
    let http2 = Http2Limits {
        resets: 20,
        control_frames: 30,
        continuations: 4,
        concurrent_streams: 50,
        ..Http2Limits::default()
    };
    Hardening { http2, ..Hardening::default() }
}

fn running(hardening: Hardening) -> Running {
    start(ListenerKind::Http, settings(hardening))
}

type Connection = JoinHandle<Result<(), h2::Error>>;

async fn connect(running: &Running) -> (SendRequest<Bytes>, Connection) {
    let (client, connection) = h2::client::handshake(running.connect().await).await.unwrap();
    (client.ready().await.unwrap(), tokio::spawn(connection))
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://a{path}")).body(()).unwrap()
}

async fn text(client: &mut SendRequest<Bytes>, request: Request<()>) -> (u16, String) {
    let (response, _) = client.send_request(request, true).unwrap();
    let response = response.await.unwrap();
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut text = String::new();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
        text.push_str(std::str::from_utf8(&data).unwrap());
    }
    (status, text)
}

/// Sends `frames` after the preface; the code of the `GOAWAY` that answers them.
async fn goaway_after(running: &Running, frames: &[u8]) -> Option<u8> {
    let mut stream = running.connect().await;
    stream.write_all(PREFACE_AND_SETTINGS).await.unwrap();
    // Let the server's own first frames out, so that it stands on a frame boundary.
    let mut settings = [0; 9];
    stream.read_exact(&mut settings).await.unwrap();
    stream.write_all(frames).await.ok();
    let mut received = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the connection ends").ok();
    let at = received.windows(5).position(|window| window == [0, 0, 8, 7, 0]).map(|at| at + 16)?;
    received.get(at).copied()
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

#[tokio::test]
async fn requests_are_answered() {
    let running = running(limits());
    let (mut client, _connection) = connect(&running).await;
    assert_eq!(text(&mut client, get("/x")).await, (200, "1 /x".into()));
    assert_eq!(text(&mut client, get("/y")).await, (200, "2 /y".into()));
}

#[tokio::test]
async fn rapid_reset_ends_the_connection() {
    let running = running(limits());
    let (client, connection) = connect(&running).await;
    let mut sent = 0;
    let flood = async {
        while let Ok(mut client) = client.clone().ready().await
            && let Ok((_, mut stream)) = client.send_request(get("/wait"), true)
        {
            stream.send_reset(Reason::CANCEL);
            sent += 1;
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, flood).await.expect("a flood of resets ends the connection");
    assert!(sent < 1000, "{sent} streams were reset");
    let ended = timeout(PATIENCE, connection).await.expect("the connection ends").unwrap();
    assert!(ended.is_err(), "{ended:?}");
}

#[tokio::test]
async fn a_few_resets_do_not() {
    let running = running(limits());
    let (mut client, _connection) = connect(&running).await;
    for _ in 0..15 {
        let mut ready = client.clone().ready().await.unwrap();
        let (_, mut stream) = ready.send_request(get("/wait"), true).unwrap();
        stream.send_reset(Reason::CANCEL);
    }
    assert_eq!(text(&mut client, get("/x")).await.0, 200);
}

#[tokio::test]
async fn floods_of_frames_are_told_to_calm_down() {
    let running = running(limits());
    let ping = frame(6, 0, 0, &[0; 8]);
    let settings = frame(4, 0, 0, &[]);
    let priority = frame(2, 0, 1, &[0, 0, 0, 0, 1]);
    let unknown = frame(0x42, 0, 0, &[]);
    let window_update = frame(8, 0, 0, &[0, 0, 0, 1]);
    for (name, flood, count) in [
        ("ping", &ping, 200),
        ("settings", &settings, 200),
        ("priority", &priority, 200),
        ("unknown", &unknown, 200),
        ("window update", &window_update, 2000),
    ] {
        assert_eq!(goaway_after(&running, &flood.repeat(count)).await, Some(ENHANCE_YOUR_CALM), "{name}");
    }
}

#[tokio::test]
async fn a_flood_of_continuations_ends_the_connection() {
    let running = running(limits());
    let headers = frame(1, 0, 1, &[0x82]);
    let continuation = frame(9, 0, 1, &[]);
    let flood = [headers, continuation.repeat(100)].concat();
    assert_eq!(goaway_after(&running, &flood).await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_client_that_leaves_a_response_where_it_is_is_cut_off() {
    let running = running(Hardening { header_timeout: Duration::from_millis(500), ..limits() });
    let (mut client, connection) = connect(&running).await;
    let (response, _) = client.send_request(get("/large"), true).unwrap();
    let response = response.await.unwrap();
    let mut body = response.into_body();
    let mut taken = 0;
    // Takes the data and never gives the window back.
    while let Some(Ok(data)) = timeout(PATIENCE, body.data()).await.expect("the response is broken off") {
        taken += data.len();
    }
    assert!(taken <= 65_535, "{taken}");
    let _ = timeout(PATIENCE, connection).await.expect("the connection ends");
}

#[tokio::test]
async fn a_client_without_a_window_is_cut_off_however_short_the_response() {
    let running = running(Hardening { rate_window: Duration::from_millis(300), ..limits() });
    let stream: TcpStream = running.connect().await;
    let (mut client, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let (response, _) = client.send_request(get("/x"), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    let broken = timeout(PATIENCE, body.data()).await.expect("the response is broken off");
    assert!(broken.unwrap().is_err());
    let _ = timeout(PATIENCE, connection).await.expect("the connection ends");
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_order() {
    let running = running(Hardening { header_timeout: Duration::from_millis(200), ..limits() });
    let (mut client, connection) = connect(&running).await;
    assert_eq!(text(&mut client, get("/x")).await.0, 200);
    timeout(PATIENCE, connection).await.expect("an idle connection is closed").unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_that_never_speaks_is_closed() {
    let running = running(Hardening { header_timeout: Duration::from_millis(200), ..limits() });
    for first in [&b"PRI * HTTP/2.0"[..], PREFACE_AND_SETTINGS] {
        let mut stream = running.connect().await;
        stream.write_all(first).await.unwrap();
        let mut received = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("the connection ends").ok();
    }
}

#[tokio::test]
async fn downloads_of_small_windows_are_no_flood() {
    let running = running(limits());
    let stream: TcpStream = running.connect().await;
    let (mut client, connection) = h2::client::Builder::new()
        .initial_window_size(16_384)
        .initial_connection_window_size(65_535)
        .handshake::<_, Bytes>(stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let (status, body) = text(&mut client, get("/large")).await;
    assert_eq!((status, body.len()), (200, 32 << 20));
    assert!(!connection.is_finished());
}
