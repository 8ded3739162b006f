//! A cluster of three servers of the test's own.

use std::{path::Path, process::Command};

use crate::{eventually::eventually, server::Server};

const CLUSTERED: [&str; 6] =
    ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "1000"];

/// Without this all nodes refuse everything while one is missing.
pub(crate) const PARTIAL: [&str; 2] = ["--cluster-require-full-coverage", "no"];

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Server>,
    arguments: Vec<&'static str>,
}

impl Cluster {
    pub(crate) async fn start(program: &Path, arguments: &[&'static str]) -> Self {
        let arguments = [&CLUSTERED, arguments].concat();
        let program = program.to_path_buf();
        let nodes: Vec<_> = (0..3).map(|_| Server::start(&program, &arguments)).collect();
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
        let cluster = Self { nodes, arguments };
        eventually("all nodes to agree", async || {
            cluster.nodes.iter().all(|node| node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        })
        .await;
        cluster
    }

    /// A fourth node that stands in for the first when that one fails.
    pub(crate) async fn add_replica(&mut self, program: &Path) {
        let (replica, first) = (Server::start(&program.to_path_buf(), &self.arguments), &self.nodes[0]);
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

    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Server::url).collect()
    }
}
