//! How often a request asks the shared store, and that one which is refused costs nobody anything there.

use reqwest::RequestBuilder;

use crate::{
    eventually::eventually,
    harness::Gateway,
    redis_server::{Server, programs},
    sharing::{reaches_its_store, script_calls, stop_all},
    upstream::Upstream,
};

const KEY: &str = "an-api-key-of-a-partner-0123456789-abcdefghij";

/// A public route with four rules that need not know who asks, and one with all that `voice` has.
fn document(upstream: &Upstream, server: &Server) -> String {
    format!(
        "identity: {{ partners: {{ api_key: {{ keys: [{{ name: acme, organization: acme, \
         hash: \"sha256:d978d21e5dfcd2d802e42685bb094f5859165cf6c85863ce9aa76da6a2faef86\" }}] }} }} }}\n\
         shared: {{ redis: \"{}\", on_error: deny, timeout: 1s }}\n\
         limits:\n  \
         four: [{{ per: address, rate: 1000/h }}, {{ per: prefix, rate: 2000/h }}, \
         {{ per: \"header:x-tenant\", rate: 3/31d }}, {{ per: endpoint, rate: 4000/h }}]\n  \
         voice: [{{ per: address, rate: 20/31d }}, {{ per: user, rate: 3/31d }}, {{ per: organization, rate: 1000/31d }}]\n\
         routes:\n  - {{ path: /four, to: \"{upstream}\", auth: none, limit: four }}\n  \
         - {{ path: /voice, to: \"{upstream}\", auth: partners, limit: voice }}\n",
        server.url()
    )
}

async fn gateways(upstream: &Upstream, server: &Server) -> Vec<Gateway> {
    let mut gateways = Vec::new();
    for _ in 0..2 {
        // Also teaches the store the script.
        gateways.push(reaches_its_store(Gateway::start(&document(upstream, server)).await, "/four").await);
    }
    gateways
}

fn of_tenant(gateway: &Gateway, tenant: &str) -> RequestBuilder {
    gateway.client().get(gateway.url("/four")).header("x-tenant", tenant)
}

fn of_partner(gateway: &Gateway) -> RequestBuilder {
    gateway.client().get(gateway.url("/voice")).header("x-api-key", KEY)
}

/// The status, and how much a rule says is left.
async fn send(request: RequestBuilder, rule: &str) -> (u16, Option<u64>) {
    let answer = request.send().await.unwrap();
    let told = answer.headers().get("ratelimit").map(|told| told.to_str().unwrap().to_owned());
    let left = told.and_then(|told| {
        let (_, after) = told.split_once(&format!("\"{rule}\";r="))?;
        after.split([';', ',']).next()?.parse().ok()
    });
    (answer.status().as_u16(), left)
}

#[tokio::test]
async fn all_rules_of_a_stage_are_decided_in_one_round_trip() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateways = gateways(&upstream, &server).await;
        let before = script_calls(&server);
        for request in 1..=3 {
            assert_eq!(send(of_tenant(&gateways[0], "acme"), "").await.0, 200);
            assert_eq!(
                script_calls(&server),
                before + request,
                "four rules, none of which needs to know who asks"
            );
        }
        assert_eq!(send(of_tenant(&gateways[0], "acme"), "").await.0, 429);
        assert_eq!(script_calls(&server), before + 4, "one that is refused gives nothing back");
        assert_eq!(send(of_partner(&gateways[0]), "").await.0, 200);
        assert_eq!(script_calls(&server), before + 6, "before it is known who asks, and after");
        stop_all(gateways).await;
    }
}

#[tokio::test]
async fn a_refusal_charges_no_rule_of_any_stage_at_any_gateway() {
    for program in programs() {
        let (upstream, server) = (Upstream::start().await, Server::start(&program, &[]));
        let gateways = gateways(&upstream, &server).await;
        let mut of_one_stage = Vec::new();
        for turn in 0..5 {
            of_one_stage.push(send(of_tenant(&gateways[turn % 2], "acme"), "endpoint-3600s").await);
        }
        let statuses: Vec<_> = of_one_stage.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, [200, 200, 200, 429, 429]);
        let [.., (_, Some(third)), (_, fourth), (_, fifth)] = of_one_stage[..] else {
            panic!("{of_one_stage:?}")
        };
        // A bucket of 4000 an hour has one more back after 0.9 s.
        assert!(fourth >= Some(third) && fifth >= Some(third), "{of_one_stage:?}");

        let mut statuses = Vec::new();
        for turn in 0..8 {
            statuses.push(send(of_partner(&gateways[turn % 2]), "").await.0);
        }
        assert_eq!(statuses, [200, 200, 200, 429, 429, 429, 429, 429]);
        // Of 20 by address three are used; what the first stage took of the other five is given back in the background.
        eventually("what was taken in vain to be given back", async || {
            let explained =
                gateways[0].cli(["limits", "explain", "127.0.0.1", "--policy", "voice"]).await.succeeded();
            explained.contains("17 of 20")
        })
        .await;
        stop_all(gateways).await;
    }
}
