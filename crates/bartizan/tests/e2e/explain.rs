//! Why was it refused? And: keep them out.

use std::net::IpAddr;

use serde_json::Value;

use crate::{
    harness::{Gateway, cli},
    upstream::Upstream,
};

async fn guarded() -> (Upstream, Gateway) {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "identity: {{ partners: {{ api_key: {{ header: x-api-key }} }} }}\n\
         routes:\n  - {{ path: /public/**, to: \"{upstream}\", auth: none }}\n  - path: /orders/**\n    \
         to: \"{upstream}\"\n    auth: partners\n    require: [orders:read]\n"
    ))
    .await;
    (upstream, gateway)
}

fn id(response: &reqwest::Response) -> String {
    response.headers()["x-request-id"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_refusal_is_explained_down_to_the_line() {
    let (_upstream, gateway) = guarded().await;
    let refused = gateway.get("/orders/7?token=secret").await;
    assert_eq!(refused.status(), 401);
    let id = id(&refused);
    assert_eq!(refused.json::<Value>().await.unwrap()["request_id"], id);

    let account = gateway.cli(["explain", &id]).await.succeeded();
    assert!(account.starts_with("GET /orders/7  401 missing_authentication_token"), "{account}");
    let step = account.lines().find(|line| line.starts_with("authenticate")).unwrap();
    assert!(step.contains("denied") && step.contains("bartizan.yaml:8  auth: partners"), "{account}");
    assert!(
        account.lines().any(|line| line.starts_with("route") && line.contains("/orders/**")),
        "{account}"
    );
    assert!(!account.contains("secret"), "{account}");

    let json = gateway.cli(["explain", &id, "--json"]).await.succeeded();
    let json: Value = serde_json::from_str(&json).unwrap();
    let steps = json["requests"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["outcome"], "denied");
    assert!(steps.iter().all(|step| step["microseconds"].as_f64().unwrap() >= 0.0));

    let line = gateway.log(|line| line["request_id"] == id.as_str()).await;
    assert_eq!(
        (&line["stage"], &line["code"]),
        (&"authenticate".into(), &"missing_authentication_token".into())
    );
    assert!(gateway.metric("bartizan_refusals_total{stage=\"authenticate\"").await >= 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_served_request_is_explained_too_and_the_latest_are_listed() {
    let (_upstream, gateway) = guarded().await;
    let (served, refused) = (id(&gateway.get("/public/a").await), id(&gateway.get("/orders").await));
    let account = gateway.cli(["explain", &served]).await.succeeded();
    assert!(account.starts_with("GET /public/a  200 served"), "{account}");

    let all = gateway.cli(["requests"]).await.succeeded();
    let at = |id: &str| all.find(id).unwrap();
    assert!(at(&refused) < at(&served), "the newest first: {all}");
    let only = gateway.cli(["requests", "--refused", "--limit", "5"]).await.succeeded();
    assert!(only.contains(&refused) && !only.contains(&served), "{only}");

    let unknown = gateway.cli(["explain", "no-such-request"]).await.failed_with(1);
    assert!(
        unknown.contains("no request `no-such-request` is remembered") && unknown.contains("4096"),
        "{unknown}"
    );
    gateway.cli(["explain", "no such/request"]).await.failed_with(2);
    gateway.stop().await;
}

/// Why was I limited? By which rule, as whom, how much was left, and from when on may I ask again?
#[tokio::test]
async fn a_limited_request_is_explained_rule_by_rule() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&format!(
        "limits:
  few:
    - {{ name: burst, per: address, rate: 60/h, burst: 2 }}
    - {{ name: tried, per: route, rate: 2/h, mode: shadow }}
    - {{ name: tenant, per: \"header:x-tenant\", rate: 100/h }}
    - {{ name: flight, per: address, concurrent: 9 }}
routes:
  - {{ path: /free, to: \"{upstream}\", auth: none }}
  - {{ path: /**, to: \"{upstream}\", auth: none, limit: few, cost: {{ \"GET /dear\": 2 }} }}"
    ))
    .await;
    let ask = async |path: &str| {
        let request = gateway.client().get(gateway.url(path)).header("x-tenant", "t".repeat(100));
        id(&request.send().await.unwrap())
    };
    let (served, refused) = (ask("/a").await, ask("/dear").await);

    let explain = async |id: &str| gateway.cli(["explain", id]).await.succeeded();
    let row = |account: &str, start: &str| {
        let line =
            account.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{account}"));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let account = explain(&served).await;
    let counted = row(&account, "few/burst");
    assert_eq!(counted[1..], ["60/h burst 2", "address 127.0.0.1", "counted", "1", "1 of 2"], "{account}");
    assert_eq!(row(&account, "few/tried")[3..], ["counted", "1", "1 of 2"], "{account}");
    assert_eq!(
        row(&account, "few/flight")[1..],
        ["9 at once", "address 127.0.0.1", "counted", "1", "8 of 9"]
    );
    assert!(!account.contains("refused first"), "{account}");
    // Nobody has proven who they are, and nothing was known of the address.
    assert!(account.contains("threat 25 of 100") && account.contains("watch them"), "{account}");

    let account = explain(&refused).await;
    let burst = row(&account, "few/burst");
    assert_eq!(burst[3..6], ["refused", "2", "1 of 2"], "{account}");
    assert!(burst[6].starts_with("after 60 s, at 20"), "{account}");
    assert!(!account.contains("few/tried"), "what is refused is not tried: {account}");
    let tenant = row(&account, "few/tenant");
    let digest = format!("header:x-tenant {}…#", "t".repeat(44));
    assert!(tenant[2].starts_with(&digest) && tenant[3] == "not counted", "{account}");
    assert!(account.contains("refused first by few/burst (bartizan.yaml:"), "{account}");
    assert!(account.contains("threat 45 of 100"), "one refusal by an unknown: {account}");
    assert!(!account.contains(&"t".repeat(50)), "{account}");

    let json = gateway.cli(["explain", &refused, "--json"]).await.succeeded();
    let limits = serde_json::from_str::<Value>(&json).unwrap()["requests"][0]["limits"].clone();
    assert_eq!((&limits["refused_by"], &limits["rules_left_out"]), (&"few/burst".into(), &0.into()));
    let burst = &limits["rules"][0];
    assert_eq!((&burst["effect"], &burst["configured"]["burst"]), (&"refused".into(), &2.into()));
    assert!(
        burst["retry_after_seconds"].as_f64().is_some_and(|wait| (50.0..=60.0).contains(&wait)),
        "{burst}"
    );
    assert_eq!((&burst["window_seconds"], &burst["factors"]), (&3600.0.into(), &Value::Null));
    assert_eq!(limits["threat"]["recommendations"], serde_json::json!(["watch", "require_authentication"]));

    let line = gateway.log(|line| line["request_id"] == refused.as_str()).await;
    assert_eq!(line["limit_threat"], 45);
    let standing = gateway.cli(["limits", "explain", "127.0.0.1"]).await.succeeded();
    assert!(standing.contains("threat 0 of 100, 50 % of the limits used"), "{standing}");
    let elsewhere = reqwest::Client::builder().no_proxy().local_address(IpAddr::from([127, 0, 9, 1])).build();
    let elsewhere = elsewhere.unwrap();
    let ask_elsewhere = async || id(&elsewhere.get(gateway.url("/a")).send().await.unwrap());
    ask_elsewhere().await;
    let account = explain(&ask_elsewhere().await).await;
    assert_eq!(row(&account, "few/tried")[3..6], ["would refuse", "1", "0 of 2"], "{account}");
    let free = ask("/free").await;
    assert!(!explain(&free).await.contains("LIMIT"), "nothing limits it");
    gateway.stop().await;
}

#[tokio::test]
async fn a_block_bites_at_once_and_can_be_taken_back() {
    let (_upstream, gateway) = guarded().await;
    assert!(gateway.cli(["addresses"]).await.succeeded().contains("no address"));
    let said = gateway.cli(["block", "127.0.0.0/8", "--for", "1h", "--reason", "a test"]).await.succeeded();
    assert_eq!(said.trim(), "127.0.0.0/8 is blocked, for 60 min");

    let refused = gateway.get("/public/a").await;
    assert_eq!(refused.status(), 403);
    let account = gateway.cli(["explain", &id(&refused)]).await.succeeded();
    assert!(account.contains("address_blocked") && account.contains("reputation"), "{account}");

    gateway.cli(["allow", "127.0.0.1"]).await.succeeded();
    assert_eq!(gateway.get("/public/a").await.status(), 200, "the most specific entry decides");
    let listed = gateway.cli(["addresses"]).await.succeeded();
    assert!(listed.contains("a test") && listed.contains("127.0.0.1/32"), "{listed}");

    gateway.cli(["unblock", "127.0.0.1"]).await.succeeded();
    assert_eq!(gateway.get("/public/a").await.status(), 403);
    gateway.cli(["unblock", "127.0.0.0/8"]).await.succeeded();
    assert_eq!(gateway.get("/public/a").await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let (_upstream, gateway) = guarded().await;
    for (arguments, words) in [
        (["block", "0.0.0.0/0"], "prefix"),
        (["block", "everybody"], "203.0.113.0/24"),
        (["unblock", "192.0.2.1"], "no entry"),
    ] {
        let complaint = gateway.cli(arguments).await.failed_with(1);
        assert!(complaint.contains(words), "{arguments:?}: {complaint}");
    }
    gateway.cli(["block", "192.0.2.1", "--for", "soon"]).await.failed_with(2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_cannot_be_asked_is_told_apart() {
    let complaint = cli(["status"]).await.failed_with(1);
    assert!(complaint.contains("no gateway is running") && complaint.contains("--admin"), "{complaint}");

    let (_upstream, gateway) = guarded().await;
    let admin = format!("http://{}", gateway.admin());
    let folder = tempfile::TempDir::new().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "x".repeat(43)).unwrap();
    let set_mode =
        |mode| std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    let arguments = ["status", "--admin", &admin, "--token-file", token.to_str().unwrap()];
    set_mode(0o644);
    assert!(gateway.cli(arguments).await.failed_with(1).contains("chmod 600"));
    set_mode(0o600);
    assert!(gateway.cli(arguments).await.failed_with(1).contains("does not accept the token"));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let complaint = gateway.cli(["status", "--admin", &format!("http://{nobody}")]).await.failed_with(1);
    assert!(
        complaint.contains("cannot be reached") && complaint.contains(&nobody.to_string()),
        "{complaint}"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_state_directory_that_others_may_write_to_is_not_used() {
    let (_upstream, gateway) = guarded().await;
    let state = gateway.state_directory();
    let set_mode =
        |mode| std::fs::set_permissions(&state, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    let config = gateway.config_path();
    let config = config.to_str().unwrap();
    for mode in [0o770, 0o707, 0o1777] {
        set_mode(mode);
        for complaint in [
            gateway.cli(["status"]).await.failed_with(1),
            gateway.cli(["block", "192.0.2.1"]).await.failed_with(1),
            gateway.cli(["run", "--config", config]).await.failed_with(1),
            gateway.cli(["demo"]).await.failed_with(1),
        ] {
            assert!(complaint.contains(&format!("chmod go-w {}", state.display())), "{mode:o}: {complaint}");
        }
    }
    set_mode(0o755);
    gateway.cli(["status"]).await.succeeded();
    gateway.stop().await;
}
