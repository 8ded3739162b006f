//! What runs, and whether requests should be sent to it.

use http::StatusCode;
use serde_json::json;

use super::fixture::Admin;
use crate::{Status, System, Upstreams};

#[tokio::test]
async fn the_status_is_what_the_system_says() {
    let admin = Admin::new();
    let answer = admin.get("/v1/status").await;
    let told: Status = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(told, admin.system.status());
    assert_eq!(answer.json()["started"], "2026-03-01T09:30:07Z");
    assert_eq!(answer.json()["listeners"], json!([{ "kind": "admin", "address": "127.0.0.1:9443" }]));
}

#[tokio::test]
async fn upstreams_show_how_their_targets_fare() {
    let answer = Admin::new().get("/v1/upstreams").await;
    let target = |url, health| json!({ "url": url, "health": health, "requests_in_flight": 2 });
    let targets = json!([target("http://orders:8080", "healthy"), target("http://spare:8080", "ejected")]);
    assert_eq!(answer.json(), json!({ "upstreams": [{ "name": "orders", "targets": targets }] }));
    serde_json::from_value::<Upstreams>(answer.json()).unwrap();
}

#[tokio::test]
async fn what_the_configuration_does_not_ask_for_is_no_component() {
    let answer = Admin::new().get("/v1/components").await;
    assert_eq!(answer.json(), json!({ "store": null, "shared_store": null, "signing_keys": null }));
}

#[tokio::test]
async fn ready_means_that_requests_should_come() {
    // ready, draining, status of /readyz
    let cases = [(true, false, 200), (false, false, 503), (true, true, 503), (false, true, 503)];
    let admin = Admin::new();
    for (ready, draining, status) in cases {
        {
            let mut told = admin.system.status.lock().unwrap();
            (told.ready, told.draining) = (ready, draining);
        }
        let answer = admin.get("/readyz").await;
        assert_eq!(answer.status, status, "ready: {ready}, draining: {draining}");
        if status == 200 {
            assert_eq!(answer.json(), json!({ "status": "ok" }));
        } else {
            assert_eq!(answer.code(), "not_ready");
        }
        assert_eq!(admin.get("/healthz").await.json(), json!({ "status": "ok" }), "alive all the same");
    }
}

#[tokio::test]
async fn exports_are_listed_and_tested() {
    let admin = Admin::new();
    let exports = admin.get("/v1/exports").await.json();
    assert_eq!(exports["exports"][0]["name"], "siem");
    assert_eq!(exports["exports"][0]["last_error"]["message"], "503 Service Unavailable");
    let tested = admin.post("/v1/exports/siem/test", None).await;
    assert_eq!(tested.json(), json!({ "delivered": false, "answer": "403 Forbidden" }));
    let unknown = admin.post("/v1/exports/unknown/test", None).await;
    assert_eq!((unknown.status, unknown.code()), (StatusCode::NOT_FOUND, "not_found".into()));
}
