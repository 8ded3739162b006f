//! Events: what happens is found by a command, also after a kill, and shown as it happens.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::{
    accounts::{CHEAP, PASSWORD, create, log_in_as},
    eventually::eventually,
    harness::{Gateway, PATIENCE},
    upstream::Upstream,
};

fn document(upstream: &Upstream) -> String {
    format!(
        r#"
accounts: {{ {CHEAP} }}
events: {{ sample: 1000, always: [/kept] }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /private/**, to: "{upstream}", auth: people }}
  - {{ path: /kept, to: "{upstream}", auth: none }}
"#
    )
}

async fn found<const N: usize>(gateway: &Gateway, arguments: [&str; N]) -> Vec<Value> {
    let printed = gateway.cli(arguments).await.succeeded();
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["bartizan"]["event"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_happens_is_found_also_after_a_kill() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(&document(&upstream)).await;
    create(&gateway, "ada@shop.test", &[]).await;
    assert_eq!(log_in_as(&gateway, "ada@shop.test", "wrong").await.status(), 401);
    assert_eq!(log_in_as(&gateway, "ada@shop.test", PASSWORD).await.status(), 200);
    let refused = gateway.get("/private/letters?token=hunter2").await;
    assert_eq!(refused.status(), 401);
    let request = refused.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(gateway.get("/kept").await.status(), 200);
    gateway.rewrite(&document(&upstream).replace("sample: 1000", "sample: 2000"));

    let expected = [
        "account_created",
        "authentication_failed",
        "authentication_succeeded",
        "session_started",
        "request_refused",
        "request_allowed",
        "configuration_changed",
    ];
    eventually("every event is there", async || {
        let events = found(&gateway, ["events", "--json", "--limit", "1000"]).await;
        let types = types(&events);
        expected.iter().all(|expected| types.contains(expected))
    })
    .await;

    let events = found(&gateway, ["events", "--json", "--request", &request]).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(event["bartizan"]["reason"], "missing_authentication_token");
    assert_eq!(event["src_endpoint"]["ip"], "127.0.0.1");
    assert_eq!(event["http_request"]["url"]["query_string"], "token=<hidden>");
    assert_eq!(event["http_response"]["code"], 401);
    let failed = found(&gateway, ["events", "--json", "--type", "authentication_failed"]).await;
    let succeeded = found(&gateway, ["events", "--json", "--type", "authentication_succeeded"]).await;
    assert_eq!(failed[0]["severity_id"], 3);
    assert_eq!(failed[0]["user"]["uid"], succeeded[0]["user"]["uid"], "an address leads to its account");
    assert_eq!(failed[0]["bartizan"]["service"], "accounts");

    let masked = gateway.cli(["events", "--json", "--masked", "--limit", "1000"]).await.succeeded();
    assert!(
        !masked.contains(r#""ip":"127.0.0.1""#)
            && !masked.contains("ada@")
            && !masked.contains("/private/letters"),
        "{masked}"
    );
    let table = gateway.cli(["events", "--severity", "medium"]).await.succeeded();
    assert!(table.contains("authentication_failed") && !table.contains("request_refused"), "{table}");
    let csv = gateway.cli(["events", "--csv", "--type", "request_refused"]).await.succeeded();
    assert!(csv.starts_with("time,severity_id,bartizan.event,"), "{csv}");
    assert!(gateway.metric("bartizan_events_total{severity=\"low\"}").await >= 1.0);

    gateway.signal(rustix::process::Signal::KILL);
    assert!(!gateway.ended().await.success());
    let next = gateway.successor().start().await;
    let events = found(&next, ["events", "--json", "--request", &request]).await;
    assert_eq!(types(&events), ["request_refused"]);
    next.stop().await;
}

#[tokio::test]
async fn events_are_shown_as_they_happen_and_hold_up_no_stop() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    let mut command = gateway.command();
    let mut following =
        command.args(["events", "--follow", "--json", "--type", "request_refused"]).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // Nobody says when it follows: until something is shown, something happens.
    let mut asked = 0;
    let shown = loop {
        assert_eq!(gateway.get(&format!("/nothing/{asked}")).await.status(), 404);
        asked += 1;
        if let Ok(line) = timeout(std::time::Duration::from_millis(100), lines.next_line()).await {
            break line.unwrap().unwrap();
        }
    };
    let event: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(event["bartizan"]["reason"], "route_not_found");
    timeout(PATIENCE, gateway.stop()).await.unwrap();
    following.kill().await.unwrap();
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config = folder.path().join("bartizan.yaml");
    let text = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }}\n\
         events: {{ directory: {} }}\nroutes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n",
        file.join("events").display()
    );
    std::fs::write(&config, text).unwrap();
    let said = crate::harness::cli(["run", "--config", config.to_str().unwrap()]).await.failed_with(1);
    assert!(said.contains("events") && said.contains("cannot be used"), "{said}");
}
