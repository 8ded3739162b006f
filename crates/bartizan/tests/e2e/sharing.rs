//! Gateways that share a store, and what their stories ask of them.

use crate::{eventually::eventually, harness::Gateway};

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

pub(crate) async fn stop_all(gateways: Vec<Gateway>) {
    for gateway in gateways {
        gateway.stop().await;
    }
}
