//! HTTP/2 on both sides, and gRPC as it looks on the wire (gRPC over HTTP/2 protocol).

use std::{process::Stdio, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full, channel::Channel};
use hyper::{
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    process::Command,
    sync::{Semaphore, mpsc},
    time::timeout,
};

use crate::{
    certificates::{Authority, connect, replace},
    harness::{Gateway, PATIENCE},
    phrases::public,
    service::{Protocols, Service},
    upstream::{Body, Upstream, text},
};

/// An HTTP/2 connection over anything.
async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Body> {
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// An HTTP/2 connection in the clear, with prior knowledge.
async fn clear(gateway: &Gateway) -> SendRequest<Body> {
    over(TcpStream::connect(gateway.http()).await.unwrap()).await
}

/// A gateway whose upstream has these settings.
async fn gateway_towards(upstream: &Service, settings: &str, route: &str) -> Gateway {
    Gateway::start(&format!(
        "upstreams: {{ shop: {{ targets: \"{upstream}\"{settings} }} }}\nroutes: [{{ path: /**, to: shop, auth: none{route} }}]"
    ))
    .await
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://shop.test{path}")).body(Empty::new().boxed()).unwrap()
}

fn protocols() -> Protocols {
    auto::Builder::new(TokioExecutor::new())
}

async fn send(sender: &mut SendRequest<Body>, request: Request<Body>) -> Response<Incoming> {
    timeout(PATIENCE, sender.send_request(request)).await.expect("no answer").unwrap()
}

async fn whole(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn many_requests_share_a_connection() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let mut sender = clear(&gateway).await;
    // One that waits does not hold up the others.
    let waiting = tokio::spawn({
        let mut sender = sender.clone();
        async move { send(&mut sender, get("/gate/1")).await.status() }
    });
    assert_eq!(upstream.received().await.uri.path(), "/gate/1");
    for number in 0..50 {
        let response = send(&mut sender, get(&format!("/{number}"))).await;
        assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
        assert_eq!(whole(response).await, "hello from upstream");
    }
    upstream.open_gate();
    assert_eq!(waiting.await.unwrap(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn http2_becomes_http1_for_an_upstream_that_speaks_nothing_else() {
    let (heads, mut arrived) = mpsc::unbounded_channel();
    let upstream = Service::speaking(protocols().http1_only(), move |request: Request<Incoming>| {
        let heads = heads.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            heads.send(Request::from_parts(head, body)).unwrap();
            let mut response = text("ok");
            response.headers_mut().insert("connection", HeaderValue::from_static("keep-alive"));
            response.headers_mut().insert("keep-alive", HeaderValue::from_static("timeout=5"));
            response
        }
    })
    .await;
    let gateway = public(&upstream, "").await;
    let mut sender = clear(&gateway).await;
    let body: Body = Full::from("hello").boxed();
    let request =
        Request::post("http://shop.test:8080/orders?x=1").header("cookie", "a=1").header("cookie", "b=2");
    let response = send(&mut sender, request.header("te", "trailers").body(body).unwrap()).await;
    assert_eq!(response.status(), 200);
    for hop in ["connection", "keep-alive", "transfer-encoding"] {
        assert!(!response.headers().contains_key(hop), "{hop} (RFC 9113, section 8.2.2)");
    }
    let received = arrived.recv().await.unwrap();
    assert_eq!((received.version(), received.uri().to_string().as_str()), (Version::HTTP_11, "/orders?x=1"));
    let cookies: Vec<_> = received.headers().get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=1; b=2"], "(RFC 9113, section 8.2.3)");
    assert_eq!(received.headers()["host"], "shop.test:8080");
    assert_eq!(received.headers()["x-forwarded-host"], "shop.test:8080");
    assert_eq!(received.body(), "hello");
}

#[tokio::test]
async fn http1_becomes_http2_for_an_upstream_that_speaks_nothing_else() {
    let (heads, mut arrived) = mpsc::unbounded_channel();
    let upstream = Service::speaking(protocols().http2_only(), move |request: Request<Incoming>| {
        let heads = heads.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            heads.send(Request::from_parts(head, body)).unwrap();
            text("ok")
        }
    })
    .await;
    let gateway = gateway_towards(&upstream, ", protocol: http2", "").await;
    let answer = gateway
        .raw("POST /orders?x=1 HTTP/1.1\r\nHost: shop.test\r\nConnection: close, hop\r\nHop: 1\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"ok"[..]));
    let received = arrived.recv().await.unwrap();
    assert_eq!(received.version(), Version::HTTP_2);
    assert_eq!(received.uri().authority().unwrap(), "shop.test");
    assert_eq!(received.uri().path_and_query().unwrap(), "/orders?x=1");
    assert!(!received.headers().contains_key("hop"));
    assert_eq!(received.body(), "hello");
}

#[tokio::test]
async fn refusals_are_spoken_in_http2_too() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, ", methods: [GET], body: { max: 4 }").await;
    let mut sender = clear(&gateway).await;
    let post = Request::post("http://shop.test/").body(Full::from("hello").boxed()).unwrap();
    let long = Request::get("http://shop.test/").body(Full::from("hello").boxed()).unwrap();
    let underscore =
        Request::get("http://shop.test/").header("x_user_id", "root").body(Empty::new().boxed()).unwrap();
    let other_host =
        Request::get("http://shop.test/").header("host", "evil.test").body(Empty::new().boxed()).unwrap();
    let connection_field =
        Request::get("http://shop.test/").header("x-csp_nonce", "1").body(Empty::new().boxed()).unwrap();
    let cases = [
        (post, 405, "method_not_allowed"),
        (long, 413, "body_too_large"),
        (underscore, 400, "malformed_request"),
        (connection_field, 400, "malformed_request"),
        (other_host, 400, "malformed_request"),
        (get("/a%2fb"), 400, "malformed_request"),
        (get(&format!("/{}", "a".repeat(9000))), 414, "uri_too_long"),
    ];
    for (request, status, code) in cases {
        let name = format!("{request:?}");
        let response = send(&mut sender, request).await;
        assert_eq!(response.status(), status, "{name}");
        assert!(response.headers().contains_key("x-request-id"), "{name}");
        let problem: serde_json::Value = serde_json::from_slice(&whole(response).await).unwrap();
        assert_eq!(problem["code"], code, "{name}");
    }
    // The connection and its other streams are none the worse.
    assert_eq!(send(&mut sender, get("/")).await.status(), 200);
    upstream.received().await;
    assert!(upstream.has_received_nothing().await);
}

// === gRPC ===

const GRPC: &str = "application/grpc";

/// A message with its length in front.
fn message(text: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(text.len()).unwrap());
    bytes.put_slice(text.as_bytes());
    bytes.freeze()
}

fn call(method: &str, body: Body) -> Request<Body> {
    let request = Request::post(format!("http://shop.test{method}"));
    request
        .header("content-type", GRPC)
        .header("te", "trailers")
        .header("grpc-timeout", "10S")
        .body(body)
        .unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(code))])
}

/// Answers every message with the same message, as it comes, and ends with trailers.
async fn echo(request: Request<Incoming>) -> Response<Body> {
    assert_eq!(request.version(), Version::HTTP_2, "gRPC needs HTTP/2");
    assert_eq!(request.headers()["te"], "trailers", "(gRPC refuses calls without it)");
    assert_eq!(request.headers()["grpc-timeout"], "10S");
    let response = Response::builder().header("content-type", GRPC);
    if request.uri().path() == "/shop.Orders/Missing" {
        // A call that fails at once has no body: what would be trailers stands in the head.
        return response.header("grpc-status", "5").body(Empty::new().boxed()).unwrap();
    }
    let (mut sender, body) = Channel::<Bytes>::new(1);
    tokio::spawn(async move {
        let mut messages = request.into_body();
        while let Some(Ok(frame)) = messages.frame().await {
            if let Ok(data) = frame.into_data() {
                sender.send_data(data).await.unwrap();
            }
        }
        sender.send_trailers(status("0")).await.unwrap();
    });
    response.body(body.boxed()).unwrap()
}

#[tokio::test]
async fn a_unary_call_ends_with_its_trailers() {
    let upstream = Service::speaking(protocols().http2_only(), echo).await;
    let gateway = public(&upstream, "").await;
    let mut sender = clear(&gateway).await;
    let response = send(&mut sender, call("/shop.Orders/Get", Full::new(message("order 1")).boxed())).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
        (200, GRPC.as_bytes())
    );
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&status("0")));
    assert_eq!(body.to_bytes(), message("order 1"));

    let failed = send(&mut sender, call("/shop.Orders/Missing", Full::new(message("order 2")).boxed())).await;
    assert_eq!((failed.status().as_u16(), failed.headers()["grpc-status"].as_bytes()), (200, &b"5"[..]));
    assert!(whole(failed).await.is_empty());
}

#[tokio::test]
async fn a_bidirectional_stream_goes_back_and_forth() {
    let upstream = Service::speaking(protocols().http2_only(), echo).await;
    // Also by default: a conversation that is held would never get beyond its first sentence.
    let gateway = public(&upstream, "").await;
    let mut connection = clear(&gateway).await;
    let (mut sender, body) = Channel::<Bytes>::new(1);
    // Some servers answer with their head before the first message; this client does not depend on it.
    sender.send_data(message("one")).await.unwrap();
    let response = send(&mut connection, call("/shop.Orders/Follow", body.boxed())).await;
    let mut answers = response.into_body();
    let mut next = async || timeout(PATIENCE, answers.frame()).await.expect("nothing came back");
    assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), message("one"));
    for text in ["two", "three"] {
        sender.send_data(message(text)).await.unwrap();
        assert_eq!(next().await.unwrap().unwrap().into_data().unwrap(), message(text));
    }
    drop(sender);
    assert_eq!(next().await.unwrap().unwrap().into_trailers().unwrap(), status("0"));
    assert!(next().await.is_none());
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_cancelled_upstream() {
    let (cancelled, mut told) = mpsc::unbounded_channel();
    let upstream = Service::speaking(protocols().http2_only(), move |request: Request<Incoming>| {
        let cancelled = cancelled.clone();
        async move {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            tokio::spawn(async move {
                sender.send_data(message("waiting")).await.unwrap();
                let mut messages = request.into_body();
                while let Some(Ok(_)) = messages.frame().await {}
                cancelled.send(sender.send_data(message("still waiting")).await.is_err()).unwrap();
            });
            Response::builder().header("content-type", GRPC).body(body.boxed()).unwrap()
        }
    })
    .await;
    let gateway = public(&upstream, "").await;
    let stream = TcpStream::connect(gateway.http()).await.unwrap();
    let (mut connection, driver) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(driver);
    let request = call("/shop.Orders/Follow", Empty::new().boxed()).map(drop);
    let (response, mut messages) = connection.send_request(request.clone(), false).unwrap();
    let mut answers = response.await.unwrap().into_body();
    assert_eq!(answers.data().await.unwrap().unwrap(), message("waiting"));
    messages.send_reset(h2::Reason::CANCEL);
    let gone = timeout(PATIENCE, told.recv()).await.expect("the upstream works on for nobody");
    assert_eq!(gone, Some(true), "what ended was the call, not only the request");
    let (response, _messages) = connection.send_request(request, false).unwrap();
    assert_eq!(response.await.unwrap().status(), 200, "the connection lives on");
}

/// But where a firewall refuses, whose rules do not see them.
#[tokio::test]
async fn trailers_of_a_streamed_request_pass() {
    let upstream = Service::speaking(protocols().http2_only(), async |request: Request<Incoming>| {
        let trailers = request.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let mut response = text("ok");
        response.headers_mut().extend(trailers);
        response
    })
    .await;
    for (waf, expected) in [("", Some("7")), (", waf: { mode: log }", Some("7")), (", waf: starter", None)] {
        let gateway = gateway_towards(&upstream, ", protocol: http2", &format!(", body: stream{waf}")).await;
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.send_data("hello".into()).await.unwrap();
        let trailers = [("x-checksum".parse().unwrap(), HeaderValue::from_static("7"))];
        sender.send_trailers(HeaderMap::from_iter(trailers)).await.unwrap();
        drop(sender);
        let request = Request::post("http://shop.test/").body(body.boxed()).unwrap();
        let response = send(&mut clear(&gateway).await, request).await;
        assert_eq!(response.status(), 200);
        let passed = response.headers().get("x-checksum").map(|value| value.to_str().unwrap());
        assert_eq!(passed, expected, "{waf}");
    }
}

#[tokio::test]
async fn trailers_cannot_say_what_headers_must_not() {
    let (told, mut trailers) = mpsc::unbounded_channel();
    let upstream = Service::start(move |request: Request<Incoming>| {
        let told = told.clone();
        async move {
            let whole = request.into_body().collect().await.unwrap();
            told.send(whole.trailers().cloned().unwrap_or_default()).unwrap();
            text("ok")
        }
    })
    .await;
    let forged = [
        "x-user-id",
        "x-organization-id",
        "x-forwarded-for",
        "forwarded",
        "x-request-id",
        "authorization",
        "cookie",
        "host",
    ];
    for settings in [", protocol: http2", ", protocol: http1"] {
        let gateway = gateway_towards(&upstream, settings, ", body: stream").await;
        let (mut sender, body) = Channel::<Bytes>::new(2);
        sender.send_data("hello".into()).await.unwrap();
        let fields = forged.iter().map(|name| (name.parse().unwrap(), HeaderValue::from_static("forged")));
        sender.send_trailers(fields.collect()).await.unwrap();
        drop(sender);
        let request = Request::post("http://shop.test/")
            .header("trailer", forged.join(", "))
            .body(body.boxed())
            .unwrap();
        assert_eq!(send(&mut clear(&gateway).await, request).await.status(), 200);
        let received = trailers.recv().await.unwrap();
        assert!(received.is_empty(), "{settings}: {received:?}");
    }
}

#[tokio::test]
async fn more_connections_are_opened_when_an_upstream_admits_no_more_streams() {
    const CALLS: usize = 9;
    let (calls, mut arrived) = mpsc::unbounded_channel();
    let gate = Arc::new(Semaphore::new(0));
    let open = Arc::clone(&gate);
    let mut narrow = protocols().http2_only();
    narrow.http2().max_concurrent_streams(2);
    let upstream = Service::speaking(narrow, move |request| {
        let (calls, gate) = (calls.clone(), Arc::clone(&gate));
        async move {
            calls.send(()).unwrap();
            let _permit = gate.acquire().await.unwrap();
            echo(request).await
        }
    })
    .await;
    let gateway = public(&upstream, "").await;
    let sender = clear(&gateway).await;
    let answers: Vec<_> = (0..CALLS)
        .map(|number| {
            let (mut sender, request) = (sender.clone(), message(&number.to_string()));
            tokio::spawn(async move {
                whole(send(&mut sender, call("/shop.Orders/Get", Full::new(request).boxed())).await).await
            })
        })
        .collect();
    // All of them wait at the same time.
    for _ in 0..CALLS {
        timeout(PATIENCE, arrived.recv()).await.expect("a call waits for another one").unwrap();
    }
    assert!(upstream.connections() >= CALLS.div_ceil(2), "{}", upstream.connections());
    open.add_permits(CALLS);
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), message(&number.to_string()));
    }
}

// === other people's clients ===

/// Runs a client that may not be installed. Where everything must be, it must be.
async fn foreign(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let ended =
        timeout(PATIENCE, command.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output()).await;
    match ended.unwrap_or_else(|_| panic!("{program} hangs")) {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some(String::from_utf8_lossy(&text).into_owned())
        }
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "{program}: {error}");
            eprintln!("SKIPPED: {program} is not installed: {error}");
            None
        }
    }
}

#[tokio::test]
async fn curl_speaks_http2_in_the_clear_and_over_tls() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let listen = "version: 1\nlisten: { https: \"127.0.0.1:0\", http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\n";
    let launch = Gateway::launch(&format!(
        "{listen}tls: {{ cert: ./gateway.pem, key: ./gateway.key }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none }}]"
    ));
    authority.issue(&["127.0.0.1"]).write(launch.folder(), "gateway");
    replace(&launch.folder().join("ca.pem"), &authority.pem());
    let ca = launch.folder().join("ca.pem").display().to_string();
    let gateway = launch.start().await;
    let (plain, secure) = (gateway.url("/"), format!("https://{}/", gateway.https()));
    let written = "%{http_code} %{http_version}";
    for (option, url) in [("--http2-prior-knowledge", &plain), ("--http2", &secure), ("--http1.1", &secure)] {
        let arguments = [
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--cacert",
            &ca,
            "--write-out",
            written,
            option,
            url,
        ];
        let Some(said) = foreign("curl", &arguments).await else { return };
        let version = if option == "--http1.1" { "1.1" } else { "2" };
        assert_eq!(said, format!("hello from upstream200 {version}"), "{option}");
    }
    // An upgrade from HTTP/1.1 is refused, not followed.
    let arguments =
        ["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", written, "--http2", &plain];
    assert_eq!(foreign("curl", &arguments).await.as_deref(), Some("400 1.1"));

    let stream = connect(gateway.https(), "127.0.0.1", authority.client(&["h2"])).await.unwrap();
    assert_eq!(send(&mut over(stream).await, get("/")).await.status(), 200);
}

#[tokio::test]
async fn nghttp_multiplexes_and_sees_no_protocol_error() {
    let upstream = Upstream::start().await;
    let gateway = public(&upstream, "").await;
    let url = gateway.url("/");
    let data = format!("--data={}", gateway.config_path().display());
    let arguments = ["--verbose", "--null-out", "--multiply=20", &data, &url];
    let Some(said) = foreign("nghttp", &arguments).await else { return };
    assert_eq!(said.matches(":status: 200").count(), 20, "{said}");
    assert!(!said.contains("error_code=PROTOCOL_ERROR") && !said.contains("RST_STREAM"), "{said}");
}
