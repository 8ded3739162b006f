//! Alerts: what a rule has found reaches a webhook whose signature a library of another house verifies, and stops being
//! escalated when somebody acknowledges it.

use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    signed_requests::{SECRET, foreign},
    upstream::{Received, Upstream},
};

/// A finding, made by what everybody can do: asking for what is not there.
const RULE: &str = "title: Somebody looks for a way in\nid: looking\nauthor: Ann Example\nlevel: high\n\
    logsource: { product: bartizan, service: gateway }\n\
    detection: { a: { http_request.url.path: /wp-admin }, condition: a }\n";

fn document(upstream: &Upstream, hook: &Upstream, boss: &Upstream) -> String {
    format!(
        r#"
detection: {{ starter: false, rules: ./looking.yml }}
alerts:
  channels:
    hook: {{ webhook: {{ url: "{hook}/alerts", secret: "{SECRET}" }} }}
    boss: {{ webhook: {{ url: "{boss}/alerts", secret: "{SECRET}" }} }}
    broken: {{ webhook: {{ url: "http://127.0.0.1:1/", secret: "{SECRET}" }} }}
  routes:
    - {{ to: hook, kinds: [detection_matched], wait: 0s, escalate: [{{ after: 1s, to: boss }}, {{ after: 1d, to: broken }}] }}
routes:
  - {{ path: /shop/**, to: "{upstream}", auth: none }}
"#
    )
}

/// What a service sees of a post that the gateway has signed.
async fn verified(hook: &Upstream, received: &Received) -> Option<Value> {
    let headers: Vec<_> = received
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers: serde_json::Map<_, _> =
        headers.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    foreign(&json!({
        "do": "verify", "method": "POST", "url": format!("{hook}/alerts"), "headers": headers,
        "body": String::from_utf8(received.body.to_vec()).unwrap(),
        "algorithm": "hmac-sha256", "key_id": "bartizan", "key": SECRET,
    }))
    .await
}

#[tokio::test]
async fn a_finding_reaches_a_webhook_and_is_escalated_until_somebody_acknowledges_it() {
    let (upstream, hook, boss) = (Upstream::start().await, Upstream::start().await, Upstream::start().await);
    let launch = Gateway::launch(&document(&upstream, &hook, &boss));
    std::fs::write(launch.folder().join("looking.yml"), RULE).unwrap();
    let gateway = launch.start().await;
    let asked = gateway.get("/wp-admin").await;
    let request = asked.headers()["x-request-id"].to_str().unwrap().to_owned();

    let received = hook.received().await;
    let told: Value = serde_json::from_slice(&received.body).unwrap();
    assert_eq!(
        (&told["reason"], &told["alert"]["title"]),
        (&json!("raised"), &json!("Somebody looks for a way in"))
    );
    assert_eq!(told["alert"]["author"], "Ann Example");
    assert_eq!(told["alert"]["requests"], json!([request]));
    if let Some(verified) = verified(&hook, &received).await {
        let covered = verified["covered"].to_string();
        assert!(covered.contains("idempotency-key") && covered.contains("content-digest"), "{covered}");
    }
    let told: Value = serde_json::from_slice(&boss.received().await.body).unwrap();
    assert_eq!(told["reason"], "escalated", "nobody has acknowledged it");

    let listed = gateway.cli(["alerts", "list", "--state", "open", "--json"]).await.succeeded();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let id = listed["alerts"][0]["id"].as_str().unwrap();
    let said = gateway.cli(["alerts", "acknowledge", id, "--note", "our own scan"]).await.succeeded();
    assert_eq!(said.trim(), "acknowledged: Somebody looks for a way in");
    let again = gateway.cli(["alerts", "acknowledge", id]).await.failed_with(1);
    assert!(again.contains("the alert is acknowledged already"), "{again}");
    for service in [&hook, &boss] {
        let told: Value = serde_json::from_slice(&service.received().await.body).unwrap();
        assert_eq!(
            (&told["reason"], &told["alert"]["note"]),
            (&json!("acknowledged"), &json!("our own scan"))
        );
    }
    let shown = gateway.cli(["alerts", "show", id]).await.succeeded();
    for part in
        ["acknowledged", "operator", "our own scan", "escalated", &format!("bartizan explain {request}")]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        hook.has_received_nothing().await && boss.has_received_nothing().await,
        "it is escalated no more"
    );

    // Whatever becomes of it is an event, and none of these raises another alert.
    let arguments = ["events", "--json", "--class", "incident_finding"];
    eventually("every step is an event", async || {
        let printed = gateway.cli(arguments).await.succeeded();
        let kinds: Vec<String> = printed
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["bartizan"]["event"].to_string())
            .collect();
        kinds == ["\"alert_raised\"", "\"alert_escalated\"", "\"alert_acknowledged\""]
    })
    .await;

    let tested = gateway.cli(["alerts", "test", "hook"]).await.succeeded();
    assert!(tested.contains("went"), "{tested}");
    assert!(String::from_utf8_lossy(&hook.received().await.body).contains("A test of this channel"));
    let tested = gateway.cli(["alerts", "test", "broken", "--json"]).await;
    assert_eq!(tested.code, Some(1), "{}", tested.stderr);
    assert!(tested.stdout.contains("the service cannot be reached"), "{}", tested.stdout);

    gateway
        .cli(["alerts", "silence", "rule=looking", "--for", "1h", "--reason", "our own scan"])
        .await
        .succeeded();
    let silences = gateway.cli(["alerts", "silences", "--json"]).await.succeeded();
    let silences: Value = serde_json::from_str(&silences).unwrap();
    let silence = silences["silences"][0]["id"].as_str().unwrap();
    gateway.cli(["alerts", "unsilence", silence]).await.succeeded();
    gateway.cli(["alerts", "resolve", id]).await.succeeded();
    let undelivered = gateway.cli(["alerts", "undelivered"]).await.succeeded();
    assert!(undelivered.contains("every notification went"), "{undelivered}");
    gateway.stop().await;
}
