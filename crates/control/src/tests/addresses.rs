//! Blocking and allowing addresses.

use axum::body::Body;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::fixture::Admin;
use crate::{AddressEntry, Standing, extract::MAX_BODY};

#[tokio::test]
async fn an_address_is_blocked_listed_and_freed() {
    let admin = Admin::new();
    let body = json!({ "address": "203.0.113.9/24", "standing": "blocked", "for_seconds": 3600, "reason": "scanning" });
    let before = std::time::SystemTime::now();
    let set = admin.post("/v1/addresses", Some(&body.to_string())).await;
    assert_eq!(set.status, StatusCode::OK, "{set:?}");
    let entry: AddressEntry = serde_json::from_value(set.json()).unwrap();
    assert_eq!(
        (entry.prefix.as_str(), entry.standing, entry.reason.as_str()),
        ("203.0.113.0/24", Standing::Blocked, "scanning")
    );
    let until: std::time::SystemTime = entry.until.unwrap().into();
    let lasts = until.duration_since(before).unwrap().as_secs_f64();
    assert!((3599.9..3660.0).contains(&lasts), "{lasts}");

    let listed = admin.get("/v1/addresses").await.json();
    assert_eq!(listed, json!({ "addresses": [set.json()], "total": 1 }));

    let removed = admin.delete("/v1/addresses?address=203.0.113.0%2F24").await;
    assert_eq!(removed.json(), set.json());
    assert_eq!(admin.delete("/v1/addresses?address=203.0.113.0/24").await.code(), "not_found");
    assert_eq!(admin.get("/v1/addresses").await.json(), json!({ "addresses": [], "total": 0 }));
}

#[tokio::test]
async fn an_entry_replaces_the_one_of_the_same_prefix() {
    let admin = Admin::new();
    for (standing, address) in [("blocked", "192.0.2.7"), ("allowed", "::ffff:c000:207")] {
        let body = json!({ "address": address, "standing": standing }).to_string();
        assert_eq!(admin.post("/v1/addresses", Some(&body)).await.status, StatusCode::OK);
    }
    let expected = json!({ "prefix": "192.0.2.7/32", "standing": "allowed", "until": null, "reason": "" });
    assert_eq!(admin.get("/v1/addresses").await.json(), json!({ "addresses": [expected], "total": 1 }));
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let admin = Admin::new();
    for last in 1..=5 {
        let body = json!({ "address": format!("192.0.2.{last}"), "standing": "blocked" }).to_string();
        admin.post("/v1/addresses", Some(&body)).await;
    }
    let mut seen = Vec::new();
    let mut target = "/v1/addresses?limit=2".to_owned();
    for expected in [2, 2, 1, 0] {
        let page = admin.get(&target).await.json();
        assert_eq!(page["total"], 5);
        let prefixes: Vec<_> =
            page["addresses"].as_array().unwrap().iter().map(|entry| entry["prefix"].clone()).collect();
        assert_eq!(prefixes.len(), expected);
        if let Some(Value::String(last)) = prefixes.last() {
            target = format!("/v1/addresses?limit=2&after={last}");
        }
        seen.extend(prefixes);
    }
    assert_eq!(seen, (1..=5).map(|last| json!(format!("192.0.2.{last}/32"))).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let long =
        json!({ "address": "192.0.2.7", "standing": "blocked", "reason": "x".repeat(257) }).to_string();
    let cases = [
        ("", "malformed_request"),
        ("{", "malformed_request"),
        (r#"{"address":"192.0.2.7","standing":"blocked"} x"#, "malformed_request"),
        ("[]", "invalid_value"),
        ("null", "invalid_value"),
        ("{}", "invalid_value"),
        (r#"{"address":"192.0.2.7"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"banned"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","because":"x"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","standing":"allowed"}"#, "invalid_value"),
        (r#"{"address":"example.test","standing":"blocked"}"#, "invalid_value"),
        (r#"{"address":"0.0.0.0/0","standing":"blocked"}"#, "invalid_value"),
        (r#"{"address":"::ffff:0:0/96","standing":"blocked"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","for_seconds":0}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","for_seconds":-1}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","for_seconds":1e300}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","for_seconds":"1h"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","reason":"a\nb"}"#, "invalid_value"),
        (r#"{"address":"192.0.2.7","standing":"blocked","reason":null}"#, "invalid_value"),
        (&long, "invalid_value"),
    ];
    let admin = Admin::new();
    for (body, code) in cases {
        let answer = admin.post("/v1/addresses", Some(body)).await;
        assert_eq!(answer.code(), code, "{body}");
        let status = if code == "invalid_value" { 422 } else { 400 };
        assert_eq!(answer.status, status, "{body}");
    }
    assert_eq!(admin.get("/v1/addresses").await.json()["total"], 0);
}

#[tokio::test]
async fn parameters_that_are_none_are_refused() {
    let admin = Admin::new();
    let cases = [
        (Method::GET, "/v1/addresses?limit=0"),
        (Method::GET, "/v1/addresses?limit=1001"),
        (Method::GET, "/v1/addresses?limit=ten"),
        (Method::GET, "/v1/addresses?limit=1&limit=2"),
        (Method::GET, "/v1/addresses?after=nowhere"),
        (Method::GET, "/v1/addresses?page=2"),
        (Method::DELETE, "/v1/addresses"),
        (Method::DELETE, "/v1/addresses?address="),
        (Method::DELETE, "/v1/addresses?address=example.test"),
    ];
    for (method, target) in cases {
        let answer = admin.send(admin.request(method, target, None)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "malformed_request".into()),
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_body_is_json_and_not_large() {
    let admin = Admin::new();
    let body = json!({ "address": "192.0.2.7", "standing": "blocked" }).to_string();
    let types = [
        (Some("application/json"), true),
        (Some("application/json; charset=utf-8"), true),
        (Some("text/plain"), false),
        (Some("application/x-www-form-urlencoded"), false),
        (Some("json"), false),
        (None, false),
    ];
    for (content_type, taken) in types {
        let mut request = admin.request(Method::POST, "/v1/addresses", Some(&body));
        request.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        let answer = admin.send(request).await;
        assert_eq!(answer.status, if taken { 200 } else { 415 }, "{content_type:?}");
        assert!(taken || answer.code() == "unsupported_media_type");
    }
    for (length, status) in [(MAX_BODY, 200), (MAX_BODY + 1, 413)] {
        let padded = format!("{body}{}", " ".repeat(length - body.len()));
        let answer = admin.post("/v1/addresses", Some(&padded)).await;
        assert_eq!(answer.status, status, "{length}");
        assert!(status == 200 || answer.code() == "body_too_large");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let admin = Admin::new();
    let mut request = admin.request(Method::POST, "/v1/addresses", Some(""));
    *request.body_mut() = Body::new(Never);
    let answer = admin.send(request).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::REQUEST_TIMEOUT, "body_too_slow".into()));
}

/// A body that never comes.
struct Never;

impl hyper::body::Body for Never {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
