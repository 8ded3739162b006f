//! How the gateway stands, over the admin API.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{Config, Source};
use bartizan_events::{Decision, Event, EventLog, Kind, LogHealth, QueueBounds, Settings};
use bartizan_posture::{Facts, Monitor, Pulse, PulseFuture, SurveyFuture, Surveyed};
use futures_util::StreamExt;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::fixture::Admin;

/// A system with nothing but a configuration.
struct Bare;

impl Surveyed for Bare {
    fn pulse(&self) -> PulseFuture<'_> {
        Box::pin(async { Pulse::default() })
    }

    fn survey(&self) -> SurveyFuture<'_> {
        let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\n\
            routes: [{ path: /**, to: \"http://127.0.0.1:1\", auth: none }]";
        let config = Arc::new(Config::parse(text, &Source::text(".")).unwrap().config);
        Box::pin(async move {
            Facts {
                config,
                inventory: None,
                signing_keys: None,
                parts: Vec::new(),
                log: LogHealth { room: 100, ..LogHealth::default() },
                configuration_failure: None,
                disk: None,
                uptime: Duration::ZERO,
            }
        })
    }
}

struct Looked {
    admin: Admin,
    monitor: Monitor,
    log: EventLog,
    _folder: tempfile::TempDir,
}

fn looked() -> Looked {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        directory: folder.path().join("events"),
        retention: Duration::from_hours(24),
        queue: QueueBounds::default(),
        spill: 1 << 20,
    };
    let log = EventLog::open(settings).unwrap();
    let monitor = Monitor::new(log.clone(), Bare, folder.path().join("weaknesses.json"));
    let admin = Admin::new();
    let control = admin.control.clone().with_events(log.clone()).with_posture(monitor.clone());
    Looked { admin: Admin { control, ..admin }, monitor, log, _folder: folder }
}

impl Looked {
    fn attack(&self) {
        for last in 0..200 {
            let mut event =
                Event::new(Kind::AttackDetected, SystemTime::now(), Decision::Refused, "<b>an attack</b>");
            event.address = Some([192, 0, 2, last].into());
            self.log.record(event);
        }
        self.log.flush();
    }

    /// The messages of a stream until the gateway stops: their ids, and the levels that they tell.
    async fn follow(&self, last: Option<&str>, meanwhile: impl AsyncFnOnce()) -> Vec<(String, String)> {
        let mut request = self.admin.request(Method::GET, "/v1/posture/stream", None);
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", last.parse().unwrap());
        }
        let response = self.admin.control.router().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut chunks = response.into_body().into_data_stream();
        let mut text = String::new();
        let reading = async {
            while let Some(chunk) = chunks.next().await {
                text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
            }
        };
        let acting = async {
            meanwhile().await;
            self.log.dismiss_followers();
        };
        tokio::join!(reading, acting);
        let messages = text.split("\n\n").filter(|message| !message.is_empty());
        let message = |message: &str| {
            let field = |name: &str| {
                message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            let data: Value = serde_json::from_str(&field("data:")).unwrap();
            (field("id:"), data["threat"]["level"].as_str().unwrap().to_owned())
        };
        messages.map(message).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_is_told_with_its_reasons_and_weaknesses_with_their_settings() {
    let looked = looked();
    looked.attack();
    let posture = looked.admin.get("/v1/posture").await.json();
    assert_eq!(posture["threat"]["level"], "elevated", "{posture}");
    assert_eq!(posture["threat"]["reasons"][0]["cause"], "attacks");
    assert_eq!(posture["threat"]["reasons"][0]["counted"], 200);
    assert_eq!((&posture["weaknesses"], &posture["scanned"]), (&json!([]), &Value::Null));
    let scanned = looked.admin.post("/v1/posture/scan", None).await.json();
    let found = scanned["weaknesses"].as_array().unwrap();
    let firewall = found.iter().find(|found| found["check"] == "firewall_off").unwrap();
    assert_eq!(firewall["id"], "firewall_off:/**");
    assert!(firewall["recommendation"].as_str().unwrap().contains("waf: starter"), "{firewall}");
}

#[tokio::test]
async fn a_stream_tells_what_was_not_seen() {
    let looked = looked();
    looked.monitor.now().await.unwrap();
    let first = looked.follow(None, async || ()).await;
    let [(seen, level)] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!(level, "normal");

    assert!(seen.contains('-'), "{seen}");
    // The gateway is about to stop.
    assert_eq!(looked.admin.get("/v1/posture/stream").await.code(), "events_unavailable");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_left() {
    let looked = looked();
    looked.monitor.now().await.unwrap();
    let number = looked.monitor.follow().borrow().as_ref().unwrap().0;
    let started = SystemTime::from(looked.admin.system.status.lock().unwrap().started);
    let run = started.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let seen = format!("{run}-{number}");
    let messages = looked
        .follow(Some(&seen), async || {
            looked.attack();
            looked.monitor.scan().await.unwrap();
        })
        .await;
    // What was seen is not shown again.
    assert!(
        !messages.is_empty() && messages.iter().all(|(id, level)| *id != seen && level == "elevated"),
        "{messages:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_masked_and_has_a_period() {
    let looked = looked();
    looked.attack();
    let report = looked.admin.get("/v1/reports/security?from=2020-01-01T00:00:00Z").await;
    assert_eq!(report.code(), "malformed_request", "more than a year");
    let ago = crate::Timestamp::from(SystemTime::now() - Duration::from_hours(1));
    let path = format!("/v1/reports/security?from={ago}");
    let report = looked.admin.get(&path).await.json();
    assert_eq!(report["statistics"]["period"]["total"], 200, "{report}");
    assert_eq!(
        (&report["masked"], &report["threats"]["addresses"][0]["name"]),
        (&json!(true), &json!("192.0.*.*"))
    );
    let report = looked.admin.get(&format!("{path}&personal=true")).await.json();
    assert!(report["threats"]["addresses"][0]["name"].as_str().unwrap().starts_with("192.0.2."), "{report}");
}

#[tokio::test]
async fn without_events_nothing_is_told() {
    for path in ["/v1/posture", "/v1/posture/stream", "/v1/reports/security?from=2026-01-01T00:00:00Z"] {
        let answer = Admin::new().get(path).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::CONFLICT, "events_not_kept".into()),
            "{path}"
        );
    }
    let looked = looked();
    let mut request = looked.admin.request(Method::GET, "/v1/posture/stream", None);
    request.headers_mut().insert("last-event-id", "nonsense".parse().unwrap());
    assert_eq!(looked.admin.send(request).await.code(), "malformed_request");
}
