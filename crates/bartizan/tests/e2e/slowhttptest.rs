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

/// What 500 attackers may leave behind in the allocator.
const MEMORY: usize = 96 * 1024 * 1024;

/// What the tool says when its victim has closed every connection before the time was up.
const ALL_CLOSED: &str = "No open connections left";

#[tokio::test]
async fn slow_headers() {
    let upstream = Upstream::start().await;
    let Some(survived) = survive(&upstream.to_string(), &["-H", "-i", "1"]).await else { return };
    assert!(survived.report.contains(ALL_CLOSED), "{}", survived.report);
}

#[tokio::test]
async fn slow_bodies() {
    let upstream = Upstream::start().await;
    let Some(survived) = survive(&upstream.to_string(), &["-B", "-i", "1", "-s", "8192"]).await else { return };
    assert!(survived.report.contains(ALL_CLOSED), "{}", survived.report);
    assert!(survived.gateway.metric("bartizan_refusals_total{stage=\"body\",code=\"body_too_slow\"").await >= ALL);
}

#[tokio::test]
async fn overlapping_ranges() {
    let upstream = Upstream::start().await;
    let mode = ["-R", "-a", "1", "-b", "2000", "-t", "GET"];
    let Some(survived) = survive(&upstream.to_string(), &mode).await else { return };
    assert!(survived.report.contains(ALL_CLOSED), "{}", survived.report);
}

/// The tool itself does not notice for long that nothing more will come: the gateway says whom it has cut off.
#[tokio::test]
async fn slow_reads() {
    let warehouse = Warehouse::of(16).await;
    let mode = ["-X", "-n", "1", "-z", "5", "-w", "10", "-y", "20", "-k", "3"];
    let Some(survived) = survive(&warehouse.to_string(), &mode).await else { return };
    assert!(survived.gateway.metric("bartizan_wire_violations_total{code=\"slow_read\"").await >= ALL);
}

/// A gateway after an attack, and what the attacker printed.
struct Survived {
    gateway: Gateway,
    report: String,
}

/// Attacks `attacked` through a gateway that serves others meanwhile. Nothing where the tool is missing.
async fn survive(attacked: &str, mode: &[&str]) -> Option<Survived> {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(attacked, &upstream)).await;
    let honest = Honest::of(&gateway);
    honest.is_served().await;
    let (files, memory) = (open_files(&gateway), resident_bytes(&gateway));

    let report = honest.is_served_during(slowhttptest(&gateway.url("/attacked"), mode)).await?;
    let made = gateway.metric("bartizan_connections_total{listener=\"http\"}").await;
    assert!(made >= ALL, "the attack did not take place ({made} connections):\n{report}");

    connections_end(&gateway, "http").await;
    eventually("connections in the kernel", async || kernel_connections(gateway.http()) == 0).await;
    eventually("open files", async || open_files(&gateway) <= files).await;
    let now = resident_bytes(&gateway);
    assert!(now < memory + MEMORY, "{memory} bytes before, {now} after");
    Some(Survived { gateway, report })
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
hardening: {{ header_timeout: 2s, handshake_timeout: 2s, rate_window: 2s, connections_per_address: 1000 }}
"
    )
}

/// What the tool printed, or nothing where it is not installed.
async fn slowhttptest(url: &str, mode: &[&str]) -> Option<String> {
    let mut command = Command::new("slowhttptest");
    command.args(["-c", CONNECTIONS, "-r", CONNECTIONS, "-l", "10", "-p", "5", "-u", url]).args(mode);
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
