//! Gateways that share a cluster: rules whose keys lie on different nodes, a node that is lost, and one that hands over
//! to its replica under load.

use std::{cell::Cell, path::Path};

use rustix::process::Signal;

use crate::{
    eventually::eventually,
    harness::Gateway,
    limits_outage::Load,
    redis_cluster::{Cluster, PARTIAL},
    redis_server::programs,
    sharing::{ask, failures},
    upstream::Upstream,
};

fn document(upstream: &Upstream, cluster: &Cluster, on_error: &str) -> String {
    let per = "per: \"header:x-tenant\", algorithm: fixed-window";
    // What they count is the same, and said in other ways: of two that say the same one would be superfluous.
    let rule =
        |name: &str, units: u32, on: &str| format!("{{ name: {name}, {per}, rate: {units}/31d, on: {on} }}");
    format!(
        "shared: {{ redis: {:?}, on_error: {on_error}, timeout: 1s }}\n\
         limits:\n  one: [{}]\n  three: [{}, {}, {}]\n\
         routes:\n  - {{ path: /one, to: \"{upstream}\", auth: none, limit: one }}\n  \
         - {{ path: /three, to: \"{upstream}\", auth: none, limit: three }}\n",
        cluster.urls(),
        rule("one", 1000, "/one"),
        rule("tight", 20, "/three"),
        rule("loose", 1000, "GET /three"),
        rule("other", 1000, "/*")
    )
}

/// How much is used of a rule for a tenant, as the store knows it.
fn used(cluster: &Cluster, rule: &str, tenant: &str) -> u64 {
    let key = format!("bartizan:limit:{{{rule}:{tenant}}}:fixed:2678400000");
    let second = "local state = redis.call('GET', KEYS[1])
        if state then return select(2, struct.unpack('<ddd', state)) end";
    let mut units = cluster.nodes.iter().map(|node| node.command(&["EVAL", second, "1", &key]));
    // Nodes that do not have it, or that hand it over just now, say so instead.
    units.find_map(|units| units.trim().parse().ok()).unwrap_or(0)
}

/// A tenant whose requests to `/one` are counted by the first node, and one of another node's.
async fn tenants(gateway: &Gateway, cluster: &Cluster) -> (String, String) {
    let names: Vec<_> = (0..16).map(|number| format!("tenant-{number}")).collect();
    for name in &names {
        assert_eq!(ask(gateway, "/one", name).await, 200);
    }
    let keys = cluster.nodes[0].command(&["KEYS", "*"]);
    let (first, others): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| keys.contains(&format!("one:{name}}}")));
    (first.into_iter().next().unwrap(), others.into_iter().next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_on_different_nodes_are_decided_together() {
    for program in programs() {
        let (upstream, cluster) = (Upstream::start().await, Cluster::start(&program, &[]).await);
        let document = document(&upstream, &cluster, "deny");
        let gateways = [Gateway::start(&document).await, Gateway::start(&document).await];
        let mut admitted = 0;
        for turn in 0..60 {
            admitted += u64::from(ask(&gateways[turn % 2], "/three", "acme").await == 200);
        }
        assert_eq!(admitted, 20);
        for rule in ["three/tight", "three/loose", "three/other"] {
            eventually("what was taken in vain to be given back", async || {
                used(&cluster, rule, "acme") == 20
            })
            .await;
        }
    }
}

/// What is on lease from one node when another refuses goes back there, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_on_different_nodes_that_are_leased_admit_the_limit_in_the_end_and_never_more() {
    for program in programs() {
        let (upstream, cluster) = (Upstream::start().await, Cluster::start(&program, &[]).await);
        let document = document(&upstream, &cluster, "deny")
            .replace("on_error", "mode: leased, on_error")
            .replace("rate: 20/31d", "rate: 200/31d");
        let gateways = [Gateway::start(&document).await, Gateway::start(&document).await];
        let (mut admitted, mut turn) = (0, 0);
        let mut asks = async || {
            turn += 1;
            admitted += u64::from(ask(&gateways[turn % 2], "/three", "acme").await == 200);
            admitted
        };
        eventually("the limit", async || asks().await >= 200).await;
        for _ in 0..40 {
            assert_eq!(asks().await, 200);
        }
        for rule in ["three/tight", "three/loose", "three/other"] {
            eventually("what was leased in vain to be given back", async || {
                used(&cluster, rule, "acme") == 200
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_one_node_the_rest_is_decided_as_before() {
    for program in programs() {
        let (upstream, mut cluster) = (Upstream::start().await, Cluster::start(&program, &PARTIAL).await);
        let gateway = Gateway::start(&document(&upstream, &cluster, "deny")).await;
        let others = [
            Gateway::start(&document(&upstream, &cluster, "local")).await,
            Gateway::start(&document(&upstream, &cluster, "allow")).await,
        ];
        let (lost, kept) = tenants(&gateway, &cluster).await;
        drop(cluster.nodes.remove(0));
        eventually("the loss", async || ask(&gateway, "/one", &lost).await == 503).await;
        for other in &others {
            let before = failures(other).await;
            assert_eq!(ask(other, "/one", &lost).await, 200, "counted by the gateway, or by nobody");
            assert!(failures(other).await > before);
        }
        eventually("the others to be asked", async || ask(&gateway, "/one", &kept).await == 200).await;
        let before = used(&cluster, "one/one", &kept);
        for _ in 0..5 {
            assert_eq!(ask(&gateway, "/one", &lost).await, 503, "counted by nobody");
        }
        eventually("counting to go on", async || {
            ask(&gateway, "/one", &kept).await;
            used(&cluster, "one/one", &kept) >= before + 5
        })
        .await;
    }
}

/// What became of requests.
struct Count {
    admitted: u64,
    failed: u64,
}

/// Asks every gateway, so many times at once, turn by turn, until all of them refuse.
async fn exhaust(gateways: &[Gateway], tenant: &str, at_once: &Cell<usize>, count: &mut Count) {
    let mut refused = 0;
    eventually("the limit", async || {
        let asked = gateways.iter().cycle().take(gateways.len() * at_once.get());
        let answers = asked.map(|gateway| ask(gateway, "/one", tenant));
        for status in futures_util::future::join_all(answers).await {
            match status {
                200 => (count.admitted, refused) = (count.admitted + 1, 0),
                429 => refused += 1,
                503 => count.failed += 1,
                other => panic!("{other}"),
            }
        }
        refused >= 2 * gateways.len() * at_once.get()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hands_over_to_its_replica_loses_no_count() {
    for program in programs() {
        let (upstream, cluster) = (Upstream::start().await, with_replica(&program).await);
        let document = document(&upstream, &cluster, "deny");
        let gateways = [Gateway::start(&document).await, Gateway::start(&document).await];
        let (tenant, _) = tenants(&gateways[0], &cluster).await;
        let mut count = Count { admitted: 1, failed: 0 };
        let replica = cluster.nodes.last().unwrap();
        let at_once = Cell::new(1);
        tokio::join!(exhaust(&gateways, &tenant, &at_once, &mut count), async {
            eventually("some load", async || used(&cluster, "one/one", &tenant) > 20).await;
            assert!(replica.command(&["CLUSTER", "FAILOVER"]).contains("OK"));
            eventually("the replica to take over", async || replica.command(&["ROLE"]).starts_with("master"))
                .await;
            assert!(used(&cluster, "one/one", &tenant) < 1000, "the limit was reached before");
            at_once.set(8);
        });
        let Count { admitted, failed } = count;
        println!("{admitted} of 1000 admitted, {failed} failed");
        // What failed may have been counted, even twice.
        assert!(admitted <= 1000 && admitted + 2 * failed >= 1000, "{admitted}, {failed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_under_load_is_replaced_by_its_replica_with_what_it_had_counted() {
    for program in programs() {
        let (upstream, mut cluster) = (Upstream::start().await, with_replica(&program).await);
        let document = document(&upstream, &cluster, "deny");
        let gateway = Gateway::start(&document).await;
        let (tenant, _) = tenants(&gateway, &cluster).await;
        for _ in 1..990 {
            assert_eq!(ask(&gateway, "/one", &tenant).await, 200);
        }
        let offset = |node: usize| {
            let info = cluster.nodes[node].command(&["INFO", "replication"]);
            info.lines().find_map(|line| line.strip_prefix("master_repl_offset:").map(str::to_owned))
        };
        eventually("the replica to know", async || offset(0) == offset(3)).await;
        let load = Load::start(&gateway, "/three");
        load.goes_on(50).await;
        cluster.nodes[0].signal(Signal::KILL);
        let failed = failures(&gateway).await;
        let (mut admitted, mut refused) = (0, 0);
        eventually("the replica to refuse", async || {
            match ask(&gateway, "/one", &tenant).await {
                200 => admitted += 1,
                429 => refused += 1,
                _ => {}
            }
            refused > 3
        })
        .await;
        assert!(admitted <= 10, "{admitted} of the 10 that were left");
        assert!(failures(&gateway).await > failed, "nothing failed");
        load.goes_on(50).await;
        let asked = load.stop().await;
        assert!(asked.iter().all(|asked| [200, 429, 503].contains(&asked.status)));
        // Each of its four clients has 20, and once more what the replica did not know.
        let admitted = asked.iter().filter(|asked| asked.status == 200).count();
        assert!(admitted <= 2 * 4 * 20, "{admitted}");
        drop(cluster.nodes.remove(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_let_off_and_what_begins_afresh_is_so_for_all_gateways_of_a_cluster() {
    for program in programs() {
        let (upstream, cluster) = (Upstream::start().await, Cluster::start(&program, &[]).await);
        let document = document(&upstream, &cluster, "deny");
        let [one, other] = [Gateway::start(&document).await, Gateway::start(&document).await];
        let refuses = async || ask(&other, "/three", "acme").await == 429;
        eventually("the limit", async || refuses().await).await;
        one.cli(["limits", "reset", "three", "--all"]).await.succeeded();
        eventually("all of it again", async || !refuses().await).await;
        eventually("the limit again", async || refuses().await).await;
        one.cli(["limits", "reset", "three", "acme"]).await.succeeded();
        assert!(!refuses().await, "one value begins afresh at once");
        eventually("the limit once more", async || refuses().await).await;
        one.cli(["limits", "allow", "three", "acme", "--for", "1h"]).await.succeeded();
        eventually("it to be let off", async || !refuses().await).await;
        for _ in 0..30 {
            assert!(!refuses().await, "let off, and counted by none of its rules");
        }
        one.cli(["limits", "allow", "three", "acme", "--end"]).await.succeeded();
        eventually("the limit to hold again", async || refuses().await).await;
    }
}

async fn with_replica(program: &Path) -> Cluster {
    let mut cluster = Cluster::start(program, &[]).await;
    cluster.add_replica(program).await;
    cluster
}
