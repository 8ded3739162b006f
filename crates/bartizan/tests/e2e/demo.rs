//! `bartizan demo`: needs nothing else on the machine, and decides as it should.

use tokio::process::Command;

use crate::harness::{Gateway, cli};

#[tokio::test]
async fn the_traffic_is_decided_as_it_should_be() {
    let ended = cli(["demo", "--traffic", "--requests", "62", "--exit", "--listen", "0"]).await;
    assert!(!ended.stdout.contains("not expected"), "{}", ended.stdout);
    let report = ended.succeeded();
    assert!(report.contains("62 requests, all decided as they should be"), "{report}");
    for code in [
        "malformed_request",
        "invalid_authentication_token",
        "permission_denied",
        "address_blocked",
        "rate_limit_exceeded",
        "suspicious_activity_detected",
    ] {
        assert!(report.contains(code), "{code}: {report}");
    }
}

#[tokio::test]
async fn the_printed_requests_work() {
    let gateway = Gateway::launch_with(["demo", "--listen", "0"]).start().await;
    gateway.stdout_line("bartizan explain").await;
    let printed = gateway.stdout_text();
    let lines = printed.lines().map(str::trim);
    let variables: Vec<_> = lines.clone().filter(|line| is_assignment(line)).collect();
    let mut statuses = Vec::new();
    for command in lines.filter(|line| line.starts_with("curl ")) {
        let script = format!("{}\n{}", variables.join("\n"), command.replace("curl -s", "curl -si"));
        let output = Command::new("sh").args(["-c", &script]).output().await.unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        if command.contains("/echo") {
            assert!(
                answer.contains(r#""x-user-id":"ada""#),
                "the caller's own identity header is replaced: {answer}"
            );
        }
        statuses.push(
            answer.lines().next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned(),
        );
    }
    assert_eq!(statuses, ["200", "401", "201", "200", "403", "200", "200", "403"], "{printed}");
    let listed = gateway.cli(["requests", "--refused"]).await.succeeded();
    assert!(listed.contains("mfa_required"), "{listed}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_second_demo_does_not_take_the_first_ones_place() {
    let gateway = Gateway::launch_with(["demo", "--listen", "0"]).start().await;
    let complaint = gateway.cli(["demo"]).await.failed_with(1);
    assert!(
        complaint.contains(&gateway.pid().to_string()) && complaint.contains("--state-dir"),
        "{complaint}"
    );
    gateway.stop().await;
}

fn is_assignment(line: &str) -> bool {
    line.split_once('=')
        .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}
