//! Machines that the gateway knows itself: API keys of the store, and services.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    phrases::{refusal, values},
    upstream::Upstream,
};

const PASSWORD: &str = "plum-Terrace-9-orbit";

pub(crate) fn document(upstream: &Upstream) -> String {
    format!(
        r#"
accounts: {{ password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}, api_keys: {{ prefix: shop_live }} }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }}, machines: {{ api_key: {{ store: true }} }} }}
roles: {{ auditor: [reports:read] }}
routes:
  - {{ path: /reports/**, to: "{upstream}", auth: [people, machines], require: [reports:read] }}
"#
    )
}

pub(crate) async fn get(gateway: &Gateway, key: &str) -> reqwest::Response {
    gateway.client().get(gateway.url("/reports/1")).header("x-api-key", key).send().await.unwrap()
}

pub(crate) async fn status(gateway: &Gateway, key: &str) -> u16 {
    get(gateway, key).await.status().as_u16()
}

/// What a command shows after these words on a line.
pub(crate) fn after<'t>(text: &'t str, words: &str) -> &'t str {
    let line = text.lines().find_map(|line| line.strip_prefix(words));
    line.unwrap_or_else(|| panic!("no `{words}` in {text}")).trim()
}

pub(crate) async fn person(gateway: &Gateway, email: &str, roles: &[&str]) {
    let new = json!({ "email": email, "name": "Ada", "password": PASSWORD, "roles": roles });
    assert_eq!(gateway.ask_admin("/v1/users", Some(new)).await.status(), 200);
}

/// The cookie of a new session, and what its writes repeat.
pub(crate) async fn log_in(gateway: &Gateway, email: &str) -> (String, String) {
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
    let headers = answer.headers().clone();
    let cookies = values(&headers, "set-cookie");
    let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix("bartizan=")).unwrap();
    let cookie = format!("bartizan={}", cookie.split(';').next().unwrap());
    let answer: Value = answer.json().await.unwrap();
    (cookie, answer["csrf_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_operator_makes_rotates_suspends_and_revokes_a_key() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let create = ["key", "create", "nightly", "--org", "Acme", "--permission", "reports:*", "--for", "90d"];
    let made = gateway.cli(create).await.succeeded();
    let (key, id) = (after(&made, "key, shown only now: "), after(&made, "id"));
    assert!(key.starts_with("shop_live_"), "{made}");
    assert_eq!(status(&gateway, key).await, 200);
    let received = upstream.received().await;
    assert_eq!(values(&received.headers, "x-user-id"), [id]);
    assert_eq!(values(&received.headers, "x-user-permissions"), ["reports:*"]);

    let rotated = gateway.cli(["key", "rotate", id, "--overlap", "1h"]).await.succeeded();
    let second = after(&rotated, "key, shown only now: ");
    assert_eq!((status(&gateway, key).await, status(&gateway, second).await), (200, 200));
    let rotated = gateway.cli(["key", "rotate", id]).await.succeeded();
    let third = after(&rotated, "key, shown only now: ");
    assert_eq!((status(&gateway, second).await, status(&gateway, third).await), (401, 200));

    gateway.cli(["key", "suspend", id, "--reason", "leaked"]).await.succeeded();
    let refused = refusal(get(&gateway, third).await).await;
    assert_eq!(refused, (401, "invalid_authentication_token".into()));
    let listed = gateway.cli(["key", "list"]).await.succeeded();
    assert!(listed.contains("suspended: leaked") && !listed.contains(third), "{listed}");
    gateway.cli(["key", "resume", id]).await.succeeded();
    assert_eq!(status(&gateway, third).await, 200);
    gateway.cli(["key", "revoke", id]).await.succeeded();
    assert_eq!(status(&gateway, third).await, 401);
    for key in [key, second, third] {
        assert!(!gateway.log_text().contains(key));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn people_make_keys_with_no_more_than_they_have() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    person(&gateway, "ada@shop.test", &["user", "auditor"]).await;
    person(&gateway, "vic@shop.test", &["viewer"]).await;
    let (cookie, csrf) = log_in(&gateway, "ada@shop.test").await;
    let create = async |cookie: &str, csrf: Option<&str>, permissions: &[&str]| {
        let body = json!({ "name": "mine", "permissions": permissions });
        let request = gateway.client().post(gateway.url("/auth/keys")).header("cookie", cookie).json(&body);
        let request = csrf.into_iter().fold(request, |request, csrf| request.header("x-csrf-token", csrf));
        request.send().await.unwrap()
    };
    let forged = refusal(create(&cookie, None, &["reports:read"]).await).await;
    assert_eq!(forged, (403, "cross_site_refused".into()));
    let beyond = refusal(create(&cookie, Some(&csrf), &["billing:manage"]).await).await;
    assert_eq!(beyond, (403, "insufficient_permissions".into()));
    let made = create(&cookie, Some(&csrf), &["reports:read"]).await;
    assert_eq!(made.status(), StatusCode::OK);
    let made: Value = made.json().await.unwrap();
    let (secret, id) = (made["secret"].as_str().unwrap(), made["key"]["id"].as_str().unwrap());
    assert_eq!(status(&gateway, secret).await, 200);

    // A viewer may not make one, and nobody ends somebody else's.
    let (others_cookie, others_csrf) = log_in(&gateway, "vic@shop.test").await;
    let viewer = refusal(create(&others_cookie, Some(&others_csrf), &["user:read"]).await).await;
    assert_eq!(viewer, (403, "insufficient_permissions".into()));
    let end = async |cookie: &str, csrf: &str| {
        let path = gateway.url(&format!("/auth/keys/{id}"));
        let request = gateway.client().delete(path).header("cookie", cookie).header("x-csrf-token", csrf);
        request.send().await.unwrap().status().as_u16()
    };
    gateway.cli(["user", "add-role", "vic@shop.test", "user"]).await.succeeded();
    assert_eq!(end(&others_cookie, &others_csrf).await, 404);
    assert_eq!(status(&gateway, secret).await, 200);

    // The key loses what its owner loses.
    gateway.cli(["user", "remove-role", "ada@shop.test", "auditor"]).await.succeeded();
    eventually("the key without the role", async || status(&gateway, secret).await == 403).await;
    gateway.cli(["user", "add-role", "ada@shop.test", "auditor"]).await.succeeded();
    eventually("the key with the role again", async || status(&gateway, secret).await == 200).await;
    assert_eq!(end(&cookie, &csrf).await, 200);
    assert_eq!(status(&gateway, secret).await, 401);
    gateway.stop().await;
}

#[tokio::test]
async fn an_operator_keeps_services() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let create = ["service", "create", "Acme", "reporter", "--permission", "reports:read"];
    let made = gateway.cli(create).await.succeeded();
    let (secret, id) = (after(&made, "secret, shown only now: "), after(&made, "client id"));
    let key = gateway.cli(["key", "create", "cron", "--service", id, "--permission", "*"]).await.succeeded();
    let key = after(&key, "key, shown only now: ");
    assert_eq!(status(&gateway, key).await, 200);
    assert_eq!(values(&upstream.received().await.headers, "x-user-permissions"), ["reports:read"]);

    let rotated = gateway.cli(["service", "rotate", id, "--overlap", "1h"]).await.succeeded();
    assert_ne!(after(&rotated, "secret, shown only now: "), secret);
    let certificate = ["service", "add-credential", id, "--certificate", "uri:spiffe://shop.test/reporter"];
    assert!(gateway.cli(certificate).await.succeeded().contains("uri:spiffe://shop.test/reporter"));
    gateway.cli(["service", "set-permissions", id]).await.succeeded();
    assert_eq!(status(&gateway, key).await, 403);
    gateway.cli(["service", "set-permissions", id, "reports:read"]).await.succeeded();
    gateway.cli(["service", "suspend", id, "--reason", "moved"]).await.succeeded();
    assert_eq!(status(&gateway, key).await, 401);
    gateway.cli(["service", "resume", id]).await.succeeded();
    assert_eq!(status(&gateway, key).await, 200);
    let renamed = gateway.cli(["service", "rename", id, "chronicler"]).await.succeeded();
    assert_eq!(after(&renamed, "name"), "chronicler");
    gateway.cli(["service", "create", "Acme", "reporter"]).await.succeeded();
    let taken = gateway.cli(["service", "rename", id, "reporter"]).await.failed_with(1);
    assert!(taken.contains("`reporter` is taken"), "{taken}");
    assert_eq!(status(&gateway, key).await, 200, "a name changes nothing else");
    gateway.cli(["service", "delete", id]).await.succeeded();
    assert_eq!(status(&gateway, key).await, 401);
    assert!(!gateway.cli(["service", "list"]).await.succeeded().contains("chronicler"));
    gateway.stop().await;
}

/// A session that manages its organisation, over HTTP.
struct Chief<'g> {
    gateway: &'g Gateway,
    cookie: String,
    csrf: String,
}

impl<'g> Chief<'g> {
    async fn of(gateway: &'g Gateway, email: &str) -> Self {
        let (cookie, csrf) = log_in(gateway, email).await;
        Self { gateway, cookie, csrf }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Response {
        let url = self.gateway.url(&format!("/auth/organization/{path}"));
        let request = self.gateway.client().request(method, url).header("cookie", &self.cookie);
        let request = request.header("x-csrf-token", &self.csrf);
        let request = body.iter().fold(request, reqwest::RequestBuilder::json);
        request.send().await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> reqwest::Response {
        self.ask(Method::POST, path, Some(body)).await
    }
}

#[tokio::test]
async fn who_manages_an_organization_keeps_its_keys_and_services() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    for organization in ["Acme", "Rival"] {
        gateway.cli(["org", "create", organization]).await.succeeded();
    }
    for (email, organization) in [("chief@shop.test", "Acme"), ("rival@shop.test", "Rival")] {
        person(&gateway, email, &[]).await;
        for role in ["org_admin", "auditor"] {
            gateway.cli(["role", "bind", organization, role, "--user", email]).await.succeeded();
        }
    }
    person(&gateway, "bob@shop.test", &[]).await;
    gateway.cli(["role", "bind", "Acme", "user", "--user", "bob@shop.test"]).await.succeeded();
    let chief = Chief::of(&gateway, "chief@shop.test").await;
    let rival = Chief::of(&gateway, "rival@shop.test").await;
    let bob = Chief::of(&gateway, "bob@shop.test").await;
    let insufficient = (403, "insufficient_permissions".to_owned());

    // A service, with no more than its maker has.
    let reporter = json!({ "name": "reporter", "permissions": ["reports:read"] });
    let root = json!({ "name": "root", "permissions": ["*"] });
    assert_eq!(refusal(chief.post("services", root).await).await, insufficient);
    assert_eq!(refusal(bob.post("services", reporter.clone()).await).await, insufficient);
    let made: Value = chief.post("services", reporter).await.json().await.unwrap();
    let service = made["service"]["id"].as_str().unwrap().to_owned();
    let rotated: Value = chief
        .post(&format!("services/{service}/rotate"), json!({ "overlap_seconds": 60 }))
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(rotated["service"]["credentials"].as_array().unwrap().len(), 2, "two secrets overlap");
    let keys = json!({ "certificate": "uri:spiffe://shop.test/reporter" });
    assert_eq!(chief.post(&format!("services/{service}/credentials"), keys).await.status(), 200);

    // A key of it, and one of the organisation.
    let of_service = json!({ "name": "cron", "service": service, "permissions": ["reports:read"] });
    let own = json!({ "name": "nightly", "permissions": ["reports:read"], "rate": "1000/min" });
    assert_eq!(refusal(bob.post("keys", own.clone()).await).await, insufficient);
    assert_eq!(refusal(rival.post("keys", of_service.clone()).await).await.0, 404);
    let of_service: Value = chief.post("keys", of_service).await.json().await.unwrap();
    let own: Value = chief.post("keys", own).await.json().await.unwrap();
    let secret = |issued: &Value| issued["secret"].as_str().unwrap().to_owned();
    let path = |issued: &Value, rest: &str| format!("keys/{}{rest}", issued["key"]["id"].as_str().unwrap());
    for issued in [&of_service, &own] {
        assert_eq!(status(&gateway, &secret(issued)).await, 200);
    }
    let rotate = json!({ "overlap_seconds": 0 });
    let renewed: Value = chief.post(&path(&own, "/rotate"), rotate.clone()).await.json().await.unwrap();
    assert_eq!(status(&gateway, &secret(&own)).await, 401);
    assert_eq!(status(&gateway, &secret(&renewed)).await, 200);

    // Suspended, and gone with what it belongs to. Nothing of it is another organisation's.
    let reason = json!({ "reason": "leaked" });
    for place in [path(&own, "/suspend"), format!("services/{service}/suspend")] {
        assert_eq!(refusal(rival.post(&place, reason.clone()).await).await.0, 404, "{place}");
        assert_eq!(chief.post(&place, reason.clone()).await.status(), 200, "{place}");
    }
    for issued in [&of_service, &renewed] {
        assert_eq!(status(&gateway, &secret(issued)).await, 401);
    }
    for place in [path(&own, "/resume"), format!("services/{service}/resume")] {
        assert_eq!(chief.ask(Method::POST, &place, None).await.status(), 200, "{place}");
    }
    for issued in [&of_service, &renewed] {
        assert_eq!(status(&gateway, &secret(issued)).await, 200);
    }
    let listed: Value = chief.ask(Method::GET, "keys", None).await.json().await.unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    let listed: Value = rival.ask(Method::GET, "keys", None).await.json().await.unwrap();
    assert_eq!(listed["keys"], json!([]));
    let listed: Value = rival.ask(Method::GET, "services", None).await.json().await.unwrap();
    assert_eq!(listed["services"], json!([]));

    // A member's key is theirs to know; ended it can be.
    let members = gateway.client().post(gateway.url("/auth/keys")).header("cookie", &bob.cookie);
    let members = members.header("x-csrf-token", &bob.csrf);
    let members = members.json(&json!({ "name": "mine", "permissions": ["user:read"] }));
    let members: Value = members.send().await.unwrap().json().await.unwrap();
    assert_eq!(refusal(chief.post(&path(&members, "/rotate"), rotate).await).await, insufficient);
    assert_eq!(chief.ask(Method::DELETE, &path(&members, ""), None).await.status(), 200);
    assert_eq!(chief.ask(Method::DELETE, &path(&own, ""), None).await.status(), 200);
    assert_eq!(status(&gateway, &secret(&renewed)).await, 401);
    assert_eq!(chief.ask(Method::DELETE, &format!("services/{service}"), None).await.status(), 200);
    assert_eq!(status(&gateway, &secret(&of_service)).await, 401);

    // Without the token that only its own pages know, nothing is done.
    let forged = gateway.client().post(gateway.url("/auth/organization/services"));
    let forged = forged.header("cookie", &chief.cookie).json(&json!({ "name": "forged" }));
    assert_eq!(refusal(forged.send().await.unwrap()).await, (403, "cross_site_refused".into()));
    // The trail of the organisation tells of it.
    let trail = gateway.cli(["audit", "list", "--org", "Acme", "--for", "1h"]).await.succeeded();
    for action in ["service.create", "service.rotate", "api_key.create", "api_key.suspend", "service.delete"]
    {
        assert!(trail.contains(action), "{action}: {trail}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_organization_is_renamed_and_forgotten_with_everything_that_acts_for_it() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    for name in ["Acme", "Empty"] {
        gateway.cli(["org", "create", name]).await.succeeded();
    }
    gateway.cli(["org", "rename", "Acme", "Acme Ltd"]).await.succeeded();
    let taken = gateway.cli(["org", "rename", "Empty", "Acme Ltd"]).await.failed_with(1);
    assert!(taken.contains("`Acme Ltd` is taken"), "{taken}");
    person(&gateway, "ada@shop.test", &["auditor"]).await;
    gateway.cli(["org", "member", "add", "Acme Ltd", "ada@shop.test"]).await.succeeded();
    gateway
        .cli(["service", "create", "Acme Ltd", "reporter", "--permission", "reports:read"])
        .await
        .succeeded();
    let create = ["key", "create", "nightly", "--org", "Acme Ltd", "--permission", "reports:read"];
    let made = gateway.cli(create).await.succeeded();
    let key = after(&made, "key, shown only now: ");
    let (cookie, _) = log_in(&gateway, "ada@shop.test").await;
    let session = async || {
        let request = gateway.client().get(gateway.url("/auth/session")).header("cookie", &cookie);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((status(&gateway, key).await, session().await), (200, 200));
    let shown = gateway.cli(["org", "show", "Acme Ltd"]).await.succeeded();
    assert_eq!(["members", "services", "API keys"].map(|what| after(&shown, what)), ["1", "1", "1"]);
    let refused = gateway.cli(["org", "delete", "Acme Ltd"]).await.failed_with(1);
    assert!(refused.contains("1 members, 1 services and 1 API keys"), "{refused}");
    assert_eq!((status(&gateway, key).await, session().await), (200, 200));

    gateway.cli(["org", "delete", "Acme Ltd", "--force"]).await.succeeded();
    assert_eq!((status(&gateway, key).await, session().await), (401, 401));
    gateway.cli(["org", "delete", "Empty", "--json"]).await.succeeded();
    assert!(gateway.cli(["org", "list"]).await.succeeded().contains("no organisations"));
    let user = gateway.cli(["user", "show", "ada@shop.test"]).await.succeeded();
    assert!(user.contains("ada@shop.test"), "the account stays: {user}");
    let trail = gateway.cli(["audit", "list", "--json"]).await.succeeded();
    for action in ["organization.rename", "organization.delete"] {
        assert!(trail.contains(action), "{trail}");
    }
    gateway.stop().await;
}

/// A service that asks what somebody may do knows their id, and no more.
#[tokio::test]
async fn whoever_is_asked_about_by_id_may_do_what_the_road_lets_them() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    person(&gateway, "ada@shop.test", &["auditor"]).await;
    person(&gateway, "vic@shop.test", &["viewer"]).await;
    let id = async |email: &str| {
        let known: Value = gateway.ask_admin(&format!("/v1/users/{email}"), None).await.json().await.unwrap();
        known["id"].as_str().unwrap().to_owned()
    };
    let (ada, vic) = (id("ada@shop.test").await, id("vic@shop.test").await);
    let create = ["key", "create", "nightly", "--org", "Acme", "--permission", "reports:read"];
    let made = gateway.cli(create).await.succeeded();
    let (key, key_id) = (after(&made, "key, shown only now: ").to_owned(), after(&made, "id").to_owned());
    let may = async |caller: &str, id: &str| {
        let question = json!({
            "subject": { "type": caller, "id": id },
            "action": { "name": "reports:read" },
            "resource": { "type": "Route", "id": "/reports/**" },
        });
        let answer = gateway.ask_admin("/access/v1/evaluation", Some(question)).await;
        let answer: Value = answer.json().await.unwrap();
        answer["decision"].as_bool().unwrap_or_else(|| panic!("{answer}"))
    };
    assert!(may("User", &format!("people/{ada}")).await);
    assert!(!may("User", &format!("people/{vic}")).await);
    assert!(!may("User", "people/nobody").await);
    assert!(!may("User", &format!("machines/{ada}")).await, "no person comes with a key");
    assert!(may("ApiKey", &format!("machines/{key_id}")).await);
    assert_eq!(status(&gateway, &key).await, 200);

    gateway.cli(["key", "suspend", &key_id, "--reason", "leaked"]).await.succeeded();
    gateway.cli(["user", "disable", "ada@shop.test"]).await.succeeded();
    assert!(!may("ApiKey", &format!("machines/{key_id}")).await);
    assert!(!may("User", &format!("people/{ada}")).await);
    assert_eq!(status(&gateway, &key).await, 401);

    // A part of a role, for a while.
    let give = ["user", "add-role", "vic@shop.test", "auditor", "--scope", "reports:read", "--for", "1h"];
    gateway.cli(give).await.succeeded();
    assert!(may("User", &format!("people/{vic}")).await);
    let listed = gateway.cli(["role", "list"]).await.succeeded();
    assert!(listed.contains("auditor") && listed.contains("org_admin"), "{listed}");

    // Typing errors are mended where they are.
    let renamed = gateway.cli(["user", "set-name", "vic@shop.test", "Vic V."]).await.succeeded();
    assert!(renamed.contains("Vic V."), "{renamed}");
    gateway.cli(["user", "set-email", "vic@shop.test", "vic@lovelace.test"]).await.succeeded();
    assert_eq!(id("vic@lovelace.test").await, vic);
    let first: Value = gateway.ask_admin("/v1/users?limit=1", None).await.json().await.unwrap();
    assert_eq!(
        (&first["users"][0]["email"], &first["next"]),
        (&json!("ada@shop.test"), &json!("ada@shop.test"))
    );
    let rest: Value =
        gateway.ask_admin("/v1/users?limit=1&after=ada@shop.test", None).await.json().await.unwrap();
    assert_eq!((&rest["users"][0]["id"], rest.get("next")), (&json!(vic), None));
    gateway.stop().await;
}
