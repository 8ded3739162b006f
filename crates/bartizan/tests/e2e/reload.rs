//! A changed configuration is taken over whole while running; a bad one is not; nothing in flight is lost.

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{harness::Gateway, raw::RawConnection, upstream::Upstream};

fn document(upstream: &Upstream, path: &str) -> String {
    format!("routes: [{{ path: {path}, to: \"{upstream}\", auth: none }}]\n")
}

#[tokio::test]
async fn a_changed_file_is_taken_over() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/old")).await;
    assert_eq!(gateway.get("/old").await.status(), 200);
    assert_eq!(gateway.get("/new").await.status(), 404);

    gateway.rewrite(&document(&upstream, "/new"));
    let taken = gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(taken["changed"], true);
    assert_eq!(gateway.get("/old").await.status(), 404);
    assert_eq!(gateway.get("/new").await.status(), 200);

    let status: Value = gateway.ask_admin("/v1/configuration", None).await.json().await.unwrap();
    assert_eq!(status["revision"], taken["revision"]);
    let series = format!("bartizan_config_info{{revision=\"{}\"}}", taken["revision"].as_str().unwrap());
    assert_eq!(gateway.metric(&series).await, 1.0);
    assert_eq!(gateway.metric("bartizan_config_reloads_total{result=\"success\"}").await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_bad_file_leaves_the_running_configuration_alone_and_is_told_everywhere() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/old")).await;
    let before: Value = gateway.ask_admin("/v1/configuration", None).await.json().await.unwrap();

    gateway.rewrite(&format!("routes: [{{ path: /new, to: \"{upstream}\" }}]\n"));
    let problem = gateway.log(|line| line["level"] == "ERROR" && line["line"].is_number()).await;
    assert_eq!(problem["line"], 3, "{problem}");
    gateway.log(|line| line["level"] == "ERROR" && line["revision"] == before["revision"]).await;
    assert_eq!(gateway.get("/old").await.status(), 200);
    assert_eq!(gateway.get("/new").await.status(), 404);

    let status: Value = gateway.ask_admin("/v1/configuration", None).await.json().await.unwrap();
    assert_eq!(status["revision"], before["revision"]);
    assert!(status["last_failure"]["message"].as_str().unwrap().contains("who may use it"), "{status}");
    assert!(gateway.cli(["status"]).await.succeeded().contains("not taken"));
    assert_eq!(gateway.metric("bartizan_config_last_reload_successful").await, 0.0);
    assert_eq!(gateway.metric("bartizan_config_reloads_total{result=\"failure\"}").await, 1.0);

    gateway.rewrite(&document(&upstream, "/new"));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    let status: Value = gateway.ask_admin("/v1/configuration", None).await.json().await.unwrap();
    assert_eq!(status["last_failure"], Value::Null);
    assert_eq!(gateway.metric("bartizan_config_last_reload_successful").await, 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_command_and_a_signal_reload_too() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/one")).await;
    assert!(gateway.cli(["reload"]).await.succeeded().contains("has not changed"));

    gateway.rewrite("routes: 7\n");
    let complaint = gateway.cli(["reload"]).await.failed_with(1);
    assert!(complaint.contains("bartizan.yaml:3:") && complaint.contains("stays"), "{complaint}");

    gateway.signal(Signal::HUP);
    gateway.notified("RELOADING=1").await;
    gateway.notified("READY=1").await;

    gateway.rewrite(&document(&upstream, "/two").replace("routes", "log: { level: debug }\nroutes"));
    let reloaded = gateway.ask_admin("/v1/configuration/reload", Some(json!({}))).await;
    assert_eq!(reloaded.status(), 200);
    assert_eq!(gateway.get("/two").await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_with_the_key() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/old")).await;
    gateway.rewrite(&format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:1\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }}\n{}",
        document(&upstream, "/new")
    ));
    let complaint = gateway.cli(["reload"]).await.failed_with(1);
    assert!(complaint.contains("http") && complaint.contains("restart"), "{complaint}");
    assert_eq!(gateway.get("/old").await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_list_of_passwords_that_cannot_be_used_leaves_everything_as_it_was() {
    let (upstream, folder) = (Upstream::start().await, TempDir::new().unwrap());
    let list = folder.path().join("breached.txt");
    // Hashes, and not in order.
    std::fs::write(&list, format!("{}\n{}\n", "F".repeat(40), "0".repeat(40))).unwrap();
    let document = |path: &str, password: &str| {
        let password = password.replace("LIST", list.to_str().unwrap());
        format!("accounts: {{ password: {{ {password} }} }}\n{}", document(&upstream, path))
    };
    let gateway = Gateway::start(&document("/old", "")).await;
    gateway.rewrite(&document("/new", "blocklist: LIST"));
    let complaint = gateway.cli(["reload"]).await.failed_with(1);
    assert!(complaint.contains("bartizan.yaml:3:") && complaint.contains("is not in order"), "{complaint}");
    assert_eq!(gateway.get("/old").await.status(), 200, "the routes are those of before, too");
    let config = gateway.config_path();
    let complaint = gateway.cli(["check", config.to_str().unwrap()]).await.failed_with(2);
    assert!(complaint.contains("is not in order"), "{complaint}");

    std::fs::write(&list, "correct horse battery staple\n").unwrap();
    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(gateway.get("/new").await.status(), 200);
    let new =
        json!({ "email": "a@b.test", "name": "A", "password": "correct horse battery staple", "roles": [] });
    let refused = gateway.ask_admin("/v1/users", Some(new)).await.text().await.unwrap();
    assert!(refused.contains("(breached)"), "{refused}");
    gateway.stop().await;
}

#[tokio::test]
async fn nothing_in_flight_is_dropped() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/**")).await;
    let (gateway_url, client) = (gateway.url("/drip"), gateway.client().clone());
    let mut download = client.get(gateway_url).send().await.unwrap();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "first");
    let waiting = tokio::spawn(client.get(gateway.url("/gate")).send());
    upstream.received().await;
    upstream.received().await;
    let mut idle = RawConnection::open(gateway.http()).await;
    idle.send("GET /status/200 HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.read_answer().await.status, 200);

    gateway.rewrite(&document(&upstream, "/elsewhere"));
    gateway.log(|line| line["message"] == "configuration taken over").await;
    upstream.open_gate();
    assert_eq!(download.chunk().await.unwrap().unwrap(), "last");
    assert_eq!(download.chunk().await.unwrap(), None);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    idle.send("GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.read_answer().await.status, 200, "a kept connection serves by the new configuration");
    assert_eq!(gateway.get("/drip").await.status(), 404);
    gateway.stop().await;
}

#[tokio::test]
async fn requests_under_way_do_not_notice_many_reloads() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "/**")).await;
    let (client, url) = (gateway.client().clone(), gateway.url("/"));
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let load = tokio::spawn(async move {
        let mut served = 0;
        while !*stopped.borrow_and_update() {
            assert_eq!(client.get(&url).send().await.unwrap().status(), 200);
            served += 1;
        }
        served
    });
    for round in 0..10 {
        gateway.rewrite(&format!("{}# {round}\n", document(&upstream, "/**")));
        gateway.cli(["reload"]).await.succeeded();
    }
    assert!(gateway.metric("bartizan_config_reloads_total{result=\"success\"}").await >= 10.0);
    stop.send_replace(true);
    assert!(load.await.unwrap() > 10);
    gateway.stop().await;
}
