//! How large a request may be, over HTTP/1.1 and HTTP/2 alike: up to the limit it is served, beyond it is refused
//! with the exact status, in words a machine can read, and never reaches the upstream.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Version, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use reqwest::{Client, Method, Request, Url};

use crate::{
    harness::{Gateway, PATIENCE},
    raw::RawConnection,
    upstream::Upstream,
};

const MAX_HEADER_BYTES: usize = 4096;
const MAX_HEADER_COUNT: usize = 20;
const MAX_URI_BYTES: usize = 1024;
const HOLD: usize = 2048;
const MAX_BODY: usize = 8192;

async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(&format!(
        "routes:
  - {{ path: /hold, to: \"{upstream}\", auth: none, body: {{ policy: hold, hold: {HOLD}, max: {MAX_BODY} }} }}
  - {{ path: /stream, to: \"{upstream}\", auth: none, body: {{ policy: stream, max: {MAX_BODY} }} }}
  - {{ path: /refuse, to: \"{upstream}\", auth: none, body: {{ policy: refuse, hold: {HOLD}, max: {MAX_BODY} }} }}
  - {{ path: /**, to: \"{upstream}\", auth: none }}
hardening:
  max_header_bytes: {MAX_HEADER_BYTES}
  max_header_count: {MAX_HEADER_COUNT}
  max_uri_bytes: {MAX_URI_BYTES}
"
    ))
    .await
}

/// One client for each version of HTTP. They send `host` (`:authority`) and `accept` of their own.
fn clients() -> [(Version, Client); 2] {
    let builder = || Client::builder().no_proxy().timeout(PATIENCE);
    [
        (Version::HTTP_11, builder().http1_only().build().unwrap()),
        (Version::HTTP_2, builder().http2_prior_knowledge().build().unwrap()),
    ]
}

/// A request with these header fields.
fn get(gateway: &Gateway, target: &str, fields: impl IntoIterator<Item = (String, String)>) -> Request {
    let mut request = Request::new(Method::GET, Url::parse(&gateway.url(target)).unwrap());
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request.headers_mut().append(name, HeaderValue::from_str(&value).unwrap());
    }
    request
}

fn post(gateway: &Gateway, path: &str, length: usize, is_framed_by_length: bool) -> Request {
    let mut request = Request::new(Method::POST, Url::parse(&gateway.url(path)).unwrap());
    let body = Bytes::from(vec![b'x'; length]);
    *request.body_mut() = Some(if is_framed_by_length {
        body.into()
    } else {
        let frames = futures_util::stream::iter([Ok::<_, Infallible>(Frame::data(body))]);
        reqwest::Body::wrap(StreamBody::new(frames))
    });
    request
}

/// Sends it and checks that it is served (no code) or refused with this status and code.
async fn expect(
    client: &Client,
    request: Request,
    expected: Option<(u16, &str)>,
    upstream: &Upstream,
    what: &str,
) {
    let answer = client.execute(request).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let Some((expected_status, code)) = expected else {
        assert_eq!(status, 200, "{what}: {}", answer.text().await.unwrap());
        upstream.received().await;
        return;
    };
    assert_eq!(status, expected_status, "{what}");
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    assert_eq!(content_type, Some("application/problem+json"), "{what}");
    let problem: serde_json::Value = answer.json().await.unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{what}");
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap(), "{what}");
    assert!(upstream.has_received_nothing().await, "{what}: reached the upstream");
}

#[tokio::test]
async fn heads_are_served_up_to_the_limits() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    let query = |length: usize| format!("/q?{}", "a".repeat(length - 3));
    let fields =
        |count: usize| (0..count).map(|number| (format!("x-{number}"), "y".into())).collect::<Vec<_>>();
    let value = |length: usize| vec![("x-long".to_owned(), "y".repeat(length))];
    let name = |length: usize| vec![(format!("x-{}", "n".repeat(length)), "y".to_owned())];
    let (too_long, too_large) = (Some((414, "uri_too_long")), Some((431, "headers_too_large")));
    let cases = [
        ("a target at the limit", target(MAX_URI_BYTES), vec![], None),
        ("a target over the limit", target(MAX_URI_BYTES + 1), vec![], too_long),
        ("a query at the limit", query(MAX_URI_BYTES), vec![], None),
        ("a query over the limit", query(MAX_URI_BYTES + 1), vec![], too_long),
        ("fields below the limit", "/".into(), fields(MAX_HEADER_COUNT - 3), None),
        ("fields over the limit", "/".into(), fields(MAX_HEADER_COUNT + 1), too_large),
        (
            "the same field over and over",
            "/".into(),
            vec![("x".into(), "y".into()); MAX_HEADER_COUNT + 1],
            too_large,
        ),
        ("a value below the limit", "/".into(), value(MAX_HEADER_BYTES - 300), None),
        ("a value over the limit", "/".into(), value(MAX_HEADER_BYTES + 1), too_large),
        ("a name over the limit", "/".into(), name(MAX_HEADER_BYTES + 1), too_large),
    ];
    for (version, client) in clients() {
        for (what, target, fields, expected) in &cases {
            let what = format!("{version:?}, {what}");
            expect(&client, get(&gateway, target, fields.clone()), *expected, &upstream, &what).await;
        }
    }
}

/// What is far over the limit is not even unpacked; there is no more than a status then.
#[tokio::test]
async fn a_head_far_over_the_limits_is_refused_all_the_same() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for (version, client) in clients() {
        for (target, field, expected) in [
            ("/".to_owned(), "y".repeat(60 * 1024), 431),
            (format!("/{}", "a".repeat(60 * 1024)), "y".to_owned(), 414),
        ] {
            let request = get(&gateway, &target, [("x-long".to_owned(), field)]);
            let answer = client.execute(request).await;
            // To HTTP/2 the target is a header field like any other, and the connection may end over it.
            match answer {
                Ok(answer) if version == Version::HTTP_2 => assert_eq!(answer.status(), 431),
                Err(error) if version == Version::HTTP_2 => assert!(!error.is_timeout(), "{error:?}"),
                answer => assert_eq!(answer.unwrap().status(), expected),
            }
        }
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn bodies_are_served_up_to_the_limits() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let too_large = Some((413, "body_too_large"));
    for (version, client) in clients() {
        for (path, is_framed_by_length, largest) in [
            ("/hold", true, MAX_BODY),
            ("/stream", true, MAX_BODY),
            ("/refuse", true, HOLD),
            ("/refuse", false, HOLD),
        ] {
            for (length, expected) in [(largest, None), (largest + 1, too_large), (64 * 1024, too_large)] {
                let what = format!("{version:?}, {path}, {length} bytes, by length: {is_framed_by_length}");
                let request = post(&gateway, path, length, is_framed_by_length);
                expect(&client, request, expected, &upstream, &what).await;
            }
        }
    }
}

/// Without a length nobody knows beforehand. The upstream sees such a request break off.
#[tokio::test]
async fn a_body_that_turns_out_too_long_never_arrives_whole() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    for (version, client) in clients() {
        for path in ["/hold", "/stream"] {
            let whole = client.execute(post(&gateway, path, MAX_BODY, false)).await.unwrap();
            assert_eq!((whole.status().as_u16(), upstream.received().await.body.len()), (200, MAX_BODY));

            let answer = client.execute(post(&gateway, path, 512 * 1024, false)).await.unwrap();
            assert_eq!(answer.status(), 413, "{version:?}, {path}");
            let problem: serde_json::Value = answer.json().await.unwrap();
            assert_eq!(problem["code"], "body_too_large", "{version:?}, {path}");
            client.get(gateway.url("/after")).send().await.unwrap();
            loop {
                let received = upstream.received().await;
                if received.uri.path() == "/after" {
                    break;
                }
                assert!(
                    received.body.is_empty(),
                    "{version:?}, {path}: {} bytes arrived",
                    received.body.len()
                );
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_never_asked_for() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&upstream).await;
    let mut connection = RawConnection::open(gateway.http()).await;
    let expect = "Expect: 100-continue\r\nContent-Length: 99999999999\r\n";
    connection.send(format!("POST /hold HTTP/1.1\r\nHost: a\r\n{expect}\r\n")).await;
    let told = connection.read_until("}").await;
    let told = String::from_utf8_lossy(&told);
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("body_too_large"), "{told}");
    assert!(connection.is_closed().await, "for the body may follow");
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn names_with_an_underscore_are_refused_dropped_or_forwarded() {
    let upstream = Upstream::start().await;
    for (policy, expected) in [("refuse", Some((400, "malformed_request"))), ("drop", None), ("allow", None)]
    {
        let document = format!(
            "routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\nhardening: {{ underscore_headers: {policy} }}\n"
        );
        let gateway = Gateway::start(&document).await;
        for (version, client) in clients() {
            // `x_user_id` is `x-user-id` to some servers, and who the caller is only the gateway says.
            let fields = [("x_label", "1"), ("x-plain", "2"), ("x_user_id", "3")];
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let request = || get(&gateway, "/", fields.clone());
            expect(&client, request(), expected, &upstream, &format!("{version:?}, {policy}")).await;
            if expected.is_none() {
                client.execute(request()).await.unwrap();
                let received = upstream.received().await.headers;
                assert_eq!(received["x-plain"], "2");
                assert_eq!(received.contains_key("x_label"), policy == "allow", "{version:?}, {policy}");
                assert!(!received.contains_key("x_user_id"), "{version:?}, {policy}");
            }
        }
    }
}
