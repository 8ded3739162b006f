//! Receivers over HTTP that take, refuse, ask for patience and go away.

use std::time::Instant;

use bartizan_events::{Kind, Tap};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    PATIENCE, events, ids, plan,
    recording::{Asked, GOES_AWAY, Recording, Told, told},
    start,
};

fn lines(asked: &Asked) -> Vec<Value> {
    asked
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// The ids of the events of Splunk's format.
fn hec(asked: &Asked) -> Vec<String> {
    lines(asked).iter().map(|line| line["event"]["metadata"]["uid"].as_str().unwrap().into()).collect()
}

/// The ids of the documents of a bulk.
fn created(asked: &Asked) -> Vec<String> {
    lines(asked).iter().filter_map(|line| Some(line.get("create")?["_id"].as_str()?.to_owned())).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not come true");
        sleep(std::time::Duration::from_millis(10)).await;
    }
}

const TAKEN: &str = r#"{"text":"Success","code":0}"#;

#[tokio::test]
async fn splunk_has_what_it_refused_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let busy = Told { retry_after: Some(1), ..told(429, "busy") };
    let mut splunk = Recording::start([
        told(GOES_AWAY, ""),
        told(503, r#"{"text":"Server is busy","code":9}"#),
        told(403, "your token the-secret-token is none"),
        busy,
        told(200, TAKEN),
    ])
    .await;
    let exports = start(
        folder.path(),
        &format!(
            "{{ s: {{ splunk: {{ url: \"http://{}\", token: the-secret-token, index: security }} }} }}",
            splunk.address
        ),
    );
    let sent = events(Kind::AttackDetected, 3);
    exports.take(&sent);
    let began = Instant::now();
    for _ in 0..5 {
        let asked = splunk.next().await;
        assert_eq!(asked.path, "/services/collector/event");
        assert_eq!(asked.headers["authorization"], "Splunk the-secret-token");
        assert_eq!(hec(&asked), ids(&sent));
        let entry = &lines(&asked)[0];
        assert_eq!((&entry["index"], &entry["sourcetype"]), (&json!("security"), &json!("_json")));
    }
    assert!(began.elapsed().as_secs() >= 1, "it was left alone for as long as it asked");
    until("it is acknowledged", || exports.status()[0].sent == 3).await;
    let status = exports.status().remove(0);
    assert!(!status.is_failing && status.last_success.is_some());
    let (_, error) = status.last_error.unwrap();
    assert!(error.contains("429"), "{error}");
    exports.take(&events(Kind::AttackDetected, 1));
    assert_eq!(hec(&splunk.next().await).len(), 1, "what was delivered is not sent again");
    exports.finish().await;
}

#[tokio::test]
async fn splunk_is_asked_what_is_indexed() {
    let folder = tempfile::tempdir().unwrap();
    let mut splunk = Recording::start([
        told(200, r#"{"text":"Success","code":0,"ackId":7}"#),
        told(200, r#"{"acks":{"7":false}}"#),
        told(200, r#"{"acks":{"7":true}}"#),
    ])
    .await;
    let exports = start(
        folder.path(),
        &format!(
            "{{ s: {{ splunk: {{ url: \"http://{}\", token: abc, acknowledge: true }} }} }}",
            splunk.address
        ),
    );
    exports.take(&events(Kind::AttackDetected, 1));
    let channel = splunk.next().await.headers["x-splunk-request-channel"].to_str().unwrap().to_owned();
    for _ in 0..2 {
        let asked = splunk.next().await;
        assert_eq!(asked.path, format!("/services/collector/ack?channel={channel}"));
        assert_eq!(lines(&asked), [json!({ "acks": [7] })]);
    }
    until("it is acknowledged", || exports.status()[0].sent == 1).await;
    exports.finish().await;
}

/// One event is refused for good, wherever it stands in its batch.
#[tokio::test]
async fn an_event_that_is_refused_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let invalid = || told(400, r#"{"text":"Invalid data format","code":6}"#);
    // Of four the first half is refused, of that the first one, the rest is taken.
    let mut splunk =
        Recording::start([invalid(), invalid(), invalid(), told(200, TAKEN), told(200, TAKEN)]).await;
    let exports = start(
        folder.path(),
        &format!("{{ s: {{ splunk: {{ url: \"http://{}\", token: abc }} }} }}", splunk.address),
    );
    let sent = events(Kind::AttackDetected, 4);
    exports.take(&sent);
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.push(hec(&splunk.next().await));
    }
    let ids = ids(&sent);
    assert_eq!(asked, [&ids[..], &ids[..2], &ids[..1], &ids[1..2], &ids[2..]]);
    until("all are dealt with", || exports.status()[0].sent == 3 && exports.status()[0].refused == 1).await;
    exports.finish().await;
}

#[tokio::test]
async fn every_document_of_a_bulk_is_dealt_with_by_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    let item = |status: u16| json!({ "create": { "status": status, "error": { "type": "some_exception", "reason": "no" } } });
    let mixed = json!({ "errors": true, "items": [item(201), item(429), item(400), item(409), item(503)] });
    let taken = json!({ "errors": false });
    let mut elastic = Recording::start([told(200, mixed.to_string()), told(200, taken.to_string())]).await;
    let exports = start(
        folder.path(),
        &format!("{{ e: {{ elastic: {{ url: \"http://{}\", api_key: a2V5 }} }} }}", elastic.address),
    );
    let sent = events(Kind::AttackDetected, 5);
    exports.take(&sent);
    let ids = ids(&sent);
    let first = elastic.next().await;
    assert!(first.path.starts_with("/logs-bartizan-default/_bulk?"), "{}", first.path);
    assert_eq!(first.headers["authorization"], "ApiKey a2V5");
    assert_eq!(first.headers["content-type"], "application/x-ndjson");
    assert_eq!(created(&first), ids);
    assert_eq!(created(&elastic.next().await), [ids[1].clone(), ids[4].clone()], "busy ones again");
    until("all are dealt with", || exports.status()[0].sent == 4 && exports.status()[0].refused == 1).await;
    exports.finish().await;
}

#[tokio::test]
async fn a_collector_that_takes_a_part_is_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    // `partial_success { rejected_log_records: 1, error_message: "no" }`
    let mut collector = Recording::start([told(200, [10, 6, 8, 1, 18, 2, b'n', b'o'])]).await;
    let exports = start(
        folder.path(),
        &format!(
            "{{ o: {{ otlp: {{ url: \"http://{}\", headers: {{ x-tenant: shop }} }} }} }}",
            collector.address
        ),
    );
    exports.take(&events(Kind::AttackDetected, 3));
    let asked = collector.next().await;
    assert_eq!((asked.path.as_str(), &asked.headers["x-tenant"]), ("/v1/logs", &"shop".parse().unwrap()));
    assert_eq!(asked.headers["content-type"], "application/x-protobuf");
    until("all are dealt with", || exports.status()[0].sent == 2 && exports.status()[0].refused == 1).await;
    exports.finish().await;
}

#[tokio::test]
async fn what_waits_is_delivered_by_the_next_start_and_filters_hold() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = |address| {
        format!(
            "{{ s: {{ splunk: {{ url: \"http://{address}\", token: abc }}, only: {{ severity: medium }}, personal: mask }} }}"
        )
    };
    let exports = start(folder.path(), &to(nobody));
    let mut sent = events(Kind::AttackDetected, 2);
    sent[0].address = Some([192, 0, 2, 7].into());
    exports.take(&sent);
    exports.take(&events(Kind::RequestRefused, 2));
    until("it fails", || exports.status()[0].is_failing).await;
    assert!(exports.status()[0].waiting > 0);
    exports.finish().await;

    let mut splunk = Recording::start([told(200, TAKEN)]).await;
    let exports = start(folder.path(), &to(splunk.address));
    let asked = splunk.next().await;
    assert_eq!(hec(&asked), ids(&sent), "and nothing of low severity");
    assert!(!String::from_utf8_lossy(&asked.body).contains("192.0.2.7"));
    until("nothing waits", || exports.status()[0].waiting == 0 || exports.status()[0].sent == 2).await;
    exports.finish().await;
}

#[tokio::test]
async fn a_reload_adds_changes_and_removes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut old, mut new) =
        (Recording::start([told(200, TAKEN)]).await, Recording::start([told(200, TAKEN)]).await);
    let to = |name: &str, address| {
        format!("{{ {name}: {{ splunk: {{ url: \"http://{address}\", token: abc }} }} }}")
    };
    let exports = start(folder.path(), &to("s", old.address));
    exports.take(&events(Kind::AttackDetected, 1));
    old.next().await;
    until("it is noted", || exports.status()[0].sent == 1).await;
    exports.follow(plan(folder.path(), &to("s", old.address)));
    assert_eq!(exports.status()[0].sent, 1, "what has not changed goes on");
    exports.follow(plan(folder.path(), &to("s", new.address)));
    let sent = events(Kind::AttackDetected, 1);
    exports.take(&sent);
    assert!(hec(&new.next().await).contains(&ids(&sent)[0]));
    exports.follow(plan(folder.path(), "{}"));
    assert_eq!(exports.status(), []);
    exports.take(&events(Kind::AttackDetected, 1));
    exports.finish().await;
    assert!(exports.test("s").await.is_none());
}

#[tokio::test]
async fn a_test_says_what_the_receiver_answers_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut splunk =
        Recording::start([told(403, "Splunk the-secret-token\r\nis no token"), told(200, TAKEN)]).await;
    let exports = start(
        folder.path(),
        &format!("{{ s: {{ splunk: {{ url: \"http://{}\", token: the-secret-token }} }} }}", splunk.address),
    );
    let tested = exports.test("s").await.unwrap();
    assert_eq!(
        (tested.is_delivered, tested.answer.as_str()),
        (false, "403 Forbidden Splunk ***  is no token")
    );
    let event = &lines(&splunk.next().await)[0]["event"];
    assert_eq!(
        (&event["bartizan"]["tags"], &event["api"]["operation"]),
        (&json!(["test"]), &json!("export.test"))
    );
    assert!(exports.test("s").await.unwrap().is_delivered);
    assert_eq!((exports.status()[0].sent, splunk.answers_left()), (0, 1));
    exports.finish().await;
}
