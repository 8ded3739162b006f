//! Tunnels that end with what they were opened with.

use std::net::TcpListener;

use crate::{
    harness::Gateway,
    machines::{self, after},
    own_tokens::{self, issue, text},
    raw::RawConnection,
    upstream::Upstream,
};

/// An upstream that switches protocols and keeps every connection, and the route to it.
fn live_route(providers: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = RawConnection::over(stream);
                connection.read_until("\r\n\r\n").await;
                let switch =
                    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
                connection.send(switch).await;
                std::future::pending::<()>().await;
            });
        }
    });
    format!("  - {{ path: /live, to: \"{upstream}\", auth: [{providers}], upgrade: [echo] }}\n")
}

/// A tunnel through that route, opened with this field.
async fn tunnel(gateway: &Gateway, credential: &str) -> RawConnection {
    let mut connection = RawConnection::open(gateway.http()).await;
    let head = "GET /live HTTP/1.1\r\nHost: localhost:8080\r\nConnection: upgrade\r\nUpgrade: echo\r\n";
    connection.send(&format!("{head}{credential}\r\n\r\n")).await;
    assert!(connection.read_until("\r\n\r\n").await.starts_with(b"HTTP/1.1 101 "));
    connection
}

#[tokio::test]
async fn a_tunnel_ends_with_the_token_or_session_that_it_was_opened_with() {
    let shop = Upstream::start().await;
    let gateway = Gateway::start(&(own_tokens::document(&shop, "", "") + &live_route("own, people"))).await;
    let cookie = own_tokens::log_in(&gateway, "ada@shop.test").await;
    let tokens = issue(&gateway, &cookie, &[]).await;
    let bearer = format!("Authorization: Bearer {}", text(&tokens, "access_token"));
    let mut by_token = tunnel(&gateway, &bearer).await;
    let mut by_session = tunnel(&gateway, &format!("Cookie: {cookie}")).await;
    gateway.cli(["token", "revoke", "--user", "ada@shop.test"]).await.succeeded();
    assert!(by_token.is_closed().await, "the tunnel of the token ends");
    assert_eq!(gateway.metric("bartizan_upgraded_connections").await, 1.0, "the other goes on");
    gateway.cli(["session", "revoke", "--user", "ada@shop.test"]).await.succeeded();
    assert!(by_session.is_closed().await, "the tunnel of the session ends");
    gateway.stop().await;
}

#[tokio::test]
async fn a_tunnel_ends_with_the_key_that_it_was_opened_with() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&(machines::document(&upstream) + &live_route("machines"))).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let create = ["key", "create", "live", "--org", "Acme", "--permission", "reports:read"];
    let made = gateway.cli(create).await.succeeded();
    let (key, id) = (after(&made, "key, shown only now: "), after(&made, "id"));
    let open = async |key: &str| tunnel(&gateway, &format!("X-API-Key: {key}")).await;
    let mut before = open(key).await;
    let overlap = gateway.cli(["key", "rotate", id, "--overlap", "1h"]).await.succeeded();
    let second = after(&overlap, "key, shown only now: ");
    let mut by_second = open(second).await;
    let rotated = gateway.cli(["key", "rotate", id]).await.succeeded();
    assert!(before.is_closed().await && by_second.is_closed().await, "their secrets are rotated out");
    let third = after(&rotated, "key, shown only now: ");
    let mut suspended = open(third).await;
    gateway.cli(["key", "suspend", id, "--reason", "leaked"]).await.succeeded();
    assert!(suspended.is_closed().await, "the key is suspended");
    gateway.cli(["key", "resume", id]).await.succeeded();
    let mut revoked = open(third).await;
    gateway.cli(["key", "set-rate", id, "100/min"]).await.succeeded();
    gateway.cli(["org", "rename", "Acme", "Acme Ltd"]).await.succeeded();
    assert_eq!(gateway.metric("bartizan_upgraded_connections").await, 1.0, "other changes end none");
    gateway.cli(["key", "revoke", id]).await.succeeded();
    assert!(revoked.is_closed().await, "the key is revoked");
    gateway.stop().await;
}
