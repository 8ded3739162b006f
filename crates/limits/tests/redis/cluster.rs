//! A cluster of three nodes, on which the dimensions of one request lie apart.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bartizan_limits::{Limit, RedisSettings};
use bartizan_model::Algorithm;
use futures_util::future::join_all;
use rustix::process::Signal;

use crate::{
    cluster_server::{Cluster, PARTIAL},
    eventually::eventually,
    server::programs,
    store::{ALGORITHMS, charge, connected, left, limit, race, settings},
};

fn nodes_of(cluster: &Cluster) -> RedisSettings {
    RedisSettings { is_cluster: true, ..settings(&cluster.urls()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_decides_all_dimensions_and_gives_back_what_was_taken_in_vain() {
    for program in programs() {
        let cluster = Cluster::start(&program, &PARTIAL).await;
        let stores =
            [connected(&nodes_of(&cluster)).await, connected(&nodes_of(&cluster)).await].map(Arc::new);
        for algorithm in ALGORITHMS {
            let named = |name: &str, units| limit(&format!("{name}-{algorithm:?}"), algorithm, units);

            // One of them is tight: exactly its units, and no refusal is charged to the others.
            let limits =
                [named("loose", 9000), named("tight", 50), named("other", 9000), named("more", 9000)];
            assert_eq!(race(&stores, &limits, 5).await, 50, "{algorithm:?}");
            for (limit, expected) in limits.iter().zip([8950, 0, 8950, 8950]) {
                let name = &limit.name;
                eventually("units to be given back", async || left(&stores[0], limit).await >= expected)
                    .await;
                assert_eq!(left(&stores[0], limit).await, expected, "{name}");
            }

            // Two are tight: each may be taken in vain while the other refuses, but never more than the tightest.
            let limits = [named("fifty", 50), named("thirty", 30)];
            let admitted = u64::try_from(race(&stores, &limits, 5).await).unwrap();
            assert!((1..=30).contains(&admitted), "{algorithm:?}: {admitted}");
            for (limit, units) in limits.iter().zip([50, 30]) {
                let name = &limit.name;
                eventually("units to be given back", async || {
                    left(&stores[0], limit).await >= units - admitted
                })
                .await;
                assert_eq!(left(&stores[0], limit).await, units - admitted, "{name}");
            }
        }
        let sizes: Vec<_> = cluster.nodes.iter().map(|node| node.command(&["DBSIZE"])).collect();
        assert!(sizes.iter().all(|size| size.trim() != "0"), "all on one node: {sizes:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_takes_only_its_own_keys_with_it() {
    for program in programs() {
        let mut cluster = Cluster::start(&program, &PARTIAL).await;
        let timeout = Duration::from_secs(1);
        let store = connected(&RedisSettings { timeout, ..nodes_of(&cluster) }).await;
        let limits: Vec<Limit> =
            (0..12).map(|index| limit(&format!("limit-{index}"), Algorithm::TokenBucket, 1000)).collect();
        let asked = async |limit: &Limit| store.decide(&[charge(limit, b"somebody")]).await.is_ok();
        for limit in &limits {
            assert!(asked(limit).await);
        }
        let lost = cluster.nodes.pop().unwrap();
        let keys = lost.command(&["KEYS", "*"]);
        assert!(keys.contains("bartizan:limit:"), "the node that is lost holds nothing");
        drop(lost);
        let is_lost = |limit: &Limit| keys.contains(&format!("{{{}:", limit.name));
        for limit in &limits {
            if is_lost(limit) {
                assert!(!asked(limit).await, "{}: admitted by nobody", limit.name);
            } else {
                eventually("the other nodes to be asked", async || asked(limit).await).await;
            }
        }
        // A request that meets both is an error, and what the living node took is given back.
        let (dead, alive) =
            (limits.iter().find(|limit| is_lost(limit)), limits.iter().find(|limit| !is_lost(limit)));
        let (dead, alive) = (dead.unwrap(), alive.expect("all keys were on the lost node"));
        let before = left(&store, alive).await;
        let both = [charge(alive, b"somebody"), charge(dead, b"somebody")];
        assert!(store.decide(&both).await.is_err());
        eventually("units to be given back", async || left(&store, alive).await == before).await;
    }
}

/// Whoever is seldom asked for lies on nodes that live, and must not pay for those whom everybody asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_that_everybody_asks_does_not_take_the_others_along() {
    for (program, signal) in
        programs().into_iter().flat_map(|path| [(path.clone(), Signal::KILL), (path, Signal::STOP)])
    {
        let cluster = Cluster::start(&program, &PARTIAL).await;
        let timeout = Duration::from_secs(1);
        let store = connected(&RedisSettings { timeout, ..nodes_of(&cluster) }).await;
        let limits: Vec<Limit> =
            (0..12).map(|index| limit(&format!("limit-{index}"), Algorithm::TokenBucket, 100_000)).collect();
        let asked = async |limit: &Limit| store.decide(&[charge(limit, b"somebody")]).await;
        for limit in &limits {
            eventually("a first decision", async || asked(limit).await.is_ok()).await;
        }
        let keys = cluster.nodes[0].command(&["KEYS", "*"]);
        let is_lost = |limit: &&Limit| keys.contains(&format!("{{{}:", limit.name));
        let hot = limits.iter().find(is_lost).expect("the lost node holds nothing");
        let rare = limits.iter().find(|limit| !is_lost(limit)).expect("all keys are on the lost node");

        cluster.nodes[0].signal(signal);
        for round in 0..5 {
            // For longer than the silence after which a single server is given up.
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(300) {
                let unanswered = join_all((0..16).map(|_| asked(hot))).await;
                assert!(unanswered.iter().all(Result::is_err), "{signal:?}, {round}: {unanswered:?}");
            }
            assert!(store.is_connected(), "{signal:?}, {round}");
            let answer = asked(rare).await;
            assert!(answer.is_ok(), "{signal:?}, {round}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_in_for_a_silent_node_is_found() {
    for program in programs() {
        let mut cluster = Cluster::start(&program, &PARTIAL).await;
        cluster.add_replica(&program).await;
        let timeout = Duration::from_millis(100);
        let store = connected(&RedisSettings { timeout, ..nodes_of(&cluster) }).await;
        let limits: Vec<Limit> =
            (0..12).map(|index| limit(&format!("limit-{index}"), Algorithm::TokenBucket, 100_000)).collect();
        let asked = async |limit: &Limit| store.decide(&[charge(limit, b"somebody")]).await.is_ok();
        for limit in &limits {
            eventually("a first decision", async || asked(limit).await).await;
        }
        let keys = cluster.nodes[0].command(&["KEYS", "*"]);
        let is_moved = |limit: &&Limit| keys.contains(&format!("{{{}:", limit.name));
        let moved = limits.iter().find(is_moved).expect("the silent node holds nothing");
        let other = limits.iter().find(|limit| !is_moved(limit)).expect("all keys are on the silent node");

        cluster.nodes[0].signal(Signal::STOP);
        assert!(!asked(moved).await, "admitted by nobody");
        // The others notice the silence after a second and say so to nobody: the store has to ask.
        let mut failed = 0;
        eventually("the replica to be found", async || {
            failed += usize::from(!asked(other).await);
            asked(moved).await
        })
        .await;
        assert!(failed <= 5, "{failed} decisions failed on a node that never was silent");
        assert!(left(&store, moved).await < 100_000, "counted afresh");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_default_a_cluster_refuses_everything_while_a_node_is_lost() {
    for program in programs() {
        let mut cluster = Cluster::start(&program, &[]).await;
        let timeout = Duration::from_secs(1);
        let store = connected(&RedisSettings { timeout, ..nodes_of(&cluster) }).await;
        let limits: Vec<Limit> =
            (0..12).map(|index| limit(&format!("limit-{index}"), Algorithm::TokenBucket, 1000)).collect();
        let asked = async |limit: &Limit| store.decide(&[charge(limit, b"somebody")]).await.is_ok();
        for limit in &limits {
            assert!(asked(limit).await);
        }
        drop(cluster.nodes.pop());
        eventually("the others to notice", async || {
            cluster.nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:fail"))
        })
        .await;
        for limit in &limits {
            assert!(!asked(limit).await, "{}: admitted by a cluster that is down", limit.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_node_is_enough_to_find_the_others() {
    for program in programs() {
        let cluster = Cluster::start(&program, &[]).await;
        let first = RedisSettings { is_cluster: true, ..settings(&[cluster.nodes[0].url()]) };
        let store = connected(&first).await;
        for index in 0..12 {
            let limit = limit(&format!("limit-{index}"), Algorithm::TokenBucket, 1000);
            assert!(store.decide(&[charge(&limit, b"somebody")]).await.unwrap().is_admitted());
        }
    }
}
