//! Limits that several gateways count together in one Redis or Valkey, and what happens while it does not answer.

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    upstream::Upstream,
};

fn document(upstream: &Upstream, server: &Server, on_error: &str) -> String {
    format!(
        "limits: {{ few: [{{ name: few, per: \"header:x-tenant\", rate: 3/h }}] }}\n\
         shared: {{ redis: \"{}\", on_error: {on_error}, timeout: 500ms }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
        server.url()
    )
}

async fn ask(gateway: &Gateway, tenant: &str) -> u16 {
    let request = gateway.client().get(gateway.url("/")).header("x-tenant", tenant);
    request.send().await.unwrap().status().as_u16()
}

/// A gateway that has reached its store. Asked for somebody else, so that nobody of the story is counted.
async fn connected(document: &str) -> Gateway {
    let gateway = Gateway::start(document).await;
    eventually("the store", async || {
        let before = failures(&gateway).await;
        ask(&gateway, "nobody").await;
        failures(&gateway).await == before
    })
    .await;
    gateway
}

async fn failures(gateway: &Gateway) -> f64 {
    gateway.metric("bartizan_limits_store_failures_total").await
}

#[tokio::test]
async fn gateways_with_one_store_count_together() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny");
        let gateways = [connected(&document).await, connected(&document).await];
        let mut statuses = Vec::new();
        for turn in 0..5 {
            statuses.push(ask(&gateways[turn % 2], "acme").await);
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
        assert_eq!(ask(&gateways[0], "other").await, 200);
        for gateway in gateways {
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn gateways_that_lease_admit_exactly_the_limit_in_the_end() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server, "deny")
            .replace("rate: 3/h", "rate: 200/h, algorithm: fixed-window")
            .replace("on_error", "mode: leased, on_error");
        let gateways = [connected(&document).await, connected(&document).await];
        let mut statuses = Vec::new();
        for turn in 0..240 {
            statuses.push(ask(&gateways[turn % 2], "acme").await);
        }
        let admitted = |statuses: &[u16]| statuses.iter().filter(|status| **status == 200).count();
        // At most a tenth is on lease to the other gateway.
        assert!((180..=200).contains(&admitted(&statuses)), "{statuses:?}");
        eventually("the leases to be given back and used", async || {
            statuses.push(ask(&gateways[0], "acme").await);
            admitted(&statuses) >= 200
        })
        .await;
        for turn in 0..40 {
            statuses.push(ask(&gateways[turn % 2], "acme").await);
        }
        assert_eq!(admitted(&statuses), 200);
        for gateway in gateways {
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn without_its_store_a_gateway_does_as_it_was_told() {
    for program in programs() {
        let upstream = Upstream::start().await;
        // What four requests of one client are answered while the store is silent.
        for (on_error, expected) in [("local", [200, 200, 200, 429]), ("allow", [200; 4]), ("deny", [503; 4])]
        {
            let server = Server::start(&program, &[]);
            let gateway = connected(&document(&upstream, &server, on_error)).await;
            assert_eq!(ask(&gateway, "before").await, 200);
            let process = Pid::from_child(&server.process);
            kill_process(process, Signal::STOP).unwrap();
            for expected in expected {
                assert_eq!(ask(&gateway, "acme").await, expected, "{on_error}");
            }
            kill_process(process, Signal::CONT).unwrap();
            eventually("the store again", async || {
                let before = failures(&gateway).await;
                ask(&gateway, "nobody").await;
                failures(&gateway).await == before
            })
            .await;
            assert_eq!(ask(&gateway, "after").await, 200, "{on_error}");
            gateway.stop().await;
        }
    }
}
