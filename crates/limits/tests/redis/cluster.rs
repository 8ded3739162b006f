//! A cluster of three nodes, on which the dimensions of one request lie apart.

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use bartizan_limits::{Limit, RedisSettings};
use bartizan_model::Algorithm;
use rustix::process::Signal;

use crate::{
    server::{Server, programs},
    store::{ALGORITHMS, charge, connected, eventually, left, limit, race, settings},
};

/// By default all nodes refuse everything while one is missing.
const CLUSTERED: [&str; 8] = [
    "--cluster-enabled",
    "yes",
    "--cluster-config-file",
    "nodes.conf",
    "--cluster-node-timeout",
    "1000",
    "--cluster-require-full-coverage",
    "no",
];

struct Cluster {
    nodes: Vec<Server>,
}

impl Cluster {
    async fn start(program: &Path) -> Self {
        let program = program.to_path_buf();
        let nodes: Vec<_> = (0..3).map(|_| Server::start(&program, &CLUSTERED)).collect();
        let client =
            program.with_file_name(program.file_name().unwrap().to_str().unwrap().replace("server", "cli"));
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let output = Command::new(client)
            .args(["--cluster", "create"])
            .args(addresses)
            .arg("--cluster-yes")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let cluster = Self { nodes };
        eventually("all nodes to agree", async || {
            cluster.nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        })
        .await;
        cluster
    }

    /// A fourth node that stands in for the first when that one fails.
    async fn add_replica(&mut self, program: &Path) {
        let (replica, first) = (Server::start(&program.to_path_buf(), &CLUSTERED), &self.nodes[0]);
        let id = first.command(&["CLUSTER", "MYID"]);
        replica.command(&["CLUSTER", "MEET", "127.0.0.1", &first.port.to_string()]);
        eventually("the replica to be one", async || {
            replica.command(&["CLUSTER", "REPLICATE", id.trim()]).contains("OK")
        })
        .await;
        eventually("the replica to be up to date", async || {
            replica.command(&["INFO", "replication"]).contains("master_link_status:up")
                && self.nodes.iter().all(|node| node.command(&["CLUSTER", "NODES"]).contains("slave"))
        })
        .await;
        self.nodes.push(replica);
    }

    fn settings(&self) -> RedisSettings {
        settings(&self.nodes.iter().map(Server::url).collect::<Vec<_>>())
    }

    /// How many keys each node holds.
    fn sizes(&self) -> Vec<u64> {
        self.nodes.iter().map(|node| node.command(&["DBSIZE"]).trim().parse().unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_decides_all_dimensions_and_gives_back_what_was_taken_in_vain() {
    for program in programs() {
        let cluster = Cluster::start(&program).await;
        let stores =
            [connected(&cluster.settings()).await, connected(&cluster.settings()).await].map(Arc::new);
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
        assert!(cluster.sizes().iter().all(|size| *size > 0), "all on one node: {:?}", cluster.sizes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_takes_only_its_own_keys_with_it() {
    for program in programs() {
        let mut cluster = Cluster::start(&program).await;
        let timeout = Duration::from_secs(1);
        let store = connected(&RedisSettings { timeout, ..cluster.settings() }).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_stands_in_for_a_silent_node_is_found() {
    for program in programs() {
        let mut cluster = Cluster::start(&program).await;
        cluster.add_replica(&program).await;
        let timeout = Duration::from_millis(100);
        let store = connected(&RedisSettings { timeout, ..cluster.settings() }).await;
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
