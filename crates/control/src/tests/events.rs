//! Events over the admin API.

use std::time::{Duration, SystemTime};

use bartizan_events::{Decision, Event, EventLog, Kind, QueueBounds, Settings};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use super::fixture::Admin;

struct Kept {
    admin: Admin,
    log: EventLog,
    folder: tempfile::TempDir,
}

/// An admin API with a log of its own.
fn kept() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: Duration::from_hours(24),
        queue: QueueBounds::default(),
        spill: 1 << 20,
    };
    let log = EventLog::open(settings).unwrap();
    let admin = Admin::new();
    let control = admin.control.clone().with_events(log.clone());
    Kept { admin: Admin { control, ..admin }, log, folder }
}

impl Kept {
    fn record(&self, kind: Kind, address: [u8; 4]) -> Event {
        let mut event = Event::new(kind, SystemTime::now(), Decision::Refused, "a test");
        event.address = Some(address.into());
        self.log.record(event.clone());
        self.log.flush();
        event
    }

    async fn found(&self, query: &str) -> Value {
        self.admin.get(&format!("/v1/events{query}")).await.json()
    }
}

fn ids(found: &Value) -> Vec<&str> {
    found["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["metadata"]["uid"].as_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_page_by_page_and_masked() {
    let kept = kept();
    let refused = kept.record(Kind::RequestRefused, [192, 0, 2, 1]).id.to_string();
    let role = kept.record(Kind::RoleChanged, [198, 51, 100, 1]).id.to_string();
    let token = kept.record(Kind::TokenReused, [192, 0, 2, 2]).id.to_string();
    assert_eq!(ids(&kept.found("").await), [&*token, &*role, &*refused]);
    let first = kept.found("?limit=2").await;
    assert_eq!((ids(&first), first["next"].as_str()), (vec![&*token, &*role], Some(&*role)));
    let second = kept.found(&format!("?limit=2&after={role}")).await;
    assert_eq!((ids(&second), &second["next"]), (vec![&*refused], &Value::Null));
    assert_eq!(ids(&kept.found("?oldest_first=true&limit=1").await), [&*refused]);
    assert_eq!(ids(&kept.found("?severity=medium").await), [&*token, &*role]);
    assert_eq!(
        ids(&kept.found("?type=request_refused,token_reused&address=192.0.2.0/24").await),
        [&*token, &*refused]
    );
    assert_eq!(ids(&kept.found("?class=3001").await), [&*role]);
    let masked = kept.found("?masked=true&limit=1").await;
    assert_eq!(masked["events"][0]["src_endpoint"]["ip"], "***");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_counted_and_ranked() {
    let kept = kept();
    for last in [1, 2, 1] {
        kept.record(Kind::RequestRefused, [192, 0, 2, last]);
    }
    kept.log.count(Kind::RequestAllowed);
    kept.log.flush();
    let counts = kept.admin.get("/v1/events/counts?minutes=1440").await.json();
    let total = |kind: &str| -> u64 {
        let counts = counts["counts"].as_array().unwrap().iter().filter(|count| count["type"] == kind);
        counts.map(|count| count["count"].as_u64().unwrap()).sum()
    };
    assert_eq!((total("request_refused"), total("request_allowed")), (3, 1));
    let top = kept.admin.get("/v1/events/top?by=address&limit=1").await.json();
    assert_eq!(top["values"], serde_json::json!([{ "value": "192.0.2.1", "count": 2 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_question_is_refused() {
    let kept = kept();
    for query in [
        "?type=nonsense",
        "?class=9",
        "?severity=bad",
        "?address=x",
        "?limit=0",
        "?limit=1001",
        "?after=7d444840-9dc0-11d1-b245-5ffdce74fad2",
        "?text=",
        "?sql=1",
        "/counts?minutes=0",
        "/top",
        "/top?by=password",
        "/stream?severity=bad",
    ] {
        let answer = kept.admin.get(&format!("/v1/events{query}")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "malformed_request".into()),
            "{query}"
        );
    }
    let answer = Admin::new().get("/v1/events").await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "events_not_kept".into()));
    let mut request = kept.admin.request(Method::GET, "/v1/events/stream", None);
    request.headers_mut().remove(http::header::AUTHORIZATION);
    assert_eq!(kept.admin.send(request).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_left() {
    let kept = kept();
    let seen = kept.record(Kind::RequestRefused, [192, 0, 2, 1]);
    let missed = kept.record(Kind::RoleChanged, [192, 0, 2, 1]);
    kept.record(Kind::RequestRefused, [192, 0, 2, 1]);
    let mut request = kept.admin.request(Method::GET, "/v1/events/stream?severity=medium", None);
    request.headers_mut().insert("last-event-id", seen.id.to_string().parse().unwrap());
    let response = kept.admin.control.router().oneshot(request).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    kept.record(Kind::RequestRefused, [192, 0, 2, 1]);
    let live = kept.record(Kind::TokenReused, [192, 0, 2, 1]);
    // Whoever follows comes to an end when the gateway stops.
    kept.log.dismiss_followers();
    let chunks: Vec<_> = response.into_body().into_data_stream().collect().await;
    let text: String =
        chunks.into_iter().map(|chunk| String::from_utf8(chunk.unwrap().into()).unwrap()).collect();
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids, [missed.id.to_string(), live.id.to_string()]);
}

/// The ids of a stream up to its end, and how many messages have an event.
async fn followed(response: http::Response<axum::body::Body>) -> (Vec<String>, usize) {
    let chunks: Vec<_> = response.into_body().into_data_stream().collect().await;
    let text: String =
        chunks.into_iter().map(|chunk| String::from_utf8(chunk.unwrap().into()).unwrap()).collect();
    let ids = text.lines().filter_map(|line| line.strip_prefix("id: ").map(str::to_owned)).collect();
    (ids, text.lines().filter(|line| line.starts_with("data: ")).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_where_it_begins_although_nothing_passes() {
    let kept = kept();
    let before = kept.record(Kind::RoleChanged, [192, 0, 2, 1]);
    let request = kept.admin.request(Method::GET, "/v1/events/stream?severity=high", None);
    let response = kept.admin.control.router().oneshot(request).await.unwrap();
    let missed = kept.record(Kind::RoleChanged, [192, 0, 2, 1]);
    kept.log.dismiss_followers();
    let (ids, events) = followed(response).await;
    let [begin] = ids.as_slice() else { panic!("{ids:?}") };
    assert_eq!(events, 0);
    assert!(
        before.id.to_string() < *begin && *begin <= missed.id.to_string(),
        "{before:?} {begin} {missed:?}"
    );
}

/// More than the channel to a follower holds, before it has looked once.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_too_slow_misses_nothing_and_shows_nothing_twice() {
    let kept = kept();
    let request = kept.admin.request(Method::GET, "/v1/events/stream?severity=medium", None);
    let response = kept.admin.control.router().oneshot(request).await.unwrap();
    let mut expected = Vec::new();
    for number in 0..3000 {
        let kind = if number % 10 == 0 { Kind::RoleChanged } else { Kind::RequestRefused };
        let event = Event::new(kind, SystemTime::now(), Decision::Refused, "a test");
        if kind == Kind::RoleChanged {
            expected.push(event.id.to_string());
        }
        kept.log.record(event);
    }
    kept.log.flush();
    kept.log.dismiss_followers();
    let (ids, events) = followed(response).await;
    assert_eq!((&ids[1..], events), (expected.as_slice(), expected.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_names_the_days_that_cannot_be_read() {
    let kept = kept();
    assert_eq!(kept.found("").await.get("unreadable"), None);
    let folder = kept.folder.path().join("events");
    std::fs::write(folder.join("2020-02-29.sqlite"), "no database at all, and long enough").unwrap();
    let event = kept.record(Kind::RoleChanged, [192, 0, 2, 1]);
    let found = kept.found("").await;
    assert_eq!(ids(&found), [event.id.to_string()]);
    let unreadable = serde_json::json!({ "days": ["2020-02-29"], "events": 0 });
    assert_eq!(found["unreadable"], unreadable);
    for query in ["/counts?since=2020-01-01T00:00:00Z", "/top?by=type&since=2020-01-01T00:00:00Z"] {
        assert_eq!(kept.found(query).await["unreadable"], unreadable, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_does_without_accounts_is_an_event() {
    let kept = kept();
    let entry = r#"{"address":"203.0.113.7","standing":"blocked","reason":"scanning"}"#;
    let answer = kept.admin.post("/v1/addresses", Some(entry)).await;
    assert!(answer.status.is_success(), "{answer:?}");
    kept.log.flush();
    let found = kept.found("").await;
    let event = &found["events"][0];
    assert_eq!(event["bartizan"]["event"], "administrative_action");
    assert_eq!(
        (&event["api"]["operation"], &event["actor"]["user"]["uid"]),
        (&"addresses.set".into(), &"operator".into())
    );
    assert_eq!(event["metadata"]["correlation_uid"], answer.header("x-request-id"));
}
