//! A client that goes away while it is being decided who it is and how much that one may: what was counted by then is
//! given back.

use std::net::SocketAddr;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use crate::{
    harness::PATIENCE,
    issuer::Issuer,
    phrases::ready,
    raw::RawConnection,
    redis_server::{Server, programs},
    sharing::reaches_its_store,
    upstream::Upstream,
};

/// The line between a gateway and its store. It pauses the store with the first command that has a certain text in it.
struct Line {
    address: SocketAddr,
    heard: watch::Receiver<Heard>,
    tasks: AbortHandle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    Nothing,
    /// The text. The store is paused.
    Text,
    /// After that, that something is to be given back.
    Refund,
}

impl Line {
    async fn to(server: &Server, text: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, port) = (listener.local_addr().unwrap(), server.port);
        let store = Pid::from_child(&server.process);
        let (sender, heard) = watch::channel(Heard::Nothing);
        let serve = async move {
            let mut connections = JoinSet::new();
            while let Ok((gateway, _)) = listener.accept().await {
                let (from, mut back) = gateway.into_split();
                let (mut answers, to) = TcpStream::connect(("127.0.0.1", port)).await.unwrap().into_split();
                connections.spawn(listen(from, to, text, store, sender.clone()));
                connections.spawn(async move { drop(copy(&mut answers, &mut back).await) });
            }
        };
        Self { address, heard, tasks: tokio::spawn(serve).abort_handle() }
    }

    async fn hears(&mut self, what: Heard) {
        let heard = timeout(PATIENCE, self.heard.wait_for(|heard| *heard >= what)).await;
        heard.unwrap_or_else(|_| panic!("never heard: {what:?}")).unwrap();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn listen(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    text: &str,
    store: Pid,
    heard: watch::Sender<Heard>,
) {
    let mut said = Vec::new();
    while from.read_buf(&mut said).await.is_ok_and(|read| read > 0) {
        let has = |text: &str| said.windows(text.len()).any(|window| window == text.as_bytes());
        let before = *heard.borrow();
        if before == Heard::Nothing && has(text) {
            kill_process(store, Signal::STOP).unwrap();
            heard.send_replace(Heard::Text);
        } else if before == Heard::Text && has("give") {
            heard.send_replace(Heard::Refund);
        }
        if to.write_all(&said).await.is_err() {
            return;
        }
        said.clear();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_while_the_store_is_asked_was_not_counted() {
    for program in programs() {
        let (upstream, issuer) = (Upstream::start().await, Issuer::start());
        let server = Server::start(&program, &[]);
        let mut line = Line::to(&server, "calls/who").await;
        let tenant = "name: tenant, per: \"header:x-tenant\", rate: 10/31d, algorithm: fixed-window";
        let who = "name: who, per: user, rate: 10/31d, algorithm: fixed-window";
        let gateway = ready(&format!(
            "identity: {{ shop: {} }}\n\
             shared: {{ redis: \"redis://{}\", on_error: deny, timeout: 1s }}\n\
             limits: {{ calls: [{{ {tenant} }}, {{ {who} }}] }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: shop, limit: calls }}]",
            issuer.provider(""),
            line.address
        ))
        .await;
        let gateway = reaches_its_store(gateway, "/").await;
        let token = issuer.token(json!({ "sub": "ada" }));

        let mut client = RawConnection::open(gateway.http()).await;
        let request = format!(
            "GET / HTTP/1.1\r\nhost: shop.test\r\nx-tenant: acme\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        client.send(request).await;
        line.hears(Heard::Text).await;
        drop(client);
        line.hears(Heard::Refund).await;
        server.signal(Signal::CONT);

        let request = gateway.client().get(gateway.url("/")).header("x-tenant", "acme").bearer_auth(token);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let told = response.headers()["ratelimit"].to_str().unwrap();
        assert!(told.contains("\"tenant\";r=9;"), "counted twice: {told}");
        gateway.stop().await;
    }
}
