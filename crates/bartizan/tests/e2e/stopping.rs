//! The end: drained on SIGTERM, at once on a second signal, and a restart that nobody notices.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::{eventually::eventually, harness::Gateway, raw::RawConnection, upstream::Upstream};

fn document(upstream: &Upstream) -> String {
    format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\n")
}

#[tokio::test]
async fn requests_in_flight_finish_before_the_end() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(&document(&upstream)).await;
    let ready = format!("http://{}/readyz", gateway.metrics());
    assert_eq!(gateway.client().get(&ready).send().await.unwrap().status(), 200);
    let waiting = tokio::spawn(gateway.client().get(gateway.url("/gate")).send());
    upstream.received().await;
    let mut idle = RawConnection::open(gateway.http()).await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.read_answer().await.status, 200);

    gateway.signal(Signal::TERM);
    gateway.notified("STOPPING=1").await;
    gateway.log(|line| line["message"].as_str().is_some_and(|text| text.starts_with("stopping"))).await;
    assert!(idle.is_closed().await, "an idle connection is closed");
    assert_eq!(gateway.client().get(&ready).send().await.unwrap().status(), 503);
    // Connections and listener end together, each in its own task.
    eventually("nobody listens any more", async || {
        tokio::net::TcpStream::connect(gateway.http()).await.is_err()
    })
    .await;

    upstream.open_gate();
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "hello from upstream");
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn nobody_who_says_nothing_holds_up_the_end() {
    let upstream = Upstream::start().await;
    let listen = "version: 1\nlisten: { https: \"127.0.0.1:0\", http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\ntls: dev\n";
    let patient = "hardening: { header_timeout: 1h, handshake_timeout: 1h }\nshutdown: { drain: 1h }\n";
    let mut gateway = Gateway::start(&format!("{listen}{patient}{}", document(&upstream))).await;
    let mut silent = Vec::new();
    for address in [gateway.http(), gateway.https()] {
        silent.push(RawConnection::open(address).await);
        let mut begun = RawConnection::open(address).await;
        begun.send("\x16").await;
        silent.push(begun);
    }
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn the_drain_ends_when_its_time_is_over() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(&format!("shutdown: {{ drain: 100ms }}\n{}", document(&upstream))).await;
    let waiting = tokio::spawn(gateway.client().get(gateway.url("/gate")).send());
    upstream.received().await;
    gateway.signal(Signal::TERM);
    assert!(gateway.ended().await.success());
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(&document(&upstream)).await;
    let waiting = tokio::spawn(gateway.client().get(gateway.url("/gate")).send());
    upstream.received().await;
    gateway.signal(Signal::INT);
    gateway.notified("STOPPING=1").await;
    gateway.signal(Signal::TERM);
    assert_eq!(gateway.ended().await.code(), Some(128 + 15));
    assert!(waiting.await.unwrap().is_err());
}

/// Asks without a pause, on a new connection every time, and fails on the first refused one.
async fn without_a_refusal<T>(address: std::net::SocketAddr, story: impl Future<Output = T>) -> T {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let load = tokio::spawn(async move {
        let mut served = 0;
        while !*stopped.borrow() {
            let mut connection = RawConnection::open(address).await;
            connection.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
            assert_eq!(connection.read_to_end().await.status, 200, "after {served} requests");
            served += 1;
        }
        served
    });
    let told = story.await;
    stop.send_replace(true);
    assert!(load.await.unwrap() > 0);
    told
}

#[tokio::test]
async fn a_restart_with_an_inherited_socket_refuses_nobody() {
    let upstream = Upstream::start().await;
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let old = Gateway::launch(&document(&upstream)).inherit(&socket).start().await;
    assert_eq!(old.http(), address);
    let new = without_a_refusal(address, async {
        let next = old.successor().inherit(&socket);
        old.stop().await;
        next.start().await
    })
    .await;
    assert_eq!(new.get("/").await.status(), 200);
    new.stop().await;
}

#[tokio::test]
async fn a_restart_on_a_shared_port_refuses_nobody() {
    let upstream = Upstream::start().await;
    let port = free_port();
    let listen = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:{port}\", admin: \"127.0.0.1:{}\", metrics: \"127.0.0.1:0\", \
         reuse_port: true }}\n",
        free_port()
    );
    let old = Gateway::start(&format!("{listen}{}", document(&upstream))).await;
    let address = old.http();
    let new = without_a_refusal(address, async {
        let new = old.successor().start().await;
        assert_eq!(new.http(), address);
        old.stop().await;
        new
    })
    .await;
    assert_eq!(new.running()["pid"], new.pid());
    let status = new.cli(["status"]).await.succeeded();
    assert!(
        status.contains(&address.to_string()),
        "the old one left the new one's running.json alone: {status}"
    );
    new.stop().await;
}

/// A port that nobody listens on at the moment. Both gateways of a restart must name the same.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
