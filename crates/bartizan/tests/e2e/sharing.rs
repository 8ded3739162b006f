//! Gateways that share a store, and what their stories ask of them.

use crate::{eventually::eventually, harness::Gateway, redis_server::Server};

/// `GET path` for a tenant, by whom the policies of these stories count.
pub(crate) async fn ask(gateway: &Gateway, path: &str, tenant: &str) -> u16 {
    let request = gateway.client().get(gateway.url(path)).header("x-tenant", tenant);
    request.send().await.unwrap().status().as_u16()
}

/// Waits until decisions come from the store, once it is there. Asked for somebody else, so that nobody of the story is counted.
pub(crate) async fn reaches_its_store(gateway: Gateway, path: &str) -> Gateway {
    eventually("the store", async || {
        let before = failures(&gateway).await;
        ask(&gateway, path, "nobody").await;
        failures(&gateway).await == before
    })
    .await;
    gateway
}

/// How many decisions the store did not make.
pub(crate) async fn failures(gateway: &Gateway) -> f64 {
    gateway.metric("bartizan_limits_store_failures_total").await
}

/// How often the script that decides was called so far.
pub(crate) fn script_calls(server: &Server) -> u64 {
    let statistics = server.command(&["INFO", "commandstats"]);
    let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
    line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
}

pub(crate) async fn stop_all(gateways: Vec<Gateway>) {
    for gateway in gateways {
        gateway.stop().await;
    }
}
