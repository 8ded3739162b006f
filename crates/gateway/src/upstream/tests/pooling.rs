//! HTTP/1.1: connections are reused, replaced when stale, bounded in number, closed when idle.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{HeaderValue, Method, Version, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, Semaphore},
};

use super::{
    backend::{Backend, status, text},
    *,
};

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    for (method, body, reply) in
        [(Method::GET, "", "a body"), (Method::GET, "", ""), (Method::HEAD, "", ""), (Method::POST, "x", "y")]
    {
        let backend = Backend::start(move |_| async move { text(reply) }).await;
        let upstream = upstream(settings(&[&backend]));
        for _ in 0..20 {
            fetch(&upstream, request(method.clone(), body)).await.expect("an answer");
        }
        assert_eq!((backend.requests(), backend.connections()), (20, 1), "{method} {reply}");
        assert_eq!(upstream.targets[0].in_flight(), 0);
    }
}

#[tokio::test]
async fn the_request_has_the_shape_of_http1() {
    let backend = Backend::start(|request| async move {
        assert_eq!(request.version(), Version::HTTP_11);
        text(format!("{} {}", request.uri(), request.headers()[header::HOST].to_str().expect("text")))
    })
    .await;
    let upstream = upstream(settings(&[&backend]));
    let (_, body) = fetch(&upstream, get()).await.expect("an answer");
    assert_eq!(body, format!("/orders?page=2 {}", backend.address()));
    let mut preserving = get();
    preserving.headers_mut().insert(header::HOST, HeaderValue::from_static("shop.test"));
    let (_, body) = fetch(&upstream, preserving).await.expect("an answer");
    assert_eq!(body, "/orders?page=2 shop.test");
}

#[tokio::test]
async fn a_response_dropped_half_read_closes_its_connection() {
    let backend = Backend::start(|_| async { text(vec![0; 1 << 20]) }).await;
    let upstream = upstream(settings(&[&backend]));
    drop(upstream.send(get(), WANTS).await.expect("an answer"));
    assert_eq!(upstream.status().targets[0].connections, 0);
    fetch(&upstream, get()).await.expect("an answer");
    assert_eq!(backend.connections(), 2);
}

/// Answers each connection's first request and hangs up, although it promised to keep the connection.
async fn fickle(seen: Arc<Mutex<Vec<String>>>, closed: Arc<Notify>) -> Backend {
    Backend::raw(move |mut socket, _| {
        let (seen, closed) = (Arc::clone(&seen), Arc::clone(&closed));
        async move {
            let mut bytes = [0; 1024];
            let length = socket.read(&mut bytes).await.expect("a request");
            seen.lock().expect("lock").push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.expect("sent");
            drop(socket);
            closed.notify_one();
        }
    })
    .await
}

/// Returns once everything that has happened on sockets so far has been noticed by the runtime.
async fn settle() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (client, server) =
        tokio::join!(TcpStream::connect(listener.local_addr().expect("an address")), listener.accept());
    drop(client.expect("connected"));
    let (mut server, _) = server.expect("accepted");
    assert_eq!(server.read(&mut [0]).await.expect("the end"), 0);
}

#[tokio::test]
async fn a_post_on_a_stale_connection_is_neither_lost_nor_doubled() {
    let (seen, closed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    let backend = fickle(Arc::clone(&seen), Arc::clone(&closed)).await;
    let upstream = upstream(settings(&[&backend]));
    for number in 1..=20 {
        let body: &'static str = format!("order {number}").leak();
        fetch(&upstream, request(Method::POST, body)).await.expect("an answer");
        closed.notified().await;
        settle().await;
    }
    let seen = seen.lock().expect("lock").clone();
    let expected: Vec<String> = (1..=20).map(|number| format!("order {number}")).collect();
    assert!(seen.iter().zip(&expected).all(|(seen, expected)| seen.ends_with(expected)), "{seen:?}");
    assert_eq!((seen.len(), backend.connections()), (20, 20));
}

#[tokio::test]
async fn a_post_that_was_read_but_not_answered_is_not_sent_again() {
    let backend = Backend::raw(|mut socket, _| async move {
        let _ = socket.read(&mut [0; 1024]).await;
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.retries.attempts = 3;
    let error = fetch(&upstream(settings), request(Method::POST, "order")).await.expect_err("no answer");
    assert!(matches!(error, UpstreamError::Protocol(_)), "{error}");
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn no_more_connections_than_allowed_and_the_rest_waits() {
    let (arrived, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arriving, leaving) = (Arc::clone(&arrived), Arc::clone(&leave));
    let backend = Backend::start(move |_| {
        let (arrived, leave) = (Arc::clone(&arriving), Arc::clone(&leaving));
        async move {
            arrived.add_permits(1);
            leave.acquire().await.expect("open").forget();
            status(204)
        }
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.max_connections = 2;
    let upstream = upstream(settings);
    let sent: Vec<_> = (0..6)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream, get()).await.map(|(status, _)| status) })
        })
        .collect();
    arrived.acquire_many(2).await.expect("open").forget();
    leave.add_permits(6);
    for sent in sent {
        assert_eq!(sent.await.expect("joined").expect("an answer"), 204);
    }
    assert_eq!((backend.requests(), backend.connections()), (6, 2));
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_is_turned_away() {
    let backend = Backend::start(|_| std::future::pending()).await;
    let mut settings = settings(&[&backend]);
    settings.max_connections = 1;
    settings.timeouts.connect = Duration::from_millis(200);
    let upstream = upstream(settings);
    let busy = Arc::clone(&upstream);
    let busy = tokio::spawn(async move { fetch(&busy, get()).await.map(drop) });
    while backend.requests() == 0 {
        tokio::task::yield_now().await;
    }
    let error = fetch(&upstream, get()).await.expect_err("no room");
    assert!(matches!(error, UpstreamError::Saturated), "{error}");
    busy.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_wander_between_tasks_without_losing_a_wake_up() {
    let backend = Backend::start(|request| async {
        text(request.into_body().collect().await.expect("a body").to_bytes())
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.max_connections = 8;
    let upstream = upstream(settings);
    let sent: Vec<_> = (0..32)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move {
                for _ in 0..50 {
                    let (_, body) =
                        fetch(&upstream, request(Method::POST, "order")).await.expect("an answer");
                    assert_eq!(body, "order");
                }
            })
        })
        .collect();
    for sent in sent {
        tokio::time::timeout(AMPLE, sent).await.expect("in time").expect("joined");
    }
    assert_eq!(backend.requests(), 32 * 50);
    assert!(backend.connections() <= 8);
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let ended = Arc::new(Notify::new());
    let noticing = Arc::clone(&ended);
    let backend = Backend::raw(move |mut socket, _| {
        let ended = Arc::clone(&noticing);
        async move {
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            assert_eq!(socket.read(&mut [0; 1024]).await.expect("a clean end"), 0);
            ended.notify_one();
        }
    })
    .await;
    let mut settings = settings(&[&backend]);
    settings.timeouts.idle = Duration::from_millis(100);
    let upstream = upstream(settings);
    fetch(&upstream, get()).await.expect("an answer");
    tokio::time::timeout(AMPLE, ended.notified()).await.expect("closed");
    assert_eq!(upstream.status().targets[0].connections, 0);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_reaches_nobody() {
    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const FORGED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    for forged in
        [FORGED, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", "x"]
    {
        let backend = Backend::raw(move |mut socket, _| async move {
            while socket.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {
                if socket.write_all(format!("{OK}{forged}").as_bytes()).await.is_err() {
                    return;
                }
            }
        })
        .await;
        let upstream = upstream(settings(&[&backend]));
        for _ in 0..5 {
            let (status, body) = fetch(&upstream, get()).await.expect("an answer");
            assert_eq!((status.as_u16(), &*body), (200, &b"ok"[..]), "{forged:?}");
        }
    }
}
