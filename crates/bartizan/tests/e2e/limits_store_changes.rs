//! A reload that changes `shared`: another place to count, or another way. Requests go on meanwhile.

use serde_json::json;

use crate::{
    harness::Gateway,
    limits_outage::Load,
    redis_server::{Server, programs},
    sharing::{ask, reaches_its_store},
    upstream::Upstream,
};

fn document(upstream: &Upstream, shared: &str) -> String {
    let per = "per: \"header:x-tenant\", algorithm: fixed-window";
    format!(
        "{shared}limits: {{ few: [{{ name: few, {per}, rate: 3/31d }}], \
         some: [{{ name: some, {per}, rate: 200/31d }}], plenty: [{{ name: plenty, {per}, rate: 100000000/31d }}] }}\n\
         routes:\n  - {{ path: /few, to: \"{upstream}\", auth: none, limit: few }}\n  \
         - {{ path: /some, to: \"{upstream}\", auth: none, limit: some }}\n  \
         - {{ path: /plenty, to: \"{upstream}\", auth: none, limit: plenty }}\n"
    )
}

fn at(server: &Server) -> String {
    format!("shared: {{ redis: \"{}\", timeout: 500ms }}\n", server.url())
}

async fn change(gateway: &Gateway, document: &str) {
    gateway.rewrite(document);
    let reloaded = gateway.ask_admin("/v1/configuration/reload", Some(json!({}))).await;
    assert_eq!(reloaded.status(), 200);
}

async fn times(gateway: &Gateway, count: usize, path: &str, tenant: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(ask(gateway, path, tenant).await);
    }
    statuses
}

fn admitted(statuses: &[u16]) -> usize {
    statuses.iter().filter(|status| **status == 200).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_memory_to_a_store_to_another_store_and_back_to_memory() {
    for program in programs() {
        let (upstream, first) = (Upstream::start().await, Server::start(&program, &[]));
        let second = Server::start(&program, &[]);
        let gateway = Gateway::start(&document(&upstream, "")).await;
        let load = Load::start(&gateway, "/plenty");
        assert_eq!(times(&gateway, 2, "/few", "acme").await, [200; 2]);

        for server in [&first, &second] {
            change(&gateway, &document(&upstream, &at(server))).await;
            // The store has heard of nobody.
            assert_eq!(times(&gateway, 4, "/few", "acme").await, [200, 200, 200, 429]);
            assert!(server.command(&["KEYS", "*"]).contains("few:acme"));
            load.goes_on(20).await;
        }
        assert_eq!(times(&gateway, 1, "/few", "new").await, [200]);
        assert!(!first.command(&["KEYS", "*"]).contains("few:new"), "the first store is not asked any more");
        let other = reaches_its_store(Gateway::start(&document(&upstream, &at(&second))).await, "/few").await;
        assert_eq!(times(&other, 3, "/few", "new").await, [200, 200, 429], "it counts for both");
        other.stop().await;

        change(&gateway, &document(&upstream, "")).await;
        drop((first, second));
        assert_eq!(
            times(&gateway, 2, "/few", "acme").await,
            [429; 2],
            "it goes on from what the store has said"
        );
        assert_eq!(times(&gateway, 4, "/few", "nobody-yet").await, [200, 200, 200, 429]);
        load.goes_on(20).await;
        assert!(load.stop().await.iter().all(|asked| asked.status == 200), "{}", gateway.log_text());
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_exact_to_leased_and_back_nothing_is_admitted_twice() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let exact = document(&upstream, &at(&server));
        let leased = exact.replace("timeout", "mode: leased, timeout");
        let gateway = reaches_its_store(Gateway::start(&exact).await, "/few").await;
        let load = Load::start(&gateway, "/plenty");
        let mut statuses = times(&gateway, 60, "/some", "acme").await;
        for document in [&leased, &exact] {
            change(&gateway, document).await;
            statuses.extend(times(&gateway, 60, "/some", "acme").await);
        }
        assert_eq!(admitted(&statuses), 180, "nothing is refused early");
        statuses.extend(times(&gateway, 40, "/some", "acme").await);
        // What was leased when the mode changed is given back, or was at most a tenth.
        assert!((180..=200).contains(&admitted(&statuses)), "{}", admitted(&statuses));
        assert_eq!(statuses.last(), Some(&429));
        assert!(load.stop().await.iter().all(|asked| asked.status == 200), "{}", gateway.log_text());
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_store_that_is_not_there_as_on_error_says() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    assert_eq!(times(&gateway, 4, "/few", "acme").await, [200, 200, 200, 429]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (on_error, expected) in [("local", 429), ("deny", 503), ("allow", 200), ("local", 429)] {
        let shared = format!("shared: {{ redis: \"redis://{nobody}\", on_error: {on_error} }}\n");
        change(&gateway, &document(&upstream, &shared)).await;
        assert_eq!(times(&gateway, 2, "/few", "acme").await, [expected; 2], "{on_error}");
    }
    gateway.stop().await;
}
