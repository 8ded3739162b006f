//! Who is let off the limits by an operator is so at every gateway that shares the store.

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{ask, reaches_its_store, stop_all},
    upstream::Upstream,
};

fn document(upstream: &Upstream, server: &Server) -> String {
    format!(
        "limits: {{ few: [{{ name: few, per: \"header:x-tenant\", rate: 3/h }}] }}\n\
         shared: {{ redis: \"{}\", timeout: 500ms }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: none, limit: few }}]",
        server.url()
    )
}

async fn lists(gateway: &Gateway, value: &str) -> bool {
    gateway.cli(["limits", "status"]).await.succeeded().contains(value)
}

async fn four(gateway: &Gateway, tenant: &str) -> [u16; 4] {
    let mut statuses = [0; 4];
    for status in &mut statuses {
        *status = ask(gateway, "/", tenant).await;
    }
    statuses
}

#[tokio::test]
async fn whoever_is_let_off_at_one_gateway_is_so_at_all_until_any_of_them_ends_it() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let document = document(&upstream, &server);
        let mut gateways = Vec::new();
        for _ in 0..2 {
            gateways.push(reaches_its_store(Gateway::start(&document).await, "/").await);
        }
        for (tenant, gateway) in [("acme", &gateways[0]), ("other", &gateways[1])] {
            gateway.cli(["limits", "allow", "few", tenant, "--for", "1h"]).await.succeeded();
            assert_eq!(four(gateway, tenant).await, [200; 4], "at once where it was said");
        }
        // One that starts later knows it, too.
        gateways.push(reaches_its_store(Gateway::start(&document).await, "/").await);
        for gateway in &gateways {
            for tenant in ["acme", "other"] {
                eventually("the news", async || lists(gateway, tenant).await).await;
                assert_eq!(four(gateway, tenant).await, [200; 4]);
            }
        }
        assert!(!server.command(&["KEYS", "*"]).contains("acme"), "nothing was counted");

        gateways[1].cli(["limits", "allow", "few", "acme", "--end"]).await.succeeded();
        for gateway in &gateways {
            eventually("the end", async || !lists(gateway, "acme").await).await;
        }
        assert_eq!(four(&gateways[2], "acme").await, [200, 200, 200, 429]);
        assert_eq!(four(&gateways[0], "other").await, [200; 4], "the other entry stays");
        let missing = gateways[0].cli(["limits", "allow", "few", "acme", "--end"]).await.failed_with(1);
        assert!(missing.contains("`few` lets nobody off as `acme`"), "{missing}");
        stop_all(gateways).await;
    }
}

#[tokio::test]
async fn while_the_store_is_away_whoever_was_let_off_stays_so_and_others_are_let_off_here_alone() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateway = reaches_its_store(Gateway::start(&document(&upstream, &server)).await, "/").await;
        gateway.cli(["limits", "allow", "few", "acme", "--for", "1h"]).await.succeeded();
        drop(server);
        assert_eq!(four(&gateway, "acme").await, [200; 4]);

        let told = gateway.cli(["limits", "allow", "few", "late", "--for", "1h"]).await.failed_with(1);
        assert!(told.contains("let off by this gateway alone"), "{told}");
        let audited = gateway.log(|line| line["action"] == "limits.allow" && line["value"] == "late").await;
        assert_eq!(audited["policy"], "few");
        assert_eq!(four(&gateway, "late").await, [200; 4]);
        let told = gateway.cli(["limits", "allow", "few", "acme", "--end"]).await.failed_with(1);
        assert!(told.contains("the shared store does not answer"), "{told}");
        assert_eq!(four(&gateway, "acme").await, [200; 4], "what stands in the store has not ended");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn without_a_store_any_more_whoever_was_let_off_stays_so_until_it_is_ended_here() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let shared = document(&upstream, &server);
        let gateway = reaches_its_store(Gateway::start(&shared).await, "/").await;
        gateway.cli(["limits", "allow", "few", "acme", "--for", "1h"]).await.succeeded();
        gateway.rewrite(
            &shared.lines().filter(|line| !line.starts_with("shared:")).collect::<Vec<_>>().join("\n"),
        );
        gateway.log(|line| line["message"] == "configuration taken over").await;
        assert_eq!(four(&gateway, "acme").await, [200; 4]);
        gateway.cli(["limits", "allow", "few", "acme", "--end"]).await.succeeded();
        assert_eq!(four(&gateway, "acme").await, [200, 200, 200, 429]);
        gateway.stop().await;
    }
}
