//! What the latest decisions look like: real ones, made by the pipeline.

use std::{net::SocketAddr, sync::Arc};

use bartizan_config::{Config, Source};
use bartizan_model::{RequestId, TraceContext};
use bartizan_pipeline::{ClientFacts, Exchange, NoBody, Pipeline, Record, Verdict};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::fixture::Admin;
use crate::DecidedRequests;

const KEY: &str = "shop_0123456789abcdef0123456789abcdef";
const CONFIGURATION: &str = r#"
version: 1
listen: { http: "127.0.0.1:0", admin: "127.0.0.1:0", metrics: "127.0.0.1:0" }
identity:
  partners:
    api_key:
      keys:
        - name: acme
          hash: "sha256:512f8d84e6393b07155c3a1daff43277d25ce3794ff4a196115635e79290dfa4"
          permissions: [orders:read]
routes:
  - path: /orders/**
    to: http://127.0.0.1:1
    auth: [partners]
    require: [orders:read]
  - path: /invoices
    to: http://127.0.0.1:1
    auth: [partners]
    require: [invoices:read]
"#;

#[tokio::test]
async fn a_refusal_is_explained_stage_by_stage() {
    let admin = Admin::new();
    decide(&admin, "r-1", "/invoices?secret=1", Some(KEY)).await;
    let answer = admin.get("/v1/requests/r-1").await;
    let mut told = answer.json();
    serde_json::from_value::<DecidedRequests>(told.clone()).unwrap();
    let request = &mut told["requests"][0];
    assert!(request["microseconds"].as_f64().unwrap() > 0.0);
    assert!(request["arrived"].as_str().unwrap().ends_with('Z'));
    let head = json!({
        "id": "r-1",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "client": "198.51.100.7",
        "method": "GET",
        "path": "/invoices",
        "route": { "path": "/invoices", "line": 16 },
        "principal": { "id": "acme", "kind": "api_key", "organization": null, "provider": "partners" },
        "status": 403,
        "code": "permission_denied",
    });
    for (key, value) in head.as_object().unwrap() {
        assert_eq!(&request[key], value, "{key}");
    }
    let steps = request["steps"].as_array().unwrap();
    let stages: Vec<_> = steps.iter().map(|step| step["stage"].as_str().unwrap()).collect();
    let expected = [
        "protocol",
        "route",
        "reputation",
        "cross_origin",
        "coarse_limit",
        "authenticate",
        "fine_limit",
        "authorize",
    ];
    assert_eq!(stages, expected);
    for step in steps {
        assert_eq!(step["outcome"], if step["stage"] == "authorize" { "denied" } else { "passed" }, "{step}");
        assert!(step["microseconds"].as_f64().is_some_and(|took| took >= 0.0), "{step}");
        assert!(step["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{step}");
    }
    assert_eq!(steps[0]["line"], Value::Null);
    assert_eq!(steps[7]["line"], 19);
    assert!(!answer.body.contains("secret") && !answer.body.contains(KEY));
}

#[tokio::test]
async fn requests_that_share_an_id_are_all_explained() {
    let admin = Admin::new();
    decide(&admin, "twice", "/orders/1", Some(KEY)).await;
    decide(&admin, "twice", "/nowhere", None).await;
    let told = admin.get("/v1/requests/twice").await.json();
    let paths: Vec<_> =
        told["requests"].as_array().unwrap().iter().map(|request| request["path"].clone()).collect();
    assert_eq!(paths, ["/nowhere", "/orders/1"], "the newest first");
    assert_eq!(told["requests"][1]["code"], Value::Null);
    assert_eq!(told["requests"][0]["route"], Value::Null);
    assert_eq!(told["requests"][0]["principal"], Value::Null);
}

#[tokio::test]
async fn the_latest_are_listed_refused_ones_apart() {
    let admin = Admin::new();
    for number in 0..4 {
        decide(&admin, &format!("served-{number}"), "/orders/1", Some(KEY)).await;
        decide(&admin, &format!("refused-{number}"), "/orders/1", None).await;
    }
    let cases = [
        ("/v1/requests", 8, "refused-3"),
        ("/v1/requests?refused=false", 8, "refused-3"),
        ("/v1/requests?limit=3", 3, "refused-3"),
        ("/v1/requests?refused=true", 4, "refused-3"),
        ("/v1/requests?refused=true&limit=1", 1, "refused-3"),
    ];
    for (target, count, first) in cases {
        let told = admin.get(target).await.json();
        let requests = told["requests"].as_array().unwrap();
        assert_eq!((requests.len(), &requests[0]["id"]), (count, &json!(first)), "{target}");
        let all_refused = requests.iter().all(|request| request["code"] == "missing_authentication_token");
        assert_eq!(all_refused, target.contains("refused=true") || count == 1, "{target}");
    }
}

#[tokio::test]
async fn what_is_not_remembered_or_no_id_is_a_problem() {
    let admin = Admin::new();
    let long = format!("/v1/requests/{}", "x".repeat(129));
    let cases = [
        ("/v1/requests/unknown", 404, "not_found"),
        ("/v1/requests/a%20b", 400, "malformed_request"),
        ("/v1/requests/%ff", 400, "malformed_request"),
        ("/v1/requests/a%2Fb", 400, "malformed_request"),
        (long.as_str(), 400, "malformed_request"),
        ("/v1/requests?limit=0", 400, "malformed_request"),
        ("/v1/requests?limit=501", 400, "malformed_request"),
        ("/v1/requests?limit=-1", 400, "malformed_request"),
        ("/v1/requests?refused=yes", 400, "malformed_request"),
        ("/v1/requests?refused", 400, "malformed_request"),
        ("/v1/requests?since=yesterday", 400, "malformed_request"),
    ];
    for (target, status, code) in cases {
        let answer = admin.get(target).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{target}");
    }
}

/// Sends a request down the road and remembers what came of it.
async fn decide(admin: &Admin, id: &str, target: &str, key: Option<&str>) {
    let loaded = Config::parse(CONFIGURATION, &Source::text("")).unwrap();
    let pipeline = Pipeline::new(&loaded.config, Arc::default(), None).unwrap();
    let mut request = Request::get(target).header("host", "shop.test");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    let peer: SocketAddr = "198.51.100.7:40000".parse().unwrap();
    let client = ClientFacts {
        address: peer.ip(),
        peer,
        local: peer,
        secure: false,
        is_disputed: false,
        certificate: None,
    };
    let trace = http::HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let (id, trace): (RequestId, _) = (id.parse().unwrap(), TraceContext::try_from(&trace).unwrap());
    let mut exchange = Exchange::new(id, trace, client, head);
    let (status, code) = match pipeline.decide(&mut exchange, &mut NoBody).await {
        Verdict::Pass => (StatusCode::OK, None),
        Verdict::Deny(refusal) => (refusal.code.status(), Some(refusal.code)),
        Verdict::Answer(_) => panic!("no preflight was sent"),
    };
    admin.records.push(Arc::new(Record::of(exchange, status, code)));
}
