//! Machines that the gateway knows itself: API keys of the store, and services.

use http::StatusCode;
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
