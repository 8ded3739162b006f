//! `bartizan run --to`: one command guards a service.

use std::os::unix::fs::PermissionsExt;

use crate::{
    harness::{Gateway, cli},
    upstream::Upstream,
};

#[tokio::test]
async fn one_command_guards_a_service_and_says_where() {
    let upstream = Upstream::start().await;
    let target = upstream.address().to_string();
    let gateway = Gateway::launch_with(["run", "--to", &target, "--listen", "127.0.0.1:0"]).start().await;

    let response = gateway.get("/products?page=2").await;
    assert_eq!(response.status(), 200);
    let id = response.headers()["x-request-id"].clone();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(response.text().await.unwrap(), "hello from upstream");
    let attack = gateway.get("/products?id=1%27%20OR%20%271%27%3D%271").await;
    assert_eq!(attack.status(), 403, "the starter rules refuse");
    let received = upstream.received().await;
    assert_eq!(received.uri.to_string(), "/products?page=2");
    assert_eq!(received.headers["x-request-id"], id);

    for said in [
        gateway.http().to_string(),
        gateway.admin().to_string(),
        format!("{}/metrics", gateway.metrics()),
        gateway.state_directory().join("admin-token").display().to_string(),
    ] {
        gateway.stdout_line(&said).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_state_directory_is_private_and_tells_where_the_gateway_is() {
    let upstream = Upstream::start().await;
    let target = upstream.to_string();
    let mut gateway = Gateway::launch_with(["run", "--to", &target, "--listen", "0"]).start().await;
    let state = gateway.state_directory();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    assert_eq!(mode(&state.join("running.json")), 0o600);
    assert_eq!(mode(&state.join("admin-token")), 0o600);
    assert_eq!(gateway.running()["pid"], gateway.pid());
    assert_eq!(gateway.running()["config"], serde_json::Value::Null);

    let status = gateway.cli(["status"]).await.succeeded();
    assert!(status.contains("ready") && status.contains(&gateway.http().to_string()), "{status}");
    assert!(status.contains(&target), "{status}");
    gateway.signal(rustix::process::Signal::TERM);
    assert!(gateway.ended().await.success());
    assert!(!state.join("running.json").exists(), "removed at the end");
    assert!(state.join("admin-token").exists(), "kept for the next start");
}

#[tokio::test]
async fn what_is_no_target_is_refused_with_the_reason() {
    for target in ["", "localhost:99999", "ftp://localhost", "http://user:secret@localhost", "localhost/path"]
    {
        let complaint = cli(["run", "--to", target]).await.failed_with(2);
        assert!(complaint.contains("is not a target"), "{target:?}: {complaint}");
        assert!(!complaint.contains("secret"), "{complaint}");
    }
    let complaint = cli(["run", "--to", "localhost:1", "-c", "x.yaml"]).await.failed_with(2);
    assert!(complaint.contains("cannot be used with"), "{complaint}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let complaint = cli(["run", "--to", "localhost:1", "--listen", &address]).await.failed_with(1);
    assert!(complaint.contains(&format!("cannot listen on {address}")), "{complaint}");
    assert!(complaint.contains("choose another address"), "{complaint}");
}
