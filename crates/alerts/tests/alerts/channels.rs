//! What each channel sends, exactly.

use std::{os::unix::fs::PermissionsExt, path::Path};

use bartizan_alerts::{Alerts, By};
use serde_json::{Value, json};

use crate::{SECRET, at, finding, only, open, recorder::Recorder, sqlite, turn};

async fn raised(alerts: &Alerts) -> String {
    alerts.observe(&finding("192.0.2.7", 0));
    turn(alerts, 0).await;
    turn(alerts, 1).await;
    only(alerts).await.id
}

fn by(note: &str) -> By {
    By { who: "operator/ann".into(), note: Some(note.into()) }
}

const ROUTE: &str = "  routes: [{ to: it, wait: 0s, group_by: [rule, address] }]\n  link: \"https://console.test/requests/{request}\"\n";

async fn with_channel(folder: &Path, channel: &str) -> Alerts {
    open(&sqlite(folder), &format!("  channels:\n    it: {channel}\n{ROUTE}")).await
}

#[tokio::test]
async fn pagerduty_gets_one_incident_that_is_acknowledged_and_resolved() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let channel = format!("{{ pagerduty: {{ url: \"{}\", secret: integration-key }} }}", server.url);
    let alerts = with_channel(folder.path(), &channel).await;
    let id = raised(&alerts).await;
    let sent = server.one();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v2/enqueue"));
    assert_eq!(sent.header("content-type"), "application/json");
    let mut event = sent.json();
    let details = event["payload"]["custom_details"].take();
    assert_eq!(
        event,
        json!({
            "routing_key": "integration-key",
            "event_action": "trigger",
            "dedup_key": id,
            "payload": {
                "summary": "HIGH: Passwords are <tried> from 192.0.2.7",
                "source": "192.0.2.7",
                "severity": "error",
                "timestamp": "2026-11-22T00:00:00Z",
                "component": "bartizan",
                "group": "route-1",
                "class": "detection_matched",
                "custom_details": null,
            },
            "links": [{ "href": "https://console.test/requests/request%2D7", "text": "The request" }],
        })
    );
    for (label, value) in [
        ("Rule", "spraying"),
        ("Rule's author", "Ann Example"),
        ("Done already", "only noted 1"),
        ("Trace", "bartizan explain request-7"),
        ("Since", "2026-11-21T23:59:00Z"),
    ] {
        assert_eq!(details[label], value, "{details}");
    }
    alerts.acknowledge(&id, by("looking"), at(60)).await.unwrap();
    turn(&alerts, 60).await;
    let acknowledged =
        json!({ "routing_key": "integration-key", "event_action": "acknowledge", "dedup_key": id });
    assert_eq!(server.one().json(), acknowledged);
    alerts.resolve(&id, by("over"), at(90)).await.unwrap();
    turn(&alerts, 90).await;
    assert_eq!(server.one().json()["event_action"], "resolve");
}

#[tokio::test]
async fn opsgenie_gets_one_alert_that_is_acknowledged_and_closed() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let file = folder.path().join("key");
    std::fs::write(&file, "genie-key\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = file.display();
    let channel = format!("{{ opsgenie: {{ url: \"{}/\", secret_file: \"{file}\" }} }}", server.url);
    let alerts = with_channel(folder.path(), &channel).await;
    let id = raised(&alerts).await;
    let sent = server.one();
    assert_eq!((sent.method.as_str(), sent.target.as_str()), ("POST", "/v2/alerts"));
    assert_eq!(sent.header("authorization"), "GenieKey genie-key");
    let mut alert = sent.json();
    let description = alert["description"].take();
    assert!(description.as_str().unwrap().contains("Done already: only noted 1"), "{description}");
    assert_eq!(alert["details"].take()["From"], "192.0.2.7");
    assert_eq!(
        alert,
        json!({
            "message": "HIGH: Passwords are <tried> from 192.0.2.7",
            "alias": id,
            "description": null,
            "source": "bartizan",
            "entity": "192.0.2.7",
            "priority": "P2",
            "tags": ["detection_matched", "high"],
            "details": null,
        })
    );
    alerts.acknowledge(&id, by("looking"), at(60)).await.unwrap();
    turn(&alerts, 60).await;
    let sent = server.one();
    assert_eq!(sent.target, format!("/v2/alerts/{id}/acknowledge?identifierType=alias"));
    assert_eq!(sent.json(), json!({ "source": "bartizan", "user": "operator/ann", "note": "looking" }));
    alerts.resolve(&id, by("over"), at(90)).await.unwrap();
    turn(&alerts, 90).await;
    assert_eq!(server.one().target, format!("/v2/alerts/{id}/close?identifierType=alias"));
}

#[tokio::test]
async fn slack_shows_what_strangers_wrote_as_it_is() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let channel = format!("{{ slack: {{ secret: \"{}/services/T0/B0/x\" }} }}", server.url);
    let alerts = with_channel(folder.path(), &channel).await;
    raised(&alerts).await;
    let sent = server.one();
    assert_eq!(sent.target, "/services/T0/B0/x");
    let message = sent.json();
    assert_eq!(message["text"], "HIGH: Passwords are &lt;tried&gt; from 192.0.2.7");
    assert_eq!(message["blocks"][0]["type"], "header");
    let blocks = message["blocks"].as_array().unwrap();
    let fields = blocks[1..].iter().flat_map(|block| block["fields"].as_array().unwrap());
    let mut texts = Vec::new();
    for field in fields {
        assert_eq!((&field["type"], &field["emoji"]), (&json!("plain_text"), &json!(false)));
        texts.push(field["text"].as_str().unwrap().to_owned());
    }
    assert!(blocks.iter().all(|block| block["fields"].as_array().is_none_or(|fields| fields.len() <= 10)));
    assert!(texts.iter().any(|text| text.starts_with("What: Passwords are tried <b>&")), "{texts:?}");
}

#[tokio::test]
async fn webhooks_are_signed_and_say_what_comes_twice() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let channel = format!("{{ webhook: {{ url: \"{}/alerts\", secret: \"{SECRET}\" }} }}", server.url);
    let alerts = with_channel(folder.path(), &channel).await;
    server.answer_next(503, None);
    let id = raised(&alerts).await;
    turn(&alerts, 30).await;
    let sent = server.take();
    let [first, second] = sent.as_slice() else { panic!("{sent:#?}") };
    assert_eq!(first.header("idempotency-key"), second.header("idempotency-key"));
    assert!(!first.header("idempotency-key").is_empty());
    assert_ne!(first.header("signature"), second.header("signature"), "the time is signed");
    for part in [
        "\"@method\"",
        "\"@target-uri\"",
        "\"content-type\"",
        "\"idempotency-key\"",
        "\"content-digest\"",
        "created=",
        "hmac-sha256",
    ] {
        assert!(first.header("signature-input").contains(part), "{}", first.header("signature-input"));
    }
    let body = first.json();
    assert_eq!((&body["reason"], &body["alert"]["id"]), (&json!("raised"), &Value::from(id)));
    assert_eq!(body["alert"]["group"], json!({ "rule": "spraying", "address": "192.0.2.7" }));
    assert_eq!(body["alert"]["link"], "https://console.test/requests/request%2D7");
    assert_eq!(body["alert"]["explain"], "bartizan explain request-7");
    assert_eq!(body["alert"]["author"], "Ann Example");
}

#[tokio::test]
async fn templates_are_filled_as_their_content_asks() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let url = &server.url;
    let channel = format!(
        "{{ template: {{ url: \"{url}/send?text={{summary}}\", method: PUT, secret: hunter22, headers: {{ authorization: \
         \"Bearer {{secret}}\", x-title: \"{{title}}\" }}, body: '{{\"text\": \"{{message}}\", \"n\": {{count}}}}' }} }}"
    );
    let alerts = with_channel(folder.path(), &channel).await;
    let id = raised(&alerts).await;
    let sent = server.one();
    assert_eq!(sent.method, "PUT");
    assert_eq!(sent.target, "/send?text=HIGH%3A%20Passwords%20are%20%3Ctried%3E%20from%20192%2E0%2E2%2E7");
    assert_eq!(sent.header("authorization"), "Bearer hunter22");
    assert_eq!(sent.header("x-title"), "Passwords are <tried>");
    let text = "Passwords are tried <b>&\"x\" (user.uid ada, 20 times)";
    assert_eq!(sent.json(), json!({ "text": text, "n": 1 }));
    alerts.resolve(&id, by("over"), at(90)).await.unwrap();
    turn(&alerts, 90).await;
    assert!(server.take().is_empty(), "a call to somebody is not made because it is over");
}

#[tokio::test]
async fn mail_has_one_subject_and_no_header_more() {
    let folder = tempfile::tempdir().unwrap();
    let inbox = folder.path().join("mail");
    let settings = format!(
        "  mail: {{ from: \"Gateway <alerts@shop.test>\", file: \"{}\" }}\n  channels: {{ it: {{ mail: [ann@shop.test, bob@shop.test] }} }}\n{ROUTE}",
        inbox.display()
    );
    let alerts = open(&sqlite(folder.path()), &settings).await;
    let mut event = finding("192.0.2.7", 0);
    event.details.finding.as_mut().unwrap().title = "Tried\r\nBcc: eve@shop.test\r\n\r\n<script>".into();
    alerts.observe(&event);
    turn(&alerts, 0).await;
    let files = std::fs::read_dir(&inbox).unwrap().map(|file| file.unwrap().path());
    let letters: Vec<_> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(letters.len(), 2);
    for letter in letters {
        let head = letter.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        assert!(
            head.contains("From: Gateway <alerts@shop.test>") || head.contains("alerts@shop.test"),
            "{head}"
        );
        assert_eq!(head.lines().filter(|line| line.starts_with("Subject:")).count(), 1, "{head}");
    }
}

#[tokio::test]
async fn a_channel_is_tried_at_once_and_says_why_it_did_not_go() {
    let (server, folder) = (Recorder::start().await, tempfile::tempdir().unwrap());
    let channel = format!("{{ slack: {{ secret: \"{}/services/T0/B0/hunter22\" }} }}", server.url);
    let alerts = with_channel(folder.path(), &channel).await;
    alerts.test("it", "operator", at(0)).await.unwrap();
    assert!(server.one().body.contains("A test of this channel"));
    server.answer_next(404, None);
    let error = alerts.test("it", "operator", at(0)).await.unwrap_err().to_string();
    assert_eq!(error, "the notification did not go: the service answers 404 Not Found");
    assert!(alerts.test("nobody", "operator", at(0)).await.is_err());

    // A secret is in no error, whatever fails.
    let closed = "http://127.0.0.1:1/services/T0/B0/hunter22";
    let folder = tempfile::tempdir().unwrap();
    let alerts = with_channel(folder.path(), &format!("{{ slack: {{ secret: \"{closed}\" }} }}")).await;
    let error = alerts.test("it", "operator", at(0)).await.unwrap_err();
    assert!(!format!("{error:?} {error} {alerts:?}").contains("hunter22"), "{error:?}");
}
