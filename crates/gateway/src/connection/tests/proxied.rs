use bartizan_config::{Hardening, ProxyProtocol};
use tokio::io::AsyncWriteExt;

use super::super::{
    ListenerKind,
    harness::{Running, read_all, read_until, settings, start, statuses},
};
use crate::listener::ListenerSettings;

const WHO: &str = "GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn running(trusted: &str, hardening: Hardening) -> Running {
    let settings = ListenerSettings {
        proxy_protocol: ProxyProtocol::Required,
        trusted_proxies: vec![trusted.parse().unwrap()],
        ..settings(hardening)
    };
    start(ListenerKind::Http, settings)
}

#[tokio::test]
async fn the_announced_client_is_believed_if_a_trusted_proxy_says_so() {
    let running = running("127.0.0.0/8", Hardening::default());
    let announced = format!("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443\r\n{WHO}");
    assert!(running.exchange(announced.as_bytes()).await.ends_with("192.0.2.1:4242 None"));
    let unknown = format!("PROXY UNKNOWN\r\n{WHO}");
    assert!(running.exchange(unknown.as_bytes()).await.contains("127.0.0.1:"));
    assert_eq!(running.exchange(WHO.as_bytes()).await, "");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let running = running("192.0.2.0/24", Hardening::default());
    let announced = format!("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443\r\n{WHO}");
    assert_eq!(running.exchange(announced.as_bytes()).await, "");
}

#[tokio::test]
async fn a_header_that_was_not_asked_for_is_a_malformed_request() {
    let running = start(ListenerKind::Http, settings(Hardening::default()));
    let announced = format!("PROXY TCP4 192.0.2.1 192.0.2.9 4242 443\r\n{WHO}");
    assert_eq!(statuses(&running.exchange(announced.as_bytes()).await), [400]);
}

#[tokio::test]
async fn a_header_in_pieces_takes_nothing_of_what_follows() {
    let running = running("127.0.0.1/32", Hardening::default());
    let mut stream = running.connect().await;
    for byte in format!("PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n{WHO}").bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(read_all(&mut stream).await.ends_with("[2001:db8::1]:1 None"));
}

#[tokio::test]
async fn connections_are_counted_for_the_announced_address() {
    let running = running("127.0.0.1/32", Hardening { connections_per_address: 1, ..Hardening::default() });
    let header = |address: &str| format!("PROXY TCP4 {address} 192.0.2.9 4242 443\r\n");
    let mut first = running.connect().await;
    first
        .write_all(format!("{}GET / HTTP/1.1\r\nHost: a\r\n\r\n", header("198.51.100.1")).as_bytes())
        .await
        .unwrap();
    read_until(&mut first, "1 /").await;
    assert_eq!(running.exchange(format!("{}{WHO}", header("198.51.100.1")).as_bytes()).await, "");
    let other = running.exchange(format!("{}{WHO}", header("198.51.100.2")).as_bytes()).await;
    assert_eq!(statuses(&other), [200]);
}
