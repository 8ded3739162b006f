//! Roles of organisations' own: made by an operator, given on by whoever manages the organisation, told by the audit
//! trail.

use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    phrases::{refusal, values},
    upstream::Upstream,
};

const PASSWORD: &str = "plum-Terrace-9-orbit";

fn document(upstream: &Upstream) -> String {
    format!(
        r#"
accounts: {{ password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}, audit: {{ retention: 365d }} }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /tickets/**, to: "{upstream}", auth: people, require: {{ GET: [tickets:read], POST: [tickets:write] }} }}
"#
    )
}

struct Session {
    cookie: String,
    csrf: String,
}

impl Session {
    async fn begin(gateway: &Gateway, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
        let headers = answer.headers().clone();
        let cookies = values(&headers, "set-cookie");
        let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix("bartizan=")).unwrap();
        let answer: Value = answer.json().await.unwrap();
        let csrf = answer["csrf_token"].as_str().unwrap().to_owned();
        Self { cookie: format!("bartizan={}", cookie.split(';').next().unwrap()), csrf }
    }

    async fn get(&self, gateway: &Gateway, path: &str) -> reqwest::Response {
        gateway.client().get(gateway.url(path)).header("cookie", &self.cookie).send().await.unwrap()
    }

    fn posting(&self, gateway: &Gateway, path: &str) -> reqwest::RequestBuilder {
        let request = gateway.client().post(gateway.url(path)).header("cookie", &self.cookie);
        request.header("x-csrf-token", &self.csrf)
    }

    async fn post(&self, gateway: &Gateway, path: &str, body: &Value) -> reqwest::Response {
        self.posting(gateway, path).json(body).send().await.unwrap()
    }
}

async fn person(gateway: &Gateway, email: &str) {
    let new = json!({ "email": email, "name": "Ada", "password": PASSWORD, "roles": [] });
    assert_eq!(gateway.ask_admin("/v1/users", Some(new)).await.status(), 200);
}

#[tokio::test]
async fn who_manages_an_organisation_gives_what_they_have() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    for email in ["chief@shop.test", "bob@shop.test"] {
        person(&gateway, email).await;
    }
    gateway.cli(["role", "create", "Acme", "desk", "--permission", "tickets:*"]).await.succeeded();
    gateway.cli(["role", "bind", "Acme", "org_admin", "--user", "chief@shop.test"]).await.succeeded();
    gateway.cli(["role", "bind", "Acme", "desk", "--user", "chief@shop.test"]).await.succeeded();
    gateway.cli(["role", "bind", "Acme", "viewer", "--user", "bob@shop.test"]).await.succeeded();
    let (chief, bob) =
        (Session::begin(&gateway, "chief@shop.test").await, Session::begin(&gateway, "bob@shop.test").await);
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 403);

    let reader = json!({ "name": "reader", "permissions": ["tickets:read"] });
    assert_eq!(refusal(bob.post(&gateway, "/auth/roles", &reader).await).await.1, "insufficient_permissions");
    assert_eq!(chief.post(&gateway, "/auth/roles", &reader).await.status(), 200);
    let all = json!({ "name": "all", "permissions": ["*"] });
    assert_eq!(refusal(chief.post(&gateway, "/auth/roles", &all).await).await.1, "insufficient_permissions");
    let bind = json!({ "user": "bob@shop.test", "role": "reader" });
    assert_eq!(chief.post(&gateway, "/auth/bindings", &bind).await.status(), 204);
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 200, "it counts for the session that exists");
    assert_eq!(bob.post(&gateway, "/tickets/1", &json!({})).await.status(), 403);
    let beyond = json!({ "user": "bob@shop.test", "role": "super_admin" });
    let beyond = refusal(chief.post(&gateway, "/auth/bindings", &beyond).await).await;
    assert_eq!(beyond, (403, "insufficient_permissions".into()));

    // What a role of theirs grants changes for everybody who has it, at once; and no further than they reach.
    let set = async |session: &Session, permissions: Value| {
        let body = json!({ "permissions": permissions });
        session.post(&gateway, "/auth/roles/reader/permissions", &body).await
    };
    assert_eq!(refusal(set(&bob, json!(["tickets:read"])).await).await.1, "insufficient_permissions");
    assert_eq!(refusal(set(&chief, json!(["*"])).await).await.1, "insufficient_permissions");
    assert_eq!(set(&chief, json!(["tickets:read", "tickets:write"])).await.status(), 200);
    assert_eq!(bob.post(&gateway, "/tickets/1", &json!({})).await.status(), 200);
    let set = gateway.cli(["role", "set-permissions", "Acme", "reader", "tickets:read"]).await.succeeded();
    assert_eq!(set.trim(), "reader grants tickets:read");
    assert_eq!(bob.post(&gateway, "/tickets/1", &json!({})).await.status(), 403);
    let trail: Value = gateway
        .ask_admin("/v1/audit?action=role.set_permissions&outcome=done", None)
        .await
        .json()
        .await
        .unwrap();
    let details = &trail["entries"][0]["details"];
    assert_eq!(details["before"]["permissions"], "tickets:read tickets:write");
    assert_eq!(details["after"]["permissions"], "tickets:read");

    // Members are suspended, and come back, for whoever manages the organisation and for operators.
    let reason = json!({ "reason": "on leave" });
    assert_eq!(
        refusal(bob.post(&gateway, "/auth/members/chief@shop.test/suspend", &reason).await).await.0,
        403
    );
    assert_eq!(chief.post(&gateway, "/auth/members/bob@shop.test/suspend", &reason).await.status(), 204);
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 403);
    let members: Value = chief.get(&gateway, "/auth/members").await.json().await.unwrap();
    let suspended =
        members["members"].as_array().unwrap().iter().filter(|member| !member["suspended"].is_null());
    assert_eq!(suspended.count(), 2, "{members}");
    assert!(gateway.cli(["org", "member", "list", "Acme"]).await.succeeded().contains("suspended"));
    gateway.cli(["user", "enable", "bob@shop.test", "--org", "Acme"]).await.succeeded();
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 200);
    gateway.cli(["user", "disable", "bob@shop.test", "--org", "Acme", "--reason", "again"]).await.succeeded();
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 403);
    // Whoever has got hold of a session revives nobody with it.
    let stolen = Session::begin(&gateway, "chief@shop.test").await;
    let resume = stolen.posting(&gateway, "/auth/members/bob@shop.test/resume");
    let moved = resume.header("user-agent", "python-requests/2.31").json(&json!({})).send().await.unwrap();
    assert_eq!(refusal(moved).await, (401, "insufficient_user_authentication".into()));
    assert_eq!(chief.post(&gateway, "/auth/members/bob@shop.test/resume", &json!({})).await.status(), 204);
    let told = gateway.cli(["audit", "list", "--org", "Acme", "--action", "member"]).await.succeeded();
    assert!(told.contains("member.suspend") && told.contains("member.resume"), "{told}");

    // Whoever manages the organisation reads its part of the trail, and no other.
    gateway.cli(["org", "create", "Other"]).await.succeeded();
    assert_eq!(refusal(bob.get(&gateway, "/auth/audit").await).await.1, "insufficient_permissions");
    let own: Value = chief.get(&gateway, "/auth/audit?limit=1000&outcome=done").await.json().await.unwrap();
    let own = own["entries"].as_array().unwrap();
    let of = |action: &str| own.iter().filter(|entry| entry["action"] == action).collect::<Vec<_>>();
    assert_eq!((of("member.suspend").len(), of("organization.create").len()), (2, 1), "{own:?}");
    assert!(of("user.create").is_empty(), "people belong to no organisation");
    assert_eq!(of("organization.create")[0]["address"], "", "where operators sit is not told");

    // What operators change elsewhere is in the trail, too.
    gateway.cli(["block", "203.0.113.9", "--reason", "scanning"]).await.succeeded();
    gateway.cli(["unblock", "203.0.113.9"]).await.succeeded();
    let path = "/v1/audit?action=addresses";
    let trail: Value = gateway.ask_admin(path, None).await.json().await.unwrap();
    assert_eq!(trail["entries"][1]["action"], "addresses.set");
    assert_eq!(trail["entries"][1]["details"]["before"], Value::Null);
    assert_eq!(trail["entries"][1]["details"]["after"]["reason"], "scanning");
    assert_eq!(trail["entries"][0]["details"]["before"]["reason"], "scanning");

    let listed = gateway.cli(["role", "bindings", "Acme"]).await.succeeded();
    assert!(listed.contains("custom/reader") && listed.contains("org_admin"), "{listed}");
    let bound = [
        "role",
        "bind",
        "Acme",
        "desk",
        "--user",
        "bob@shop.test",
        "--scope",
        "tickets:write",
        "--for",
        "1d",
    ];
    gateway.cli(bound).await.succeeded();
    gateway.cli(["role", "unbind", "Acme", "reader", "--user", "bob@shop.test"]).await.succeeded();
    assert_eq!(bob.get(&gateway, "/tickets/1").await.status(), 403);
    gateway.cli(["role", "delete", "Acme", "reader"]).await.succeeded();
    assert!(!gateway.cli(["role", "list", "Acme"]).await.succeeded().contains("reader"));

    // The trail tells who gave what.
    let path = "/v1/audit?action=role.bind&actor=chief@shop.test&outcome=done";
    let trail: Value = gateway.ask_admin(path, None).await.json().await.unwrap();
    let entries = trail["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{trail}");
    assert_eq!(entries[0]["details"]["role"], "custom/reader");
    assert_eq!(entries[0]["details"]["before"], Value::Null);
    assert_eq!(entries[0]["details"]["after"], json!({ "scope": "", "expires": null }));
    let shown = gateway.cli(["audit", "list", "--action", "role", "--for", "1h"]).await.succeeded();
    for action in ["role.create", "role.bind", "role.unbind", "role.delete"] {
        assert!(shown.contains(action), "{action}: {shown}");
    }
    assert!(!shown.contains("user.create"), "{shown}");

    // Whoever manages the organisation sees and ends what its members have open for it.
    let path = "/auth/members/bob@shop.test/sessions";
    assert_eq!(refusal(bob.get(&gateway, path).await).await.1, "insufficient_permissions");
    let open: Value = chief.get(&gateway, path).await.json().await.unwrap();
    assert!(!open["sessions"].as_array().unwrap().is_empty(), "{open}");
    let end = gateway.client().delete(gateway.url(path)).header("cookie", &chief.cookie);
    assert_eq!(end.header("x-csrf-token", &chief.csrf).send().await.unwrap().status(), 204);
    assert_eq!(bob.get(&gateway, "/auth/session").await.status(), 401);
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_changed_file_changes_is_in_the_trail() {
    let upstream = Upstream::start().await;
    let with = |auditor: &str| format!("roles: {{ auditor: [{auditor}] }}\n{}", document(&upstream));
    let gateway = Gateway::start(&with("\"tickets:read\"")).await;
    gateway.rewrite(&with("\"tickets:*\""));
    let entry = async |action: &str| {
        let path = format!("/v1/audit?action={action}");
        let told: Value = gateway.ask_admin(&path, None).await.json().await.unwrap();
        told["entries"].as_array().unwrap().first().cloned()
    };
    for action in ["configuration.reload", "role.widen"] {
        eventually(action, async || entry(action).await.is_some()).await;
    }
    let reload = entry("configuration.reload").await.unwrap();
    assert_eq!(reload["actor"], "configuration");
    let details = &reload["details"];
    assert!(details["before"].is_string() && details["before"] != details["after"], "{reload}");
    let widened = entry("role.widen").await.unwrap();
    let told =
        json!({ "before": { "permissions": ["tickets:read"] }, "after": { "permissions": ["tickets:*"] } });
    assert_eq!((&widened["subject"], &widened["details"]), (&json!("auditor"), &told));
    gateway.stop().await;
}
