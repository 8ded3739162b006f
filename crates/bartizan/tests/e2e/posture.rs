//! Posture: an attack raises the level for its reason, the report names it, and a weakness goes when it is mended.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::{
    eventually::eventually,
    harness::{Gateway, PATIENCE},
    upstream::Upstream,
};

const ATTACK: &str = "/orders?id=1%27%20OR%20%271%27%3D%271";

fn document(upstream: &Upstream, limit: &str) -> String {
    format!("routes:\n  - {{ path: /orders, to: \"{upstream}\", auth: none, waf: starter{limit} }}\n")
}

async fn standing(gateway: &Gateway) -> Value {
    serde_json::from_str(&gateway.cli(["posture", "--json"]).await.succeeded()).unwrap()
}

#[tokio::test]
async fn an_attack_raises_the_level_and_stands_in_the_report() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    assert_eq!(standing(&gateway).await["threat"]["level"], "normal");
    let mut command = gateway.command();
    let mut following = command.args(["posture", "--follow", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();

    for _ in 0..120 {
        let attack = gateway.client().get(gateway.url(ATTACK)).header("user-agent", "<script>evil</script>");
        assert_eq!(attack.send().await.unwrap().status(), 403);
    }
    let told = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            let state: Value = serde_json::from_str(&line).unwrap();
            if state["threat"]["level"] != "normal" {
                return state;
            }
        }
    };
    let state = timeout(PATIENCE, told).await.unwrap();
    let reasons = state["threat"]["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason["cause"] == "attacks"), "{state}");
    following.kill().await.unwrap();
    let shown = gateway.cli(["posture"]).await.succeeded();
    assert!(shown.contains("requests that the firewall objected to in the last hour"), "{shown}");
    eventually("the change is an event", async || {
        let printed = gateway.cli(["events", "--json", "--type", "threat_level_changed"]).await.succeeded();
        printed.contains("the threat level rose from normal")
    })
    .await;

    let file = gateway.folder().join("report.html");
    let arguments = ["report", "security", "--from", "1h", "--personal", "--output", file.to_str().unwrap()];
    gateway.cli(arguments).await.succeeded();
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(
        page.contains("attack_detected") && page.contains("127.0.0.1") && page.contains("/orders"),
        "{page}"
    );
    assert!(!page.contains("<script"), "{page}");
    let masked = gateway.cli(["report", "security", "--from", "1h", "--format", "json"]).await.succeeded();
    let report: Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(report["threats"]["addresses"][0]["name"], "127.0.*.*", "{masked}");
    assert_eq!(report["threats"]["kinds"][0]["name"], "attack_detected", "{masked}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_weakness_is_found_and_goes_when_it_is_mended() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let scanned = gateway.cli(["posture", "scan"]).await.succeeded();
    assert!(scanned.contains("nobody is limited in what they ask of `/orders`"), "{scanned}");
    gateway.rewrite(&document(&upstream, ", limit: default"));
    gateway.cli(["reload"]).await.succeeded();
    let scanned = gateway.cli(["posture", "scan"]).await.succeeded();
    assert!(!scanned.contains("nobody is limited"), "{scanned}");
    eventually("both are events", async || {
        let printed = gateway.cli(["events", "--json", "--text", "nobody is limited"]).await.succeeded();
        printed.contains("weakness_found") && printed.contains("weakness_gone")
    })
    .await;
    gateway.stop().await;
}
