//! Several targets: who gets a request, what happens when one of them fails, and how long anybody waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::{AbortHandle, JoinSet},
};

use crate::{
    eventually::eventually,
    harness::Gateway,
    phrases::{has_ipv6, public, refusal},
    service::Service,
    upstream::{Upstream, text},
};

/// A gateway with an upstream of these targets and settings.
async fn gateway(targets: &[&dyn std::fmt::Display], settings: &str, route: &str) -> Gateway {
    let targets: Vec<String> = targets.iter().map(|target| format!("\"{target}\"")).collect();
    let targets = targets.join(", ");
    Gateway::start(&format!(
        "upstreams: {{ shop: {{ targets: [{targets}]{settings} }} }}\nroutes: [{{ path: /**, to: shop, auth: none{route} }}]"
    ))
    .await
}

/// What the admin API says of each target, in order.
async fn health(gateway: &Gateway) -> Vec<(String, String)> {
    let status: Value = gateway.ask_admin("/v1/upstreams", None).await.json().await.unwrap();
    assert_eq!(status["upstreams"][0]["name"], "shop", "{status}");
    let targets = status["upstreams"][0]["targets"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    targets.map(|target| (text(&target["url"]), text(&target["health"]))).collect()
}

/// Waits until the admin API says this of each target.
async fn becomes(gateway: &Gateway, expected: &[&str]) {
    eventually(&expected.join(", "), async || {
        health(gateway).await.iter().map(|(_, health)| health.as_str()).eq(expected.iter().copied())
    })
    .await;
}

/// Answers with the status it was last told, and counts.
struct Moody {
    service: Service,
    mood: watch::Sender<StatusCode>,
    requests: Arc<AtomicUsize>,
}

impl Moody {
    async fn start(mood: StatusCode) -> Self {
        let (mood, requests) = (watch::Sender::new(mood), Arc::new(AtomicUsize::new(0)));
        let (status, count) = (mood.subscribe(), Arc::clone(&requests));
        let service = Service::start(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let mut response = text("moody");
            *response.status_mut() = *status.borrow();
            async move { response }
        })
        .await;
        Self { service, mood, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Reads a request and breaks off, or says these bytes first; counts.
struct Rude {
    url: String,
    requests: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Rude {
    async fn start(says: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let count = Arc::clone(&count);
                connections.spawn(async move {
                    let mut request = Vec::new();
                    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                        if stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
                            continue;
                        }
                        return;
                    }
                    count.fetch_add(1, Ordering::Relaxed);
                    let _ = stream.write_all(says).await;
                });
            }
        });
        Self { url, requests, task: task.abort_handle() }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A port where nobody listens, for as long as the socket lives.
fn refusing() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

#[tokio::test]
async fn requests_are_spread_over_the_targets() {
    let targets = [
        Moody::start(StatusCode::OK).await,
        Moody::start(StatusCode::OK).await,
        Moody::start(StatusCode::OK).await,
    ];
    let gateway = gateway(&[&targets[0].service, &targets[1].service, &targets[2].service], "", "").await;
    for _ in 0..90 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    let counts = targets.each_ref().map(Moody::requests);
    assert_eq!(counts.iter().sum::<usize>(), 90);
    assert!(counts.iter().all(|&count| count >= 10), "{counts:?}");
    let urls: Vec<_> = health(&gateway).await;
    assert_eq!(urls, targets.each_ref().map(|target| (target.service.to_string(), "healthy".to_owned())));
}

#[tokio::test]
async fn the_less_busy_target_gets_the_request() {
    let (slow, quick) = (Upstream::start().await, Moody::start(StatusCode::OK).await);
    let gateway = gateway(&[&slow, &quick.service], "", "").await;
    // Keep one of them busy: the other one answers this path at once.
    let waiting = loop {
        let (client, url) = (gateway.client().clone(), gateway.url("/gate"));
        let before = quick.requests();
        let request = tokio::spawn(async move { client.get(url).send().await.unwrap().status() });
        tokio::select! {
            _ = slow.received() => break request,
            () = eventually("the quick one", async || quick.requests() > before) => request.await.unwrap(),
        };
    };
    let before = quick.requests();
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    assert_eq!(quick.requests() - before, 20, "both were picked each time, and the waiting one was busier");
    slow.open_gate();
    assert_eq!(waiting.await.unwrap(), 200);
}

#[tokio::test]
async fn no_get_fails_when_a_target_is_killed() {
    let (doomed, other) = (Upstream::start().await, Upstream::start().await);
    let gateway = gateway(
        &[&doomed, &other],
        ", ejection: { consecutive_failures: 3, base: 1h }, retries: { budget_percent: 100 }",
        "",
    )
    .await;
    for _ in 0..10 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    let failing = gateway.get("/gate");
    drop(doomed);
    other.open_gate();
    for _ in 0..40 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    assert_eq!(failing.await.status(), 200);
    becomes(&gateway, &["ejected", "healthy"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_ejected_target_comes_back() {
    let (moody, steady) =
        (Moody::start(StatusCode::SERVICE_UNAVAILABLE).await, Moody::start(StatusCode::OK).await);
    let settings = ", ejection: { consecutive_failures: 2, base: 300ms }, retries: { budget_percent: 100 }";
    let gateway = gateway(&[&moody.service, &steady.service], settings, "").await;
    eventually("ejection", async || {
        assert_eq!(gateway.get("/").await.status(), 200, "the other target answers");
        health(&gateway).await[0].1 == "ejected"
    })
    .await;
    moody.mood.send_replace(StatusCode::OK);
    let before = moody.requests();
    eventually("its return", async || {
        assert_eq!(gateway.get("/").await.status(), 200);
        moody.requests() > before
    })
    .await;
    becomes(&gateway, &["healthy", "healthy"]).await;
}

#[tokio::test]
async fn a_single_target_is_never_ejected() {
    let moody = Moody::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let gateway = gateway(
        &[&moody.service],
        ", ejection: { consecutive_failures: 1, base: 1h }, retries: { attempts: 0 }",
        "",
    )
    .await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/").await.status(), 503, "the upstream's own answer");
    }
    assert_eq!(moody.requests(), 5);
    moody.mood.send_replace(StatusCode::OK);
    assert_eq!(gateway.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_target_that_fails_its_health_checks_gets_no_requests() {
    let (sick, well) = (Moody::start(StatusCode::OK).await, Moody::start(StatusCode::OK).await);
    let settings = ", health: { path: /healthz, interval: 20ms, unhealthy_after: 2, healthy_after: 2 }";
    let gateway = gateway(&[&sick.service, &well.service], settings, "").await;
    sick.mood.send_replace(StatusCode::INTERNAL_SERVER_ERROR);
    becomes(&gateway, &["unhealthy", "healthy"]).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status(), 200);
    }
    sick.mood.send_replace(StatusCode::OK);
    becomes(&gateway, &["healthy", "healthy"]).await;
}

#[tokio::test]
async fn only_requests_that_may_be_repeated_are() {
    let (rude, steady) = (Rude::start(b"").await, Moody::start(StatusCode::OK).await);
    let settings = ", ejection: { consecutive_failures: 1000 }, retries: { budget_percent: 100 }";
    let gateway = gateway(&[&rude.url, &steady.service], settings, "").await;
    for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        for _ in 0..5 {
            let request = gateway.client().request(method.clone(), gateway.url("/")).body("again");
            assert_eq!(request.send().await.unwrap().status(), 200, "{method}");
        }
    }
    let (rude_before, steady_before) = (rude.requests(), steady.requests());
    assert!(rude_before > 0, "the rude one was never asked");
    let mut failed = 0;
    for method in [Method::POST, Method::PATCH] {
        for _ in 0..10 {
            let request = gateway.client().request(method.clone(), gateway.url("/")).body("once");
            match refusal(request.send().await.unwrap()).await {
                (200, _) => {}
                (502, code) if code == "upstream_failed" => failed += 1,
                other => panic!("{method}: {other:?}"),
            }
        }
    }
    assert_eq!(rude.requests() - rude_before, failed, "each arrived once");
    assert_eq!(steady.requests() - steady_before, 20 - failed);
    assert!(failed > 0, "the rude one was never asked");
}

#[tokio::test]
async fn a_post_that_was_never_sent_goes_to_another_target() {
    let ((_socket, nobody), steady) = (refusing(), Moody::start(StatusCode::OK).await);
    let settings = ", ejection: { consecutive_failures: 1000 }, retries: { budget_percent: 100 }";
    let gateway = gateway(&[&nobody, &steady.service], settings, "").await;
    for _ in 0..10 {
        let response = gateway.client().post(gateway.url("/")).body("once").send().await.unwrap();
        assert_eq!(response.status(), 200, "no connection was made, so nothing was done twice");
    }
    assert_eq!(steady.requests(), 10);
}

#[tokio::test]
async fn retries_have_a_budget() {
    let moody = Moody::start(StatusCode::SERVICE_UNAVAILABLE).await;
    let gateway = gateway(&[&moody.service], ", retries: { attempts: 3, budget_percent: 10 }", "").await;
    for _ in 0..100 {
        assert_eq!(gateway.get("/").await.status(), 503);
    }
    // A tenth of a hundred, and what a budget allows at the start.
    assert!((101..=130).contains(&moody.requests()), "{}", moody.requests());
}

#[tokio::test]
async fn an_upstream_that_closes_its_connections_without_a_word_is_served_on_new_ones() {
    let rude = Rude::start(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    let gateway = gateway(&[&rude.url], ", retries: { budget_percent: 100 }", "").await;
    for number in 0..40 {
        assert_eq!(gateway.get("/").await.status(), 200, "{number}");
    }
}

#[tokio::test]
async fn an_upstream_that_fails_is_told_apart_from_one_that_is_not_there_or_slow() {
    let (_socket, nobody) = refusing();
    let (rude, babbling) = (Rude::start(b"").await, Rude::start(b"SSH-2.0-OpenSSH_9.2\r\n").await);
    let twice = Rude::start(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").await;
    let switching =
        Rude::start(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tea\r\n\r\n").await;
    let endless = format!("HTTP/1.1 200 OK\r\nEndless: {}", "x".repeat(2 * 1024 * 1024));
    let endless = Rude::start(endless.leak().as_bytes()).await;
    let slow = Upstream::start().await;
    let off = ", retries: { attempts: 0 }";
    let cases: [(&str, &dyn std::fmt::Display, &str, u16, &str); 7] = [
        ("nobody listens", &nobody, "", 503, "upstream_unavailable"),
        ("it breaks off", &rude.url, "", 502, "upstream_failed"),
        ("it speaks something else", &babbling.url, "", 502, "upstream_failed"),
        ("its answer is ambiguous", &twice.url, "", 502, "upstream_failed"),
        ("it switches protocols unasked", &switching.url, "", 502, "upstream_failed"),
        ("it says more than anybody reads", &endless.url, "", 502, "upstream_failed"),
        ("it is slow", &slow, ", timeouts: { response: 100ms }", 504, "upstream_timeout"),
    ];
    for (name, target, route, status, expected) in cases {
        let gateway = gateway(&[target], off, route).await;
        let response = gateway.get("/gate").await;
        assert!(response.headers().contains_key("x-request-id"), "{name}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{name}");
        assert_eq!(refusal(response).await, (status, expected.to_owned()), "{name}");
        let line = gateway.log(|line| line["code"] == expected).await;
        assert!(line["request_id"].is_string() && line["stage"].is_string(), "{name}: {line}");
    }
}

#[tokio::test]
async fn interim_answers_and_headers_of_one_hop_stay_behind() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    let hop = "Connection: close, hop\r\nHop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n";
    let says = format!("{interim}HTTP/1.1 200 OK\r\n{hop}X-Kept: 1\r\nContent-Length: 2\r\n\r\nok");
    let rude = Rude::start(says.leak().as_bytes()).await;
    let gateway = gateway(&[&rude.url], "", "").await;
    let response = gateway.get("/").await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    for gone in ["connection", "hop", "keep-alive", "proxy-authenticate", "upgrade"] {
        assert!(!headers.contains_key(gone), "{gone}: {headers:?}");
    }
    assert_eq!(headers["x-kept"], "1");
    assert_eq!(response.text().await.unwrap(), "ok");
}

#[tokio::test]
async fn a_response_that_falls_silent_is_cut_off_and_not_passed_off_as_whole() {
    let upstream = Upstream::start().await;
    let gateway = gateway(&[&upstream], "", ", timeouts: { idle: 200ms }").await;
    let mut response = gateway.get("/drip").await;
    let begin = Instant::now();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "first");
    response.chunk().await.expect_err("an end in order would hide that the rest is missing");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_passed_off_as_whole() {
    for says in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nfirst"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n",
    ] {
        let rude = Rude::start(says).await;
        let gateway = gateway(&[&rude.url], "", "").await;
        let whole = async { gateway.client().get(gateway.url("/")).send().await?.bytes().await };
        whole.await.expect_err("half a body");
    }
}

#[tokio::test]
async fn a_target_is_found_by_name_and_over_both_versions_of_ip() {
    let mut cases = vec![("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost")];
    cases.extend(has_ipv6().then_some(("[::1]", "[::1]")));
    for (address, host) in cases {
        let upstream = Upstream::on(TcpListener::bind(format!("{address}:0")).await.unwrap());
        let port = upstream.address().port();
        let gateway = public(format!("http://{host}:{port}"), ", preserve_host: false").await;
        assert_eq!(gateway.get("/").await.status(), 200, "{host}");
        assert_eq!(upstream.received().await.headers["host"], format!("{host}:{port}"));
    }
}

#[tokio::test]
async fn a_route_may_name_its_targets_itself() {
    let targets = [Moody::start(StatusCode::OK).await, Moody::start(StatusCode::OK).await];
    let [one, other] = targets.each_ref().map(|target| target.service.to_string());
    let gateway = Gateway::start(&format!(
        "routes: [{{ path: /api/**, to: [\"{one}\", \"{other}\"], auth: none, strip_prefix: /api, preserve_host: false }}]"
    ))
    .await;
    for _ in 0..40 {
        assert_eq!(gateway.get("/api/orders").await.status(), 200);
    }
    assert!(targets.iter().all(|target| target.requests() > 0));
}

#[tokio::test]
async fn the_upstream_sees_the_path_it_expects_and_its_own_name_if_told_so() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        r#"
routes:
  - {{ path: /api/**, to: "{upstream}", auth: none, strip_prefix: /api, preserve_host: false }}
  - {{ path: /**, to: "{upstream}", auth: none }}
"#
    ))
    .await;
    let own = upstream.address().to_string();
    let cases = [
        ("/api/orders/1?x=%2F&y", "/orders/1?x=%2F&y", own.as_str()),
        ("/api", "/", &own),
        ("/api/", "/", &own),
        ("/api//orders", "/orders", &own),
        ("/apiary", "/apiary", "shop.test"),
        ("/x/../api/orders", "/orders", &own),
        ("/%61pi/orders", "/orders", &own),
    ];
    for (path, expected, host) in cases {
        let answer =
            gateway.raw(format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{path}");
        let received = upstream.received().await;
        assert_eq!(received.uri.to_string(), expected, "{path}");
        assert_eq!(received.headers["host"], host, "{path}");
        assert_eq!(received.headers["x-forwarded-host"], "shop.test", "{path}");
    }
}
