//! Bodies both ways: large, slow, broken off, with trailers.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::{
    backend::{Backend, Frames, Speaking, text},
    gateway::{Gateway, LIMITS, Limits},
    *,
};
use crate::body::BodyError;

async fn backends(answer: impl Fn() -> backend::Reply + Clone + Send + Sync + 'static) -> [Backend; 2] {
    let http1 = answer.clone();
    [
        Backend::start(move |_| std::future::ready(http1())).await,
        Backend::speaking(Speaking { http2: true, ..Speaking::default() }, move |_| {
            std::future::ready(answer())
        })
        .await,
    ]
}

fn both(backend: &Backend, version: usize) -> config::Upstream {
    let protocol = [config::Protocol::Http1, config::Protocol::Http2][version];
    config::Upstream { protocol, ..settings(&[backend]) }
}

#[tokio::test]
async fn a_megabyte_streams_both_ways() {
    for http2 in [false, true] {
        let echo = |request: Request<hyper::body::Incoming>| async {
            Response::new(request.into_body().map_err(|error| panic!("{error}")).boxed())
        };
        let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, echo).await;
        let upstream = upstream(both(&backend, usize::from(http2)));
        let gateway = Gateway::start(Arc::clone(&upstream), LIMITS).await;
        let sent: Vec<u8> = (0..251).cycle().take(1 << 20).collect();
        for _ in 0..2 {
            let socket = TcpStream::connect(gateway.address).await.expect("connected");
            let (mut reader, mut writer) = socket.into_split();
            let body = sent.clone();
            let writing = tokio::spawn(async move {
                let head = format!(
                    "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                writer.write_all(head.as_bytes()).await.expect("sent");
                writer.write_all(&body).await.expect("sent");
                writer
            });
            let mut answer = Vec::new();
            reader.read_to_end(&mut answer).await.expect("an answer");
            writing.await.expect("written");
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
            assert!(dechunked(&answer) == sent, "the body came back changed");
        }
        assert_eq!((backend.requests(), backend.connections()), (2, 1));
        assert_eq!(upstream.targets[0].in_flight(), 0);
    }
}

/// The content of a chunked response.
fn dechunked(response: &[u8]) -> Vec<u8> {
    let head = response.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    if !response[..head].windows(7).any(|window| window == b"chunked") {
        return response[head + 4..].to_vec();
    }
    let (mut rest, mut content) = (&response[head + 4..], Vec::new());
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk size");
        let size = std::str::from_utf8(&rest[..line]).expect("text");
        let size = usize::from_str_radix(size, 16).expect("a chunk size");
        if size == 0 {
            return content;
        }
        content.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
}

#[tokio::test]
async fn trailers_pass_and_the_connection_is_reused() {
    let answer = || {
        let mut trailers = HeaderMap::new();
        trailers.insert("checksum", HeaderValue::from_static("42"));
        let frames = [Frame::data(Bytes::from("part")), Frame::trailers(trailers)];
        let mut response = Response::new(Frames::new(frames).boxed());
        response.headers_mut().insert("trailer", HeaderValue::from_static("checksum"));
        response
    };
    for (version, backend) in backends(answer).await.into_iter().enumerate() {
        let upstream = upstream(both(&backend, version));
        for _ in 0..3 {
            let mut request = get();
            request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
            let answered = upstream.send(request, WANTS).await.expect("an answer");
            let body = answered.response.into_body().collect().await.expect("the body is whole");
            assert_eq!(body.trailers().expect("trailers")["checksum"], "42");
            assert_eq!(body.to_bytes(), "part");
        }
        assert_eq!(backend.connections(), 1);
    }
}

#[tokio::test]
async fn silence_in_a_response_body_ends_it() {
    let answer = || Response::new(Frames::then_silence(Bytes::from("part")).boxed());
    for (version, backend) in backends(answer).await.into_iter().enumerate() {
        let upstream = upstream(both(&backend, version));
        let idle = Duration::from_millis(50);
        let answered = upstream.send(get(), Wants { idle_timeout: idle, ..WANTS }).await.expect("an answer");
        let mut body = answered.response.into_body();
        let first = body.frame().await.expect("a frame").expect("data");
        assert_eq!(first.into_data().expect("data"), "part");
        let error = body.frame().await.expect("an end").expect_err("too long");
        assert!(matches!(error, BodyError::Idle(after) if after == idle), "{error}");
        drop(body);
        assert_eq!(upstream.targets[0].in_flight(), 0);
    }
}

#[tokio::test]
async fn a_response_body_cut_short_is_an_error() {
    let backend = Backend::raw(|mut socket, _| async move {
        let _ = socket.read(&mut [0; 1024]).await;
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    })
    .await;
    let answered = upstream(settings(&[&backend])).send(get(), WANTS).await.expect("a head");
    let error = answered.response.into_body().collect().await.expect_err("cut short");
    assert!(matches!(error, BodyError::Peer(_)), "{error}");
}

#[tokio::test]
async fn a_client_whose_body_breaks_off_is_told_from_a_failing_upstream() {
    let hungry = |request: Request<hyper::body::Incoming>| async {
        // The end never comes; the answer would wait for it.
        match request.into_body().collect().await {
            Ok(_) => text("complete"),
            Err(_) => text("broken"),
        }
    };
    for http2 in [false, true] {
        for (sent, limit) in [("too long for the limit", 4), ("short", 1000)] {
            let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, hungry).await;
            let upstream = upstream(both(&backend, usize::from(http2)));
            let mut gateway = Gateway::start(Arc::clone(&upstream), Limits { body: limit, ..LIMITS }).await;
            let mut client = TcpStream::connect(gateway.address).await.expect("connected");
            let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
            client.write_all(format!("{head}{sent}").as_bytes()).await.expect("sent");
            client.shutdown().await.expect("shut down");
            let error = gateway.errors.recv().await.expect("an error");
            match error {
                UpstreamError::RequestBody(BodyError::TooLarge { limit: 4 }) => assert_eq!(limit, 4),
                UpstreamError::RequestBody(BodyError::Peer(_)) => assert_eq!(limit, 1000),
                other => panic!("{other}"),
            }
            assert_eq!(upstream.targets[0].failures(), 0, "the target is not to blame");
        }
    }
}

#[tokio::test]
async fn a_long_upload_does_not_run_into_the_response_timeout() {
    let backend = Backend::start(|request| async {
        let body = request.into_body().collect().await.expect("whole").to_bytes();
        text(format!("{} bytes", body.len()))
    })
    .await;
    let wants = Wants { response_timeout: Duration::from_millis(150), ..WANTS };
    let gateway = Gateway::start(upstream(settings(&[&backend])), Limits { wants, ..LIMITS }).await;
    let mut client = TcpStream::connect(gateway.address).await.expect("connected");
    client
        .write_all(b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n")
        .await
        .expect("sent");
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        client.write_all(b"x").await.expect("sent");
    }
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.ends_with("10 bytes"), "{answer}");
}

#[tokio::test]
async fn the_body_of_a_get_is_not_lost() {
    for http2 in [false, true] {
        let echo = |request: Request<hyper::body::Incoming>| async {
            Response::new(request.into_body().map_err(|error| panic!("{error}")).boxed())
        };
        let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, echo).await;
        let upstream = upstream(both(&backend, usize::from(http2)));
        let gateway = Gateway::start(Arc::clone(&upstream), LIMITS).await;
        let mut socket = TcpStream::connect(gateway.address).await.expect("connected");
        let sent = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
            5\r\nquery\r\n0\r\n\r\n";
        socket.write_all(sent).await.expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains("query"), "{answer}");
    }
}

#[tokio::test]
async fn a_trailer_cannot_say_who_the_user_is() {
    for http2 in [false, true] {
        let echo = |request: Request<hyper::body::Incoming>| async {
            let body = request.into_body().collect().await.expect("a body");
            let mut names: Vec<_> = body.trailers().into_iter().flat_map(HeaderMap::keys).collect();
            names.sort_by_key(|name| name.as_str().to_owned());
            text(format!("{names:?}"))
        };
        let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, echo).await;
        let upstream = upstream(both(&backend, usize::from(http2)));
        let gateway = Gateway::start(Arc::clone(&upstream), LIMITS).await;
        let mut socket = TcpStream::connect(gateway.address).await.expect("connected");
        let sent = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\
            trailer: checksum, x-user-id\r\n\r\n1\r\nx\r\n0\r\nchecksum: 42\r\nx-user-id: root\r\n\r\n";
        socket.write_all(sent).await.expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains(r#"["checksum"]"#), "{answer}");
    }
}

/// A response body that comes once its request has been read, and says how long that was.
struct Length(Option<JoinHandle<usize>>);

impl Body for Length {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(reading) = &mut self.0 else { return Poll::Ready(None) };
        let length = ready!(Pin::new(reading).poll(context)).expect("read");
        self.0 = None;
        Poll::Ready(Some(Ok(Frame::data(format!("{length} bytes").into()))))
    }
}

/// Answers at once and reads on.
async fn early(request: Request<hyper::body::Incoming>) -> backend::Reply {
    let length = async { request.into_body().collect().await.map_or(0, |body| body.to_bytes().len()) };
    Response::new(Length(Some(tokio::spawn(length))).boxed())
}

const UPLOAD: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 10\r\n\r\n";

#[tokio::test]
async fn a_response_is_not_silent_while_its_request_is_still_coming() {
    for http2 in [false, true] {
        let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, early).await;
        let wants = Wants { idle_timeout: Duration::from_millis(150), ..WANTS };
        let upstream = upstream(both(&backend, usize::from(http2)));
        let gateway = Gateway::start(upstream, Limits { wants, ..LIMITS }).await;
        for (sent, expected) in [(10, true), (5, false)] {
            let mut client = TcpStream::connect(gateway.address).await.expect("connected");
            client.write_all(UPLOAD).await.expect("sent");
            for _ in 0..sent {
                tokio::time::sleep(Duration::from_millis(50)).await;
                client.write_all(b"x").await.expect("sent");
            }
            let mut answer = Vec::new();
            let read = tokio::time::timeout(AMPLE / 2, client.read_to_end(&mut answer)).await;
            let _ = read.expect("a silent end of the upload is one of the response, too");
            let answer = String::from_utf8(answer).expect("text");
            assert_eq!(answer.contains("10 bytes"), expected, "HTTP/2 {http2}: {answer}");
        }
    }
}

#[tokio::test]
async fn only_what_is_sent_over_http2_is_a_conversation() {
    for http2 in [false, true] {
        let hungry = |request: Request<hyper::body::Incoming>| async {
            let body = request.into_body().collect().await;
            text(body.map_or_else(|_| "broken".into(), |body| format!("{} bytes", body.to_bytes().len())))
        };
        let backend = Backend::speaking(Speaking { http2, ..Speaking::default() }, hungry).await;
        let upstream = upstream(both(&backend, usize::from(http2)));
        let limits = Limits {
            rate: (1000, Duration::from_millis(100)),
            wants: Wants { grpc: true, ..WANTS },
            ..LIMITS
        };
        let mut gateway = Gateway::start(upstream, limits).await;
        let mut client = TcpStream::connect(gateway.address).await.expect("connected");
        client.write_all(UPLOAD).await.expect("sent");
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Whoever is cut off sees it when reading.
            let _ = client.write_all(b"x").await;
        }
        if http2 {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.contains("10 bytes"), "{answer}");
        } else {
            let error = gateway.errors.recv().await.expect("an error");
            assert!(matches!(error, UpstreamError::RequestBody(BodyError::TooSlow)), "{error}");
        }
    }
}
