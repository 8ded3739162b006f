//! HTTP/2: connections are shared, multiplied when streams run out, and replaced when they go away.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Version, header};
use http_body::Frame;
use tokio::sync::Semaphore;

use super::{
    backend::{Backend, Frames, Speaking, text},
    *,
};

fn http2(max_streams: Option<u32>) -> Speaking {
    Speaking { http2: true, max_streams, tls: None }
}

fn settings(backend: &Backend) -> config::Upstream {
    config::Upstream { protocol: config::Protocol::Http2, ..super::settings(&[backend]) }
}

#[tokio::test]
async fn requests_at_the_same_time_share_a_connection() {
    let backend = Backend::speaking(http2(None), |_| async { text("ok") }).await;
    let upstream = upstream(settings(&backend));
    let sent: Vec<_> = (0..50)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream, get()).await.map(|(status, _)| status) })
        })
        .collect();
    for sent in sent {
        assert_eq!(sent.await.expect("joined").expect("an answer"), 200);
    }
    assert_eq!((backend.requests(), backend.connections()), (50, 1));
    assert_eq!(upstream.targets[0].in_flight(), 0);
}

#[tokio::test]
async fn a_connection_whose_streams_are_used_up_gets_company() {
    let (arrived, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arriving, leaving) = (Arc::clone(&arrived), Arc::clone(&leave));
    let backend = Backend::speaking(http2(Some(2)), move |_| {
        let (arrived, leave) = (Arc::clone(&arriving), Arc::clone(&leaving));
        async move {
            arrived.add_permits(1);
            leave.acquire().await.expect("open").forget();
            text("ok")
        }
    })
    .await;
    let upstream = upstream(settings(&backend));
    let sent: Vec<_> = (0..5)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream, get()).await.map(|(status, _)| status) })
        })
        .collect();
    arrived.acquire_many(5).await.expect("all five are being answered at once").forget();
    assert_eq!(backend.connections(), 3);
    leave.add_permits(5);
    for sent in sent {
        assert_eq!(sent.await.expect("joined").expect("an answer"), 200);
    }
    leave.add_permits(1);
    fetch(&upstream, get()).await.expect("an answer");
    assert_eq!(backend.connections(), 3, "free streams are used again");
}

#[tokio::test]
async fn with_every_stream_of_every_connection_used_a_request_waits() {
    let (arrived, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (arriving, leaving) = (Arc::clone(&arrived), Arc::clone(&leave));
    let backend = Backend::speaking(http2(Some(1)), move |_| {
        let (arrived, leave) = (Arc::clone(&arriving), Arc::clone(&leaving));
        async move {
            arrived.add_permits(1);
            leave.acquire().await.expect("open").forget();
            text("ok")
        }
    })
    .await;
    let upstream = upstream(config::Upstream { max_connections: 2, ..settings(&backend) });
    let sent: Vec<_> = (0..6)
        .map(|_| {
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move { fetch(&upstream, get()).await.map(|(status, _)| status) })
        })
        .collect();
    arrived.acquire_many(2).await.expect("open").forget();
    assert_eq!(backend.requests(), 2);
    leave.add_permits(6);
    for sent in sent {
        assert_eq!(sent.await.expect("joined").expect("an answer"), 200);
    }
    assert_eq!((backend.requests(), backend.connections()), (6, 2));
}

#[tokio::test]
async fn the_request_has_the_shape_of_http2() {
    let backend = Backend::speaking(http2(None), |request| async move {
        assert_eq!(request.version(), Version::HTTP_2);
        assert!(!request.headers().contains_key(header::HOST));
        text(format!("{} {}", request.uri(), request.headers()[header::TE].to_str().expect("text")))
    })
    .await;
    let upstream = upstream(settings(&backend));
    for (host, authority) in
        [(None, backend.address().to_string()), (Some("shop.test"), "shop.test".to_owned())]
    {
        let mut request = get();
        request.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, HeaderValue::from_static(host));
        }
        let (_, body) = fetch(&upstream, request).await.expect("an answer");
        assert_eq!(body, format!("http://{authority}/orders?page=2 trailers"));
    }
}

#[tokio::test]
async fn grpc_gets_http2_in_the_clear_and_its_trailers() {
    let backend = Backend::speaking(http2(None), |_| async {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        http::Response::new(
            Frames::new([Frame::data(Bytes::from("message")), Frame::trailers(trailers)]).boxed(),
        )
    })
    .await;
    let upstream = upstream(super::settings(&[&backend]));
    let answered = upstream.send(get(), Wants { grpc: true, ..WANTS }).await.expect("an answer");
    let body = answered.response.into_body().collect().await.expect("the body is whole");
    assert_eq!(body.trailers().expect("trailers")["grpc-status"], "0");
    assert_eq!(body.to_bytes(), "message");
}

#[tokio::test]
async fn a_connection_that_went_away_is_replaced() {
    let backend = Backend::raw(|socket, _| async move {
        let mut connection = h2::server::handshake(socket).await.expect("HTTP/2");
        if let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_response(http::Response::new(()), true).expect("sent");
            connection.graceful_shutdown();
            while connection.accept().await.is_some() {}
        }
    })
    .await;
    let upstream = upstream(settings(&backend));
    for _ in 0..10 {
        let post = request(Method::POST, "order");
        assert_eq!(fetch(&upstream, post).await.expect("an answer").0, 200);
    }
}

#[tokio::test]
async fn downloads_that_nobody_reads_do_not_hold_up_the_others() {
    let backend = Backend::speaking(http2(None), |request| async move {
        let large = request.method() == Method::POST;
        text(vec![b'x'; if large { 8 << 20 } else { 1 << 16 }])
    })
    .await;
    let upstream = upstream(settings(&backend));
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(upstream.send(request(Method::POST, ""), WANTS).await.expect("an answer"));
        let fetched = tokio::time::timeout(AMPLE / 4, fetch(&upstream, get())).await;
        assert_eq!(fetched.expect("the small one passes").expect("an answer").1.len(), 1 << 16);
    }
    assert_eq!(backend.connections(), 1);
}
