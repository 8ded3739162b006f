//! Phrases that many stories use.

use std::fmt::Display;

use http::HeaderMap;
use serde_json::Value;

use crate::{eventually::eventually, harness::Gateway};

/// A gateway with one public route for everything; `besides` is what else the route says.
pub(crate) async fn public(upstream: impl Display, besides: &str) -> Gateway {
    Gateway::start(&format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none{besides} }}]")).await
}

/// A gateway that has every key it needs.
pub(crate) async fn ready(document: &str) -> Gateway {
    let gateway = Gateway::start(document).await;
    becomes_ready(&gateway).await;
    gateway
}

pub(crate) async fn becomes_ready(gateway: &Gateway) {
    eventually("/readyz", async || readiness(gateway).await == 200).await;
}

/// The status of `/readyz`.
pub(crate) async fn readiness(gateway: &Gateway) -> u16 {
    let url = format!("http://{}/readyz", gateway.metrics());
    gateway.client().get(url).send().await.unwrap().status().as_u16()
}

/// Status and `code` of an answer; no code where it is no refusal.
pub(crate) async fn refusal(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let problem: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

/// Whether this machine has an IPv6 loopback address; many containers do not.
pub(crate) fn has_ipv6() -> bool {
    let found = std::net::TcpListener::bind("[::1]:0");
    if let Err(error) = &found {
        eprintln!("SKIPPED: no IPv6 on this machine: {error}");
    }
    found.is_ok()
}

/// Every value of a header.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

/// What the process has taken of the machine's memory at its peak.
pub(crate) fn peak_memory(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
