//! What flows back: events one by one, large downloads, and connections that are used again.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, header};
use http_body_util::{BodyExt, channel::Channel};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};

use crate::{
    harness::{Gateway, PATIENCE},
    phrases::{peak_memory, public},
    raw::RawConnection,
    service::Service,
    upstream::{Upstream, text},
};

const MIB: usize = 1024 * 1024;
/// Large enough to tell whether it was kept in memory.
const LARGE: usize = 64 * MIB;

#[tokio::test]
async fn server_sent_events_arrive_one_by_one() {
    events_arrive_one_by_one("").await;
}

/// The firewall looks at responses, but never holds what is streamed by its nature.
#[tokio::test]
async fn server_sent_events_arrive_one_by_one_with_the_firewall_on() {
    events_arrive_one_by_one(", waf: { responses: on }").await;
}

async fn events_arrive_one_by_one(besides: &str) {
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
    let gateway = public(&upstream, besides).await;
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
    let gateway = public(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    connection.read_until("tick").await;
    drop(connection);
    timeout(PATIENCE, ended.recv()).await.expect("the upstream still sends").unwrap();
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
    let gateway = public(&upstream, "").await;
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
    let gateway = public(&upstream, "").await;
    let mut connection = RawConnection::open(gateway.http()).await;
    connection.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = String::from_utf8(connection.read_until("\r\n\r\n").await).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("content-length: 19\r\n"), "{head}");
    connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(connection.read_answer().await.body, b"hello from upstream", "nothing came between");
}

#[tokio::test]
async fn an_http_1_0_client_is_answered_in_its_own_way() {
    let upstream = Upstream::start().await;
    upstream.open_gate();
    let gateway = public(&upstream, "").await;
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
    let gateway = public(&upstream, "").await;
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

#[tokio::test]
async fn a_connection_that_has_served_enough_is_closed_in_order() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "hardening: {{ max_requests_per_connection: 3 }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ))
    .await;
    let mut connection = RawConnection::open(gateway.http()).await;
    for number in 1..=3 {
        connection.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = connection.read_answer().await;
        assert_eq!((answer.status, answer.header("connection") == "close"), (200, number == 3), "{number}");
    }
    assert!(connection.is_closed().await);
    // An ordinary client notices nothing, in either version.
    let http2 = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    for client in [gateway.client(), &http2] {
        for _ in 0..10 {
            assert_eq!(client.get(gateway.url("/")).send().await.unwrap().status(), 200);
        }
    }
}
