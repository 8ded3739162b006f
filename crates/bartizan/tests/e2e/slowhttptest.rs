//! 500 connections of `slowhttptest` in each of its modes: every one of them is closed by the gateway, nothing of
//! them stays, and whoever else comes is served meanwhile.
//!
//! The tool is Debian's package of that name. Where it is missing these stories say so and are skipped, except in
//! CI (`CI` is set), where they fail.

use std::{io::ErrorKind, process::Stdio};

use tokio::{process::Command, time::timeout};

use crate::{
    eventually::eventually,
    harness::{Gateway, PATIENCE},
    siege::{Honest, Warehouse, connections_end, kernel_connections, open_files, resident_bytes},
    upstream::Upstream,
};

const CONNECTIONS: &str = "500";
const ALL: f64 = 500.0;

/// What 500 attackers may leave behind in the allocator: each may fill the buffer of its connection, that of the
/// upstream's and what is between them, 64 KiB each.
const MEMORY: usize = 500 * 4 * 64 * 1024;

/// What the tool says when its victim has closed every connection before the time was up.
const ALL_CLOSED: &str = "No open connections left";

#[tokio::test]
async fn slow_headers() {
    let upstream = Upstream::start().await;
    attack(&upstream.to_string(), &["-H", "-i", "1"]).await;
}

#[tokio::test]
async fn slow_bodies() {
    let upstream = Upstream::start().await;
    attack(&upstream.to_string(), &["-B", "-i", "1", "-s", "8192"]).await;
}

#[tokio::test]
async fn overlapping_ranges() {
    let upstream = Upstream::start().await;
    attack(&upstream.to_string(), &["-R", "-a", "1", "-b", "2000", "-t", "GET"]).await;
}

#[tokio::test]
async fn slow_reads() {
    let warehouse = Warehouse::of(16).await;
    attack(&warehouse.to_string(), &["-X", "-n", "1", "-z", "5", "-w", "10", "-y", "20", "-k", "3"]).await;
}

/// Attacks `attacked` through a gateway that serves others meanwhile.
async fn attack(attacked: &str, mode: &[&str]) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(attacked, &upstream)).await;
    let honest = Honest::of(&gateway);
    honest.is_served().await;
    let (files, memory) = (open_files(&gateway), resident_bytes(&gateway));

    let url = gateway.url("/attacked");
    let siege = async {
        tokio::select! {
            report = slowhttptest(&url, mode) => match report {
                Some(report) => assert!(report.contains(ALL_CLOSED), "connections are kept:\n{report}"),
                None => return false,
            },
            // A reader that is slow enough notices long after.
            () = is_repelled(&gateway) => {}
        }
        true
    };
    if !honest.is_served_during(siege).await {
        return;
    }
    connections_end(&gateway, "http").await;
    eventually("connections in the kernel", async || kernel_connections(gateway.http()) == 0).await;
    eventually("open files", async || open_files(&gateway) <= files).await;
    let now = resident_bytes(&gateway);
    assert!(now < memory + MEMORY, "{memory} bytes before, {now} after");
    gateway.stop().await;
}

/// All attackers have come and gone. The honest client may have a connection at any time.
async fn is_repelled(gateway: &Gateway) {
    let come = async || gateway.metric("bartizan_connections_total{listener=\"http\"}").await >= ALL;
    eventually("the attack", come).await;
    let gone = async || gateway.metric("bartizan_connections{listener=\"http\"}").await <= 1.0;
    eventually("the end of the attack", gone).await;
}

/// Connections to the upstreams end soon, so that whatever stays open was forgotten.
fn document(attacked: &str, upstream: &Upstream) -> String {
    format!(
        "upstreams:
  attacked: {{ targets: \"{attacked}\", timeouts: {{ idle: 500ms }} }}
  honest: {{ targets: \"{upstream}\", timeouts: {{ idle: 500ms }} }}
routes:
  - {{ path: /attacked, to: attacked, auth: none }}
  - {{ path: /honest, to: honest, auth: none }}
hardening: {{ header_timeout: 2s, handshake_timeout: 2s, rate_window: 1s, connections_per_address: 1000 }}
"
    )
}

/// What the tool printed, or nothing where it is not installed.
async fn slowhttptest(url: &str, mode: &[&str]) -> Option<String> {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", CONNECTIONS, "-r", CONNECTIONS, "-l", "20", "-p", "5", "-u", url]).args(mode);
    command.stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await.expect("the tool did not end") {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: `slowhttptest` is not installed: `apt-get install slowhttptest`");
            None
        }
        Err(error) => panic!("`slowhttptest`: {error}"),
    }
}
