//! Alerts over the admin API: listed, decided about, silenced; and who did it is told.

use std::time::{Duration, SystemTime};

use bartizan_alerts::Alerts;
use bartizan_config::{Config, Source, StoreLocation};
use bartizan_events::{Decision, Event, EventLog, Filter, Kind, Order, Settings, Severity};
use http::Method;
use serde_json::json;
use tempfile::TempDir;

use super::fixture::Admin;

async fn with_alerts(folder: &TempDir) -> (Admin, EventLog) {
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nroutes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n\
         alerts: {{ channels: {{ closed: {{ webhook: {{ url: \"http://127.0.0.1:1/\", secret: \"{}\" }} }} }} }}",
        "s".repeat(32)
    );
    let config = Config::parse(&text, &Source::text(".")).unwrap().config;
    let location = StoreLocation::Sqlite(folder.path().join("bartizan.db"));
    let alerts = Alerts::open(&location, config.alerts.as_ref().unwrap(), None).await.unwrap();
    for address in ["192.0.2.1", "192.0.2.2"] {
        let mut event = Event::new(Kind::AttackDetected, SystemTime::now(), Decision::Refused, "tried");
        event.severity = Severity::High;
        event.address = Some(address.parse().unwrap());
        alerts.observe(&event);
    }
    alerts.turn(SystemTime::now()).await.unwrap();
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: Duration::from_hours(24),
        queue: bartizan_events::QueueBounds::default(),
        spill: 1024 * 1024,
    };
    let log = EventLog::open(settings).unwrap();
    let mut admin = Admin::new();
    admin.control = admin.control.clone().with_alerts(alerts).with_events(log.clone());
    (admin, log)
}

#[tokio::test]
async fn without_alerts_every_operation_says_so() {
    let admin = Admin::new();
    for path in ["/v1/alerts", "/v1/alerts/1", "/v1/alerts/silences", "/v1/alerts/undelivered"] {
        assert_eq!(admin.get(path).await.code(), "alerts_not_configured", "{path}");
    }
    assert_eq!(admin.post("/v1/alerts/test", Some("{}")).await.code(), "alerts_not_configured");
}

#[tokio::test]
async fn alerts_are_listed_page_by_page_and_decided_about() {
    let folder = TempDir::new().unwrap();
    let (admin, log) = with_alerts(&folder).await;
    let first = admin.get("/v1/alerts?state=open&severity=high&limit=1").await.json();
    let next = first["next"].as_str().unwrap();
    let second = admin.get(&format!("/v1/alerts?limit=1&after={next}")).await.json();
    assert_eq!((first["alerts"].as_array().unwrap().len(), &second["next"]), (1, &json!(null)));
    let id = first["alerts"][0]["id"].as_str().unwrap();
    assert_ne!(second["alerts"][0]["id"], id);
    for wrong in ["limit=0", "limit=1001", "state=new", "severity=bad", "colour=red"] {
        assert_eq!(admin.get(&format!("/v1/alerts?{wrong}")).await.code(), "malformed_request", "{wrong}");
    }

    let acknowledged =
        admin.post(&format!("/v1/alerts/{id}/acknowledge"), Some(r#"{"note": "looking"}"#)).await;
    assert_eq!(acknowledged.json()["by"], "operator");
    let again = admin.post(&format!("/v1/alerts/{id}/acknowledge"), Some("{}")).await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "alert_passed".into()));
    admin.post(&format!("/v1/alerts/{id}/resolve"), Some("{}")).await.json();
    let shown = admin.get(&format!("/v1/alerts/{id}")).await.json();
    assert_eq!(
        (&shown["alert"]["state"], &shown["history"][1]["note"]),
        (&json!("resolved"), &json!("looking"))
    );
    assert_eq!(admin.get("/v1/alerts/unknown").await.code(), "not_found");
    let too_much = json!({ "note": "x".repeat(1025) }).to_string();
    assert_eq!(
        admin.post(&format!("/v1/alerts/{id}/resolve"), Some(&too_much)).await.code(),
        "invalid_value"
    );

    let done = tokio::task::spawn_blocking(move || {
        log.flush();
        log.page(&Filter::default(), Order::OldestFirst, None, 10, Duration::from_secs(5)).unwrap()
    });
    let done = done.await.unwrap().events;
    let done: Vec<_> = done.iter().map(|event| event.details.reason.as_deref().unwrap()).collect();
    assert_eq!(done, ["alert.acknowledge", "alert.resolve"], "what was refused was not done");
}

#[tokio::test]
async fn silences_are_made_and_ended_and_channels_are_tried() {
    let folder = TempDir::new().unwrap();
    let (admin, _log) = with_alerts(&folder).await;
    let new = json!({ "matchers": [{ "by": "address", "value": "192.0.2.0/24" }], "reason": "scan", "for_seconds": 60 });
    let made = admin.post("/v1/alerts/silences", Some(&new.to_string())).await;
    assert_eq!((made.status.as_u16(), &made.json()["author"]), (201, &json!("operator")));
    let path = format!("/v1/alerts/silences/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(admin.get("/v1/alerts/silences").await.json()["silences"].as_array().unwrap().len(), 1);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.delete(&path).await.code(), "not_found");
    for wrong in [
        json!({ "matchers": [], "reason": "scan", "for_seconds": 60 }),
        json!({ "matchers": [{ "by": "colour", "value": "red" }], "reason": "scan", "for_seconds": 60 }),
        json!({ "matchers": [{ "by": "rule", "value": "1" }], "reason": "", "for_seconds": 60 }),
        json!({ "matchers": [{ "by": "rule", "value": "1" }], "reason": "scan", "for_seconds": 40_000_000 }),
    ] {
        let refused = admin.post("/v1/alerts/silences", Some(&wrong.to_string())).await;
        assert_eq!(refused.code(), "invalid_value", "{wrong}");
    }
    let tested = admin.post("/v1/alerts/test", Some("{}")).await.json();
    assert_eq!(tested["tested"][0]["channel"], "closed");
    let failure = tested["tested"][0]["failure"].as_str().unwrap();
    assert!(failure.contains("cannot be reached"), "{failure}");
    assert_eq!(admin.post("/v1/alerts/test", Some(r#"{"channel": "x"}"#)).await.code(), "not_found");
    assert_eq!(admin.post("/v1/alerts/undelivered/retry", Some("{}")).await.json()["retried"], 0);
    let missing = admin.send(admin.request(Method::DELETE, "/v1/alerts/undelivered/1", None)).await;
    assert_eq!(missing.code(), "not_found");
}
