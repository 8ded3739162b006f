//! A replica that takes the place of its server: the name of the store moves to it, and it goes on counting.

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use tokio::net::{TcpListener, TcpStream};

use crate::{
    eventually::eventually,
    harness::Gateway,
    limits_outage::{Asked, Load},
    redis_server::{Server, programs},
    sharing::ask,
    upstream::Upstream,
};

/// A name that leads to a server, and later to another one. Connections that there are stay where they are.
struct Name {
    port: u16,
    server: Arc<AtomicU16>,
}

impl Name {
    async fn of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), Arc::new(AtomicU16::new(server.port)));
        let leads_to = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((mut gateway, _)) = listener.accept().await {
                let server = leads_to.load(Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    tokio::io::copy_bidirectional(&mut gateway, &mut server).await
                });
            }
        });
        Self { port, server }
    }

    fn moves_to(&self, server: &Server) {
        self.server.store(server.port, Ordering::Relaxed);
    }
}

fn follow(replica: &Server, primary: &Server) {
    replica.command(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
}

async fn four(gateway: &Gateway, tenant: &str) -> [u16; 4] {
    let mut statuses = [0; 4];
    for status in &mut statuses {
        *status = ask(gateway, "/", tenant).await;
    }
    statuses
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_takes_over_in_the_middle_of_load_goes_on_counting() {
    for (program, mode) in
        programs().iter().flat_map(|path| [(path.clone(), "exact"), (path.clone(), "leased")])
    {
        let (upstream, first) = (Upstream::start().await, Server::start(&program, &[]));
        let (second, name) = (Server::start(&program, &[]), Name::of(&first).await);
        follow(&second, &first);
        eventually("the replica", async || {
            second.command(&["INFO", "replication"]).contains("master_link_status:up")
        })
        .await;
        let document = format!(
            "limits: {{ few: [{{ name: few, per: \"header:x-tenant\", rate: 3/31d, algorithm: fixed-window }}] }}\n\
             shared: {{ redis: \"redis://127.0.0.1:{}\", mode: {mode}, timeout: 1s, on_error: deny }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
            name.port
        );
        let gateway = Gateway::start(&document).await;
        assert_eq!(four(&gateway, "acme").await, [200, 200, 200, 429]);
        let load = Load::start(&gateway, "/");
        // Of the clients of the load, too.
        load.goes_on(50).await;
        // Written last, so that all before it has arrived, too.
        first.command(&["SET", "last", "1"]);
        eventually("the replica to catch up", async || second.command(&["GET", "last"]).contains('1')).await;

        second.command(&["REPLICAOF", "NO", "ONE"]);
        name.moves_to(&second);
        follow(&first, &second);
        eventually("the new server to decide", async || ask(&gateway, "/", "nobody").await == 200).await;
        load.goes_on(50).await;
        assert_eq!(four(&gateway, "acme").await, [429; 4], "what was counted is");
        let statuses: Vec<_> = load.stop().await.iter().map(|Asked { status, .. }| *status).collect();
        assert!(statuses.iter().all(|status| [200, 429, 503].contains(status)), "{mode}: {statuses:?}");
        let admitted = statuses.iter().filter(|status| **status == 200).count();
        assert!(admitted <= 3 * 4, "{mode}: {admitted}, and three for each of its clients");
        assert_eq!(four(&gateway, "new").await, [200, 200, 200, 429]);
        assert!(second.command(&["KEYS", "*"]).contains("few:new"));
        gateway.stop().await;
    }
}
