//! The rules that look at events: listed, explained, tested, and shown a file of events.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    accounts::{CHEAP, create, log_in_as},
    eventually::eventually,
    harness::{Gateway, cli, cli_in},
};

const RULE: &str = "title: One address fails for many accounts\nid: spraying\nauthor: Ann Example\nlevel: high\n\
    correlation: { type: value_count, rules: [failed], group-by: [src_endpoint.ip], timespan: 15m, \
    condition: { field: user.uid, gte: 3 } }\n---\n\
    title: A failed login\nname: failed\nlogsource: { product: bartizan, service: accounts }\n\
    detection: { a: { bartizan.event: authentication_failed }, condition: a }\n";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[tokio::test]
async fn the_rules_that_come_with_the_gateway_are_told_and_tested() {
    let listed = cli(["detect", "list"]).await.succeeded();
    assert!(listed.contains("Many failed logins to one account") && listed.contains("T1110.003"), "{listed}");
    let tested = cli(["detect", "test"]).await.succeeded();
    assert!(tested.contains("passed starter/brute-force.yml: nine failures"), "{tested}");
    assert!(tested.contains("0 of ") && !tested.contains("without tests"), "{tested}");

    let explained = cli(["detect", "explain", "password-spraying"]).await.succeeded();
    for part in ["One address fails for many accounts", "value_count", "T1110.003", "The Bartizan developers"]
    {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    let rules: Value = serde_json::from_str(&cli(["detect", "list", "--json"]).await.succeeded()).unwrap();
    let id = rules.as_array().unwrap().iter().find(|rule| rule["reports"] == true).unwrap()["id"]
        .as_str()
        .unwrap();
    let rule: Value =
        serde_json::from_str(&cli(["detect", "explain", id, "--json"]).await.succeeded()).unwrap();
    assert_eq!(rule["id"], id);
    assert!(
        cli(["detect", "explain", "nothing"]).await.failed_with(1).contains("there is no rule `nothing`")
    );
}

#[tokio::test]
async fn own_rules_are_tested_by_their_cases() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "rules/spraying.yml", RULE);
    let untested = cli_in(&folder, ["detect", "test", "rules"]).await.succeeded();
    assert!(
        untested.contains("no tests rules/spraying.yml") && untested.contains("files without tests: 1"),
        "{untested}"
    );

    let case = |fires: usize| {
        format!(
            "cases:\n  - name: three accounts\n    fires: {fires}\n    events:\n      \
             - {{ times: 3, event: authentication_failed, user.uid: \"u{{n}}\", src_endpoint.ip: 192.0.2.1 }}\n"
        )
    };
    write(folder.path(), "rules/tests/spraying.yml", &case(1));
    let passed = cli_in(&folder, ["detect", "test", "rules"]).await.succeeded();
    assert!(passed.contains("passed rules/spraying.yml: three accounts\n0 of 1 cases failed"), "{passed}");

    write(folder.path(), "rules/tests/spraying.yml", &case(2));
    let failed = cli_in(&folder, ["detect", "test", "rules/spraying.yml", "--json"]).await;
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let judged: Value = serde_json::from_str(&failed.stdout).unwrap();
    let expected = json!({ "name": "three accounts", "expected": 2, "fired": 1, "passed": false });
    assert_eq!(judged[0]["cases"][0], expected);

    write(folder.path(), "rules/spraying.yml", &RULE.replace("src_endpoint.ip", "src_ip.address"));
    let refused = cli_in(&folder, ["detect", "test", "rules"]).await.failed_with(1);
    assert!(
        refused.contains("rules/spraying.yml:1: `One address fails for many accounts`: no event has"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_file_of_events_says_for_whom_a_rule_would_have_fired() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "spraying.yml", RULE);
    let event = |time: i64, user: &str, address: &str| {
        json!({
            "time": 1_772_445_600_000_i64 + time,
            "bartizan": { "event": "authentication_failed", "service": "accounts" },
            "user": { "uid": user }, "src_endpoint": { "ip": address },
        })
        .to_string()
    };
    let mut lines: Vec<_> =
        (0..3).map(|number| event(number, &format!("u{number}"), "203.0.113.9")).collect();
    lines.push(String::new());
    lines.push(event(9, "ann", "192.0.2.1"));
    write(folder.path(), "events.ndjson", &lines.join("\n"));
    let told =
        cli_in(&folder, ["detect", "test", "spraying.yml", "--events", "events.ndjson"]).await.succeeded();
    assert!(told.contains("src_endpoint.ip=203.0.113.9 (1)") && !told.contains("192.0.2.1"), "{told}");
    let arguments = ["detect", "test", "spraying.yml", "--events", "events.ndjson", "--json"];
    let told: Value = serde_json::from_str(&cli_in(&folder, arguments).await.succeeded()).unwrap();
    assert_eq!((&told[0]["times"], &told[0]["rule"]["author"]), (&json!(1), &json!("Ann Example")));

    write(folder.path(), "events.ndjson", &format!("{}\n{{ \"time\": 1, \n", lines[0]));
    let refused = cli_in(&folder, ["detect", "test", "--events", "events.ndjson"]).await.failed_with(1);
    assert!(refused.contains("`events.ndjson`, line 2 is no JSON"), "{refused}");
    write(folder.path(), "events.ndjson", "{}\n");
    let refused = cli_in(&folder, ["detect", "test", "--events", "events.ndjson"]).await.failed_with(1);
    assert!(refused.contains("line 1 has no `time`"), "{refused}");
}

/// `bartizan events` begins with the newest.
#[tokio::test]
async fn events_are_looked_at_in_the_order_of_their_times() {
    let folder = TempDir::new().unwrap();
    let event = |minutes: i64, name: &str| {
        let time = 1_772_445_600_000_i64 + minutes * 60_000;
        let own = json!({ "event": name, "service": "accounts" });
        json!({ "time": time, "bartizan": own, "user": { "uid": "ann" } }).to_string()
    };
    // Somebody moves, then changes a factor; hours later they move again.
    let lines = [event(600, "session_moved"), event(5, "factor_changed"), event(0, "session_moved")];
    write(folder.path(), "newest-first.ndjson", &lines.join("\n"));
    let arguments = ["detect", "test", "--events", "newest-first.ndjson"];
    let told = cli_in(&folder, arguments).await.succeeded();
    assert!(told.contains("A second factor is changed from a place that is new"), "{told}");

    // The same the other way round: first the factor, then the move.
    let lines = [event(5, "session_moved"), event(0, "factor_changed")];
    write(folder.path(), "newest-first.ndjson", &lines.join("\n"));
    let told = cli_in(&folder, arguments).await.succeeded();
    assert!(told.contains("no rule would have fired"), "{told}");
}

#[tokio::test]
async fn what_rules_find_reaches_the_log_while_it_happens() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "own/spraying.yml", RULE);
    let document = format!(
        r#"
accounts: {{ {CHEAP} }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
detection: {{ rules: "{}/own/*.yml", without: [brute-force] }}
routes:
  - {{ path: /private/**, to: "http://127.0.0.1:1", auth: people }}
"#,
        folder.path().display()
    );
    let gateway = Gateway::start(&document).await;
    create(&gateway, "ada@shop.test", &[]).await;
    for name in ["ada@shop.test", "bob@shop.test", "eve@shop.test"] {
        assert_eq!(log_in_as(&gateway, name, "wrong").await.status(), 401);
    }
    let findings = async || {
        let printed = gateway.cli(["events", "--json", "--type", "detection_matched"]).await.succeeded();
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    eventually("the rule has fired", async || !findings().await.is_empty()).await;
    let [finding] = findings().await.try_into().unwrap_or_else(|found| panic!("{found:?}"));
    assert_eq!(finding["finding_info"]["title"], "One address fails for many accounts");
    assert_eq!(finding["bartizan"]["finding"]["author"], "Ann Example");
    assert_eq!(finding["severity_id"], 4);
    assert_eq!(finding["evidences"][0]["src_endpoint"]["ip"], "127.0.0.1");
    let first = finding["finding_info"]["related_events"][0]["uid"].as_str().unwrap();
    let failed = gateway.cli(["events", "--json", "--type", "authentication_failed"]).await.succeeded();
    assert!(failed.contains(first), "a finding names events that can be found: {first} in {failed}");

    let status = gateway.cli(["detect", "status", "--fired"]).await.succeeded();
    assert!(status.contains("One address fails for many accounts"), "{status}");
    let rules = folder.path().join("own/spraying.yml").display().to_string();
    let tried = gateway.cli(["detect", "backtest", &rules, "--since", "1h"]).await.succeeded();
    assert!(
        tried.contains("src_endpoint.ip=127.0.0.1 (1)") && tried.contains("events were looked at"),
        "{tried}"
    );

    // A rule that is not understood changes nothing; a changed one counts from then on.
    write(folder.path(), "own/spraying.yml", &RULE.replace("user.uid, gte", "user.udi, gte"));
    let refused = gateway.cli(["reload"]).await.failed_with(1);
    assert!(refused.contains("user.udi"), "{refused}");
    write(
        folder.path(),
        "own/spraying.yml",
        &RULE.replace("One address", "A host").replace("gte: 3", "gte: 2"),
    );
    gateway.cli(["reload"]).await.succeeded();
    // After the fifth failure an address is paused.
    for name in ["ada@shop.test", "bob@shop.test"] {
        assert_eq!(log_in_as(&gateway, name, "wrong").await.status(), 401);
    }
    eventually("the changed rule has fired", async || {
        findings()
            .await
            .iter()
            .any(|finding| finding["finding_info"]["title"] == "A host fails for many accounts")
    })
    .await;
    gateway.stop().await;
}
