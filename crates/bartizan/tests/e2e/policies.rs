//! Cedar policies behind the permissions: from the file to the refusal, its explanation, and what a change would do.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::{Gateway, cli_in},
    issuer::Issuer,
    phrases::{becomes_ready, refusal},
    upstream::Upstream,
};

const POLICIES: &str = r#"@id("clerks")
permit (principal in Role::"clerk", action in Action::"orders:*", resource);

@id("own-organization")
permit (principal, action == Action::"GET /orgs/{org}/bills", resource)
when { principal has organization && resource in principal.organization };

@id("refunds-need-mfa")
forbid (principal, action == Action::"orders:refund", resource)
unless { context.mfa };
"#;

fn document(upstream: &Upstream, issuer: &Issuer, mode: &str) -> String {
    let people = issuer.provider("");
    format!(
        r#"
policies: {{ files: ./*.cedar, mode: {mode} }}
identity: {{ shop: {people} }}
routes:
  - {{ path: /orders, to: "{upstream}", auth: shop, require: ["orders:read"] }}
  - {{ path: "/orders/{{id}}/refund", methods: [POST], to: "{upstream}", auth: shop,
      policy: {{ action: "orders:refund", resource: {{ type: Order, id: "{{id}}" }} }} }}
  - {{ path: "/orgs/{{org}}/bills", methods: [GET], to: "{upstream}", auth: shop,
      policy: {{ resource: {{ type: Bills, id: "{{org}}" }}, parents: [{{ type: Organization, id: "{{org}}" }}] }} }}
  - {{ path: /ledger, to: "{upstream}", auth: shop, zone: data, require: ["orders:read"] }}
  - {{ path: /open, to: "{upstream}", auth: none }}
"#
    )
}

async fn start(upstream: &Upstream, issuer: &Issuer, mode: &str) -> Gateway {
    let launch = Gateway::launch(&document(upstream, issuer, mode));
    std::fs::write(launch.folder().join("shop.cedar"), POLICIES).unwrap();
    let gateway = launch.start().await;
    becomes_ready(&gateway).await;
    gateway
}

/// Status, code and request id of a request with these claims.
async fn ask(
    gateway: &Gateway,
    issuer: &Issuer,
    method: &str,
    path: &str,
    claims: &Value,
) -> (u16, String, String) {
    let token = issuer.token(claims.clone());
    let request = gateway.client().request(method.parse().unwrap(), gateway.url(path)).bearer_auth(token);
    let response = request.send().await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let (status, code) = refusal(response).await;
    (status, code, id)
}

/// Replaces a file in one step.
fn replace(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join("draft"), text).unwrap();
    std::fs::rename(folder.join("draft"), folder.join(name)).unwrap();
}

#[tokio::test]
async fn policies_decide_behind_permissions_and_explain_themselves() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = start(&upstream, &issuer, "enforce").await;
    let clerk = json!({ "roles": ["clerk"], "permissions": ["orders:read"] });
    let with_mfa = json!({ "roles": ["clerk"], "amr": ["pwd", "otp"] });
    let acme = json!({ "org_id": "acme", "permissions": ["orders:read"] });
    let cases = [
        ("GET", "/orders", &clerk, 200),
        ("HEAD", "/orders", &clerk, 200),
        ("GET", "/orders", &with_mfa, 403),
        ("GET", "/orders", &acme, 403),
        ("POST", "/orders/7/refund", &clerk, 403),
        ("POST", "/orders/7/refund", &with_mfa, 200),
        ("GET", "/orgs/acme/bills", &acme, 200),
        ("GET", "/orgs/other/bills", &acme, 403),
        ("GET", "/orgs/%61cme/bills", &acme, 200),
        ("GET", "/orgs/acme/bills", &clerk, 403),
        ("GET", "/ledger", &clerk, 403),
        ("GET", "/open", &acme, 200),
    ];
    for (method, path, claims, expected) in cases {
        let (status, code, _) = ask(&gateway, &issuer, method, path, claims).await;
        assert_eq!(status, expected, "{method} {path} {claims}");
        if status == 403 && method != "HEAD" {
            assert_eq!(code, "permission_denied", "{path}");
        }
    }
    let decisions = async |outcome: &str| {
        let series = format!(
            "bartizan_policy_decisions_total{{route=\"/orders/{{id}}/refund\",outcome=\"{outcome}\"}}"
        );
        gateway.metric(&series).await
    };
    assert_eq!((decisions("permitted").await, decisions("refused").await), (1.0, 1.0));

    let (_, _, id) = ask(&gateway, &issuer, "POST", "/orders/7/refund", &clerk).await;
    let explained = gateway.cli(["explain", &id]).await.succeeded();
    assert!(explained.contains("forbidden by policy `refunds-need-mfa` (shop.cedar:8)"), "{explained}");
    for told in ["User::\"shop/ada\"", "Action::\"orders:refund\"", "Order::\"7\"", "unless { context.mfa }"]
    {
        assert!(explained.contains(told), "{told} in\n{explained}");
    }
    let determining = gateway.cli(["policy", "explain", &id]).await.succeeded();
    assert!(determining.contains("forbids `refunds-need-mfa`"), "{determining}");
    let (_, _, id) = ask(&gateway, &issuer, "GET", "/ledger", &clerk).await;
    let determining = gateway.cli(["policy", "explain", &id]).await.succeeded();
    assert!(determining.contains("forbids `built-in/zone-data`"), "{determining}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_changed_policy_is_taken_over_and_a_broken_one_is_not() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = start(&upstream, &issuer, "enforce").await;
    let clerk = json!({ "roles": ["clerk"], "permissions": ["orders:read"] });
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 200);

    replace(gateway.folder(), "shop.cedar", &POLICIES.replace("context.mfa", "context.mfaa"));
    let problem = gateway.log(|line| line["level"] == "ERROR" && line["line"].is_number()).await;
    assert!(problem["file"].as_str().unwrap().ends_with("shop.cedar"), "{problem}");
    assert_eq!((&problem["line"], &problem["column"]), (&json!(10), &json!(10)), "{problem}");
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 200);
    let checked = gateway.cli(["check", gateway.config_path().to_str().unwrap()]).await.failed_with(2);
    assert!(checked.contains("shop.cedar:10:10") && checked.contains("attribute `mfaa`"), "{checked}");

    replace(gateway.folder(), "shop.cedar", "forbid (principal, action, resource);");
    gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 403);
    gateway.stop().await;
}

#[tokio::test]
async fn a_policy_file_counts_from_when_it_is_dropped_in_until_it_is_taken_away() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = start(&upstream, &issuer, "enforce").await;
    let clerk = json!({ "roles": ["clerk"], "permissions": ["orders:read"] });
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 200);
    replace(gateway.folder(), "closed.cedar", "forbid (principal, action, resource);");
    gateway.log(|line| line["message"] == "configuration taken over").await;
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 403);
    std::fs::remove_file(gateway.folder().join("closed.cedar")).unwrap();
    let is_open = async || ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0 == 200;
    eventually("the policy is taken away", is_open).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_does_not_start_with_a_broken_policy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("shop.cedar"),
        "permit (principal, action, resource) when { context.x };",
    )
    .unwrap();
    let config = folder.path().join("bartizan.yaml");
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }\n\
                policies: { files: shop.cedar }\n\
                identity: { k: { api_key: { keys: [] } } }\n\
                routes: [{ path: /, to: \"http://127.0.0.1:1\", auth: k }]\n";
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    for command in ["run", "policy"] {
        let ended = match command {
            "run" => cli_in(&folder, ["run", "-c", config]).await,
            _ => cli_in(&folder, ["policy", "check", "-c", config]).await,
        };
        let complaint = ended.failed_with(2);
        assert!(complaint.contains("shop.cedar:1:45") && complaint.contains("attribute `x`"), "{complaint}");
    }
}

#[tokio::test]
async fn shadow_reports_what_it_would_refuse_and_a_dry_run_what_others_would() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = start(&upstream, &issuer, "shadow").await;
    let clerk = json!({ "roles": ["clerk"], "permissions": ["orders:read"] });
    let (status, _, id) = ask(&gateway, &issuer, "POST", "/orders/7/refund", &clerk).await;
    assert_eq!(status, 200);
    let explained = gateway.cli(["explain", &id]).await.succeeded();
    assert!(explained.contains("would refuse: forbidden by policy `refunds-need-mfa`"), "{explained}");
    let series = "bartizan_policy_decisions_total{route=\"/orders/{id}/refund\",outcome=\"would_refuse\"}";
    assert_eq!(gateway.metric(series).await, 1.0);
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &clerk).await.0, 200);
    // The permissions refuse this: no policy is asked.
    assert_eq!(ask(&gateway, &issuer, "GET", "/orders", &json!({})).await.0, 403);

    let proposed = gateway.folder().join("new");
    std::fs::create_dir(&proposed).unwrap();
    let proposed = proposed.join("shop.cedar");
    std::fs::write(&proposed, POLICIES.replace("unless { context.mfa }", "when { false }")).unwrap();
    let dry_run = async || {
        let run = gateway.cli(["policy", "dry-run", "--policy", proposed.to_str().unwrap()]).await;
        run.succeeded()
    };
    let told = dry_run().await;
    assert!(told.contains("2 remembered requests: 1 permitted now, 2 then; 1 judged differently"), "{told}");
    assert!(told.contains(&id) && told.contains("/orders/7/refund") && told.contains("clerks"), "{told}");
    std::fs::write(&proposed, POLICIES).unwrap();
    assert!(dry_run().await.contains("0 judged differently"));
    std::fs::write(&proposed, "permit (principal, action);").unwrap();
    let run = gateway.cli(["policy", "dry-run", "--policy", proposed.to_str().unwrap()]).await;
    assert!(run.failed_with(1).contains("missing the `resource` variable"));
    gateway.stop().await;
}

#[tokio::test]
async fn policies_are_listed_tested_and_asked_without_and_with_a_gateway() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = start(&upstream, &issuer, "enforce").await;
    let config = gateway.config_path();
    let config = config.to_str().unwrap();
    let listed = gateway.cli(["policy", "list", "-c", config]).await.succeeded();
    for told in ["clerks", "refunds-need-mfa", "orders:refund", "built-in/zone-data"] {
        assert!(listed.contains(told), "{told} in\n{listed}");
    }
    let schema = gateway.cli(["policy", "schema", "-c", config]).await.succeeded();
    assert!(schema.contains("action \"orders:refund\""), "{schema}");

    let cases = gateway.folder().join("cases.yaml");
    let case = |expect: &str| {
        format!(
            r#"
cases:
  - name: clerks read
    principal: {{ type: User, id: shop/ann, properties: {{ roles: [clerk], grants: ["orders:read"] }} }}
    action: orders:read
    resource: {{ type: Route, id: /orders }}
    expect: permit
    policies: [clerks]
  - name: refunds need a second factor
    principal: {{ type: User, id: shop/ann, properties: {{ roles: [clerk] }} }}
    action: orders:refund
    resource: {{ type: Order, id: "7" }}
    context: {{ mfa: false }}
    expect: {expect}
  - name: the ledger is for services
    principal: {{ type: User, id: shop/bot, properties: {{ roles: [clerk], grants: ["orders:read"], zone: gateway }} }}
    action: orders:read
    resource: {{ type: Route, id: /ledger }}
    expect: deny
    policies: [built-in/zone-data]
"#
        )
    };
    let test = async |expect: &str| {
        std::fs::write(&cases, case(expect)).unwrap();
        gateway.cli(["policy", "test", cases.to_str().unwrap(), "-c", config]).await
    };
    assert_eq!(test("deny").await.succeeded().matches("passed").count(), 3);
    let failed = test("permit").await;
    assert!(failed.stdout.contains("failed refunds need a second factor: forbidden by policy"), "{failed:?}");
    assert!(failed.failed_with(1).contains("1 of 3 cases failed"));

    let evaluation = json!({
        "subject": { "type": "User", "id": "shop/ann", "properties": { "roles": ["clerk"] } },
        "action": { "name": "orders:refund" },
        "resource": { "type": "Order", "id": "7" },
        "context": { "address": "203.0.113.7", "method": "POST", "path": "/orders/7/refund", "mfa": true, "secure": true, "zone": "public" },
    });
    let answer = gateway.ask_admin("/access/v1/evaluation", Some(evaluation)).await;
    let answer: Value = answer.json().await.unwrap();
    assert_eq!((&answer["decision"], &answer["context"]["policies"]), (&json!(true), &json!(["clerks"])));
    gateway.stop().await;
}

#[tokio::test]
async fn whoever_asks_hears_what_the_road_says() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let launch = Gateway::launch(&document(&upstream, &issuer, "enforce"));
    // Leaves everything to the permissions.
    std::fs::write(launch.folder().join("shop.cedar"), "permit (principal, action, resource);").unwrap();
    let gateway = launch.start().await;
    becomes_ready(&gateway).await;
    for (grants, may) in [(json!([]), false), (json!(["bills:*"]), false), (json!(["orders:read"]), true)] {
        let claims = json!({ "permissions": grants });
        let (status, ..) = ask(&gateway, &issuer, "GET", "/orders", &claims).await;
        assert_eq!(status, if may { 200 } else { 403 }, "{claims}");
        let question = json!({
            "subject": { "type": "User", "id": "shop/ada", "properties": { "grants": grants } },
            "action": { "name": "orders:read" },
            "resource": { "type": "Route", "id": "/orders" },
        });
        let answer = gateway.ask_admin("/access/v1/evaluation", Some(question.clone())).await;
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["decision"], may, "{answer}");
        let file = gateway.folder().join("question.json");
        std::fs::write(&file, question.to_string()).unwrap();
        let config = gateway.config_path();
        let explain =
            ["policy", "explain", "--request", file.to_str().unwrap(), "-c", config.to_str().unwrap()];
        let explained = gateway.cli(explain).await.succeeded();
        let expected = if may { "permits" } else { "lacks `orders:read`" };
        assert!(explained.contains(expected), "{explained}");
    }
    gateway.stop().await;
}
