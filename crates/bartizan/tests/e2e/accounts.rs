//! People whom the gateway knows itself: made by an operator, logged in with curl, let in by their session.

use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    eventually::eventually,
    harness::Gateway,
    phrases::{refusal, values},
    postgres_server::PostgresServer,
    upstream::Upstream,
};

pub(crate) const PASSWORD: &str = "plum-Terrace-9-orbit";
/// As little as may be configured: stories are not about the time that it takes.
pub(crate) const CHEAP: &str = "password: { argon2: { memory: 7MiB, iterations: 5 } }";

fn document(upstream: &Upstream, store: &str) -> String {
    format!(
        r#"
accounts: {{ {CHEAP} }}
{store}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ people: {{ session: {{}} }} }}
roles: {{ auditor: [reports:read] }}
routes:
  - {{ path: /private/**, to: "{upstream}", auth: people }}
  - {{ path: /reports/**, to: "{upstream}", auth: people, require: [reports:read] }}
"#
    )
}

/// Somebody who has logged in.
pub(crate) struct Session {
    pub(crate) cookie: String,
    pub(crate) csrf: String,
    id: String,
}

impl Session {
    pub(crate) fn of(answer: &Value, cookies: &[&str]) -> Self {
        let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix("bartizan="));
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        Self {
            cookie: format!("bartizan={}", cookie.unwrap().split(';').next().unwrap()),
            csrf: text("csrf_token"),
            id: text("session"),
        }
    }

    pub(crate) async fn get(&self, gateway: &Gateway, path: &str) -> reqwest::Response {
        gateway.client().get(gateway.url(path)).header("cookie", &self.cookie).send().await.unwrap()
    }

    pub(crate) fn post(&self, gateway: &Gateway, path: &str) -> reqwest::RequestBuilder {
        gateway.client().post(gateway.url(path)).header("cookie", &self.cookie)
    }
}

pub(crate) async fn log_in_as(gateway: &Gateway, email: &str, password: &str) -> reqwest::Response {
    let body = json!({ "email": email, "password": password });
    gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap()
}

async fn log_in(gateway: &Gateway, password: &str) -> Session {
    let response = log_in_as(gateway, "ada@shop.test", password).await;
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let cookies = values(&headers, "set-cookie");
    Session::of(&response.json().await.unwrap(), &cookies)
}

/// `bartizan user create` with a password on standard input would need a pipe, so the operator sets one by the API.
pub(crate) async fn create(gateway: &Gateway, email: &str, roles: &[&str]) {
    let new = json!({ "email": email, "name": "Ada", "password": PASSWORD, "roles": roles });
    let response = gateway.ask_admin("/v1/users", Some(new)).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
}

/// `curl` with a jar for cookies: status, and what was answered.
async fn curl(jar: &Path, arguments: &[&str]) -> (String, Value) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--write-out",
            "\n%{http_code}",
            "--cookie-jar",
        ])
        .arg(jar)
        .arg("--cookie")
        .arg(jar)
        .args(arguments)
        .output()
        .await
        .expect("`curl` is not on the PATH: install it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn the_first_administrator_logs_in_with_curl() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let made = gateway.cli(["user", "create", "Ada@Shop.Test", "--admin"]).await.succeeded();
    assert!(made.contains("ada@shop.test") && made.contains("super_admin"), "{made}");
    let password = made.lines().find_map(|line| line.strip_prefix("password, shown only now: ")).unwrap();
    let jar = gateway.folder().join("jar");
    let (login, out, reports) =
        (gateway.url("/auth/login"), gateway.url("/auth/logout"), gateway.url("/reports/1"));

    assert_eq!(curl(&jar, &[&reports]).await.0, "401");
    let body = json!({ "email": "ada@shop.test", "password": password }).to_string();
    let (status, answer) = curl(&jar, &["--json", &body, &login]).await;
    assert_eq!(status, "200", "{answer}");
    assert_eq!(curl(&jar, &[&reports]).await.0, "200");
    let received = upstream.received().await;
    assert_eq!(values(&received.headers, "x-user-id"), [answer["user"].as_str().unwrap()]);
    assert_eq!(values(&received.headers, "x-user-permissions"), ["*:*"]);
    assert_eq!(values(&received.headers, "cookie"), [""; 0], "upstreams cannot act as their visitors");

    let (status, problem) = curl(&jar, &["--request", "POST", &out]).await;
    assert_eq!((status.as_str(), &problem["code"]), ("403", &json!("cross_site_refused")));
    let token = format!("x-csrf-token: {}", answer["csrf_token"].as_str().unwrap());
    assert_eq!(curl(&jar, &["--request", "POST", "--header", &token, &out]).await.0, "204");
    assert_eq!(curl(&jar, &[&reports]).await.0, "401");
    assert!(!gateway.log_text().contains(password));
    gateway.stop().await;
}

/// An application that is served beside the gateway logs in, reads and writes as a browser lets it; another page does not.
#[tokio::test]
async fn pages_of_a_named_origin_act_for_whoever_logged_in_there() {
    const APP: (&str, &str) = ("origin", "http://localhost:5173");
    const SITE: (&str, &str) = ("sec-fetch-site", "same-site");
    let upstream = Upstream::start().await;
    let cors = "cors: { origins: [\"http://localhost:5173\"], credentials: true }";
    let document = document(&upstream, "")
        .replace(CHEAP, &format!("{CHEAP}, cors: [\"http://localhost:5173\"]"))
        .replace("auth: people }", &format!("auth: people, {cors} }}"));
    let gateway = Gateway::start(&document).await;
    create(&gateway, "ada@shop.test", &["user"]).await;
    let (client, login) = (gateway.client(), gateway.url("/auth/login"));

    let preflight = client.request(http::Method::OPTIONS, &login).header(APP.0, APP.1);
    let asked = preflight
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-csrf-token");
    let allowed = asked.send().await.unwrap();
    assert_eq!(values(allowed.headers(), "access-control-allow-origin"), [APP.1]);
    assert_eq!(values(allowed.headers(), "access-control-allow-credentials"), ["true"]);
    let body = json!({ "email": "ada@shop.test", "password": PASSWORD });
    let ask = |origin: &'static str| {
        let request = client.post(&login).header("origin", origin).header(SITE.0, SITE.1);
        request.json(&body).send()
    };
    assert_eq!(refusal(ask("http://evil.test").await.unwrap()).await, (403, "cross_site_refused".into()));
    let response = ask(APP.1).await.unwrap();
    assert_eq!(values(response.headers(), "access-control-allow-origin"), [APP.1]);
    let headers = response.headers().clone();
    let session = Session::of(&response.json().await.unwrap(), &values(&headers, "set-cookie"));

    for (origin, token, path, status) in [
        (APP.1, Some(&session.csrf), "/private/1", 200),
        (APP.1, None, "/private/1", 403),
        ("http://localhost:5174", Some(&session.csrf), "/private/1", 403),
        ("http://localhost:5174", Some(&session.csrf), "/auth/logout", 403),
        (APP.1, None, "/auth/logout", 403),
        (APP.1, Some(&session.csrf), "/auth/logout", 204),
    ] {
        let request = session.post(&gateway, path).header("origin", origin).header(SITE.0, SITE.1);
        let request = token.into_iter().fold(request, |request, token| request.header("x-csrf-token", token));
        assert_eq!(request.send().await.unwrap().status(), status, "{origin} {token:?} {path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_session_on_sqlite() {
    a_life_of_sessions("").await;
}

#[tokio::test]
async fn a_session_on_postgres() {
    let server = PostgresServer::start();
    a_life_of_sessions(&format!("store: {{ url: \"{}\" }}", server.url())).await;
}

async fn a_life_of_sessions(store: &str) {
    let upstream = Upstream::start().await;
    let document = document(&upstream, store);
    let gateway = Gateway::start(&document).await;
    create(&gateway, "ada@shop.test", &["user"]).await;
    let first = log_in(&gateway, PASSWORD).await;

    // A permission, given and taken while the session lives.
    assert_eq!(first.get(&gateway, "/private/1").await.status(), 200);
    assert_eq!(refusal(first.get(&gateway, "/reports/1").await).await.0, 403);
    gateway.cli(["user", "add-role", "ada@shop.test", "auditor"]).await.succeeded();
    assert_eq!(first.get(&gateway, "/reports/1").await.status(), 200);
    gateway.cli(["user", "remove-role", "ada@shop.test", "auditor"]).await.succeeded();
    assert_eq!(first.get(&gateway, "/reports/1").await.status(), 403);

    // A write that rides on the cookie.
    let evil = first.post(&gateway, "/private/1").header("x-csrf-token", &first.csrf);
    let evil = refusal(evil.header("origin", "https://evil.test").send().await.unwrap()).await;
    assert_eq!(evil, (403, "cross_site_refused".into()));
    let unsaid = refusal(first.post(&gateway, "/private/1").send().await.unwrap()).await;
    assert_eq!(unsaid, (403, "cross_site_refused".into()));
    let own = first.post(&gateway, "/private/1").header("x-csrf-token", &first.csrf);
    let own = own.header("origin", format!("http://{}", gateway.http()));
    assert_eq!(own.send().await.unwrap().status(), 200);

    // The sixth session ends the oldest.
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(log_in(&gateway, PASSWORD).await);
    }
    assert_eq!(first.get(&gateway, "/private/1").await.status(), 200);
    let sixth = log_in(&gateway, PASSWORD).await;
    assert_eq!(first.get(&gateway, "/private/1").await.status(), 401);
    assert_eq!(others[0].get(&gateway, "/private/1").await.status(), 200);
    let listed: Value = sixth.get(&gateway, "/auth/sessions").await.json().await.unwrap();
    let ids: Vec<&str> =
        listed["sessions"].as_array().unwrap().iter().map(|s| s["session"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 5);
    assert_eq!(ids[0], sixth.id);

    // An operator ends one, its owner another.
    gateway.cli(["session", "revoke", &others[0].id]).await.succeeded();
    assert_eq!(others[0].get(&gateway, "/private/1").await.status(), 401);
    let path = gateway.url(&format!("/auth/sessions/{}", others[1].id));
    let end =
        gateway.client().delete(path).header("cookie", &sixth.cookie).header("x-csrf-token", &sixth.csrf);
    assert_eq!(end.send().await.unwrap().status(), 204);
    assert_eq!(others[1].get(&gateway, "/private/1").await.status(), 401);

    // A restart keeps sessions; another gateway on the same store hears of their end.
    if !store.is_empty() {
        let second = Gateway::start(&document).await;
        assert_eq!(sixth.get(&second, "/private/1").await.status(), 200);
        gateway.cli(["session", "revoke", &others[2].id]).await.succeeded();
        let refused =
            async || others[2].get(&second, "/private/1").await.status() == StatusCode::UNAUTHORIZED;
        eventually("the end of a session on the other gateway", refused).await;
        second.stop().await;
    }
    let next = gateway.successor();
    gateway.stop().await;
    let gateway = next.start().await;
    assert_eq!(sixth.get(&gateway, "/private/1").await.status(), 200);
    assert_eq!(first.get(&gateway, "/private/1").await.status(), 401);

    // Another password ends them all.
    let new = "quartz-Lantern-4-violet";
    let change = sixth.post(&gateway, "/auth/password").header("x-csrf-token", &sixth.csrf);
    let change = change.json(&json!({ "current": PASSWORD, "new": new })).send().await.unwrap();
    assert_eq!(change.status(), 200);
    assert_eq!(sixth.get(&gateway, "/private/1").await.status(), 401);
    assert_eq!(others[3].get(&gateway, "/private/1").await.status(), 401);
    assert_eq!(log_in_as(&gateway, "ada@shop.test", PASSWORD).await.status(), 401);
    let last = log_in(&gateway, new).await;
    assert_eq!(last.get(&gateway, "/private/1").await.status(), 200);

    // Whoever is disabled is out at once.
    gateway.cli(["user", "disable", "ada@shop.test"]).await.succeeded();
    assert_eq!(last.get(&gateway, "/private/1").await.status(), 401);
    let disabled = log_in_as(&gateway, "ada@shop.test", new).await;
    assert_eq!(refusal(disabled).await, (401, "wrong_credentials".into()));
    let trail: Value = gateway.ask_admin("/v1/audit", None).await.json().await.unwrap();
    let actions: Vec<&str> =
        trail["entries"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    for action in ["login", "user.create", "user.disable", "password.change", "session.revoke", "role.add"] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let wrong = log_in_as(&gateway, "ada@shop.test", "not-the-password-at-all").await;
    let unknown = log_in_as(&gateway, "nobody@shop.test", "not-the-password-at-all").await;
    assert_eq!((wrong.status(), unknown.status()), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    let plain = |answer: Value| (answer["code"].clone(), answer["detail"].clone(), answer["title"].clone());
    assert_eq!(plain(wrong.json().await.unwrap()), plain(unknown.json().await.unwrap()));
    // It costs the same, too: one hash, whoever is meant.
    create(&gateway, "closed@shop.test", &[]).await;
    gateway.cli(["user", "disable", "closed@shop.test"]).await.succeeded();
    for email in ["ada@shop.test", "nobody@shop.test", "closed@shop.test"] {
        let before = gateway.metric("bartizan_password_hashes_total").await;
        log_in_as(&gateway, email, "not-the-password-at-all").await;
        let paid = gateway.metric("bartizan_password_hashes_total").await - before;
        assert!((paid - 1.0).abs() < 0.5, "{email}: {paid}");
    }
    let off = json!({ "email": "eve@shop.test", "name": "Eve", "password": PASSWORD });
    let off = gateway.client().post(gateway.url("/auth/sign-up")).json(&off).send().await.unwrap();
    assert_eq!(refusal(off).await, (403, "sign_up_off".into()));
    gateway.stop().await;
}

#[tokio::test]
async fn guessing_is_paused_and_an_operator_ends_the_pause() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &[]).await;
    for _ in 0..4 {
        let wrong = log_in_as(&gateway, "ada@shop.test", "not-the-password-at-all").await;
        assert_eq!(refusal(wrong).await, (401, "wrong_credentials".into()));
    }
    // Whoever gets it right at last begins anew.
    assert_eq!(log_in_as(&gateway, "ada@shop.test", PASSWORD).await.status(), 200);
    for _ in 0..5 {
        log_in_as(&gateway, "ada@shop.test", "not-the-password-at-all").await;
    }
    let paused = log_in_as(&gateway, "ada@shop.test", PASSWORD).await;
    assert!(paused.headers().contains_key("retry-after"));
    assert_eq!(refusal(paused).await, (429, "too_many_attempts".into()));
    gateway.cli(["user", "unlock", "ada@shop.test"]).await.succeeded();
    assert_eq!(log_in_as(&gateway, "ada@shop.test", PASSWORD).await.status(), 200, "from the same address");
    gateway.stop().await;
}

/// What a command prints for programs.
async fn told<const N: usize>(gateway: &Gateway, arguments: [&str; N]) -> Value {
    serde_json::from_str(&gateway.cli(arguments).await.succeeded()).unwrap()
}

#[tokio::test]
async fn programs_get_ids_and_what_was_changed_from_commands() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let made = told(&gateway, ["user", "create", "ada@shop.test", "--json"]).await;
    let (id, password) = (made["id"].as_str().unwrap(), made["password"].as_str().unwrap());
    assert_eq!(log_in_as(&gateway, "ada@shop.test", password).await.status(), 200);
    told(&gateway, ["org", "create", "Acme", "--json"]).await;
    let held = told(&gateway, ["org", "member", "add", "Acme", id, "--role", "viewer", "--json"]).await;
    assert_eq!(held, json!({ "user": id, "role": "viewer", "organization": "Acme", "held": true }));
    let ended = told(&gateway, ["session", "revoke", "--user", id, "--json"]).await;
    assert_eq!(ended, json!({ "user": id, "revoked": true }));
    let renewed = told(&gateway, ["user", "set-password", id, "--json"]).await;
    assert!(renewed["id"] == id && renewed["password"] != made["password"], "{renewed}");
    gateway.stop().await;
}

#[tokio::test]
async fn operators_with_tokens_of_their_own_are_named() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let made = gateway.cli(["api-key", "new", "ada", "--prefix", "admin"]).await.succeeded();
    let token = made.lines().map(str::trim).find(|line| line.starts_with("admin_")).unwrap();
    let hash = made.lines().find_map(|line| line.trim().strip_prefix("hash: ")).unwrap();
    let create =
        async |email| gateway.cli_with(&[("BARTIZAN_TOKEN", token)], ["user", "create", email]).await;
    assert!(create("eve@shop.test").await.failed_with(1).contains("token"));
    gateway.rewrite(&document(&upstream, &format!("operators: {{ ada: {hash} }}")));
    gateway.cli(["reload"]).await.succeeded();
    create("bob@shop.test").await.succeeded();
    gateway.cli(["user", "disable", "bob@shop.test"]).await.succeeded();
    let trail: Value = gateway.ask_admin("/v1/audit?action=user", None).await.json().await.unwrap();
    let who = |entry: &Value| format!("{} {}", entry["action"], entry["actor"]).replace('"', "");
    let who: Vec<String> = trail["entries"].as_array().unwrap().iter().map(who).collect();
    assert_eq!(who, ["user.disable operator", "user.create operator/ada"]);
    gateway.rewrite(&document(&upstream, ""));
    gateway.cli(["reload"]).await.succeeded();
    assert!(create("eve@shop.test").await.failed_with(1).contains("token"), "it is good no longer");
    let refused = async || {
        let trail = gateway.ask_admin("/v1/audit?action=operator.refused&outcome=refused", None).await;
        trail.json::<Value>().await.unwrap()["entries"].as_array().unwrap().len()
    };
    eventually("both attempts are in the trail", async || refused().await == 2).await;
    gateway.stop().await;
}

#[tokio::test]
async fn many_accounts_tried_from_one_address_are_told_of() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    let mut answers = Vec::new();
    for number in 0..10 {
        let tried = log_in_as(&gateway, &format!("user{number}@shop.test"), "not-the-password-at-all").await;
        answers.push(tried.status().as_u16());
    }
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 429, 429, 429]);
    let stuffing = async || {
        let trail = gateway.ask_admin("/v1/audit?action=login.stuffing", None).await;
        trail.json::<Value>().await.unwrap()["entries"].as_array().unwrap().clone()
    };
    eventually("credential stuffing is told of", async || !stuffing().await.is_empty()).await;
    let details: Vec<Value> = stuffing().await.iter().map(|entry| entry["details"].clone()).collect();
    for by in ["network", "password"] {
        assert!(details.contains(&json!({ "by": by, "accounts": 10 })), "{details:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn sessions_end_all_but_one_and_for_an_organisation() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &["user"]).await;
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    gateway.cli(["org", "member", "add", "Acme", "ada@shop.test", "--role", "viewer"]).await.succeeded();
    let (first, second) = (log_in(&gateway, PASSWORD).await, log_in(&gateway, PASSWORD).await);
    let end = gateway.client().delete(gateway.url("/auth/sessions")).header("cookie", &second.cookie);
    assert_eq!(end.header("x-csrf-token", &second.csrf).send().await.unwrap().status(), 204);
    assert_eq!(first.get(&gateway, "/private/1").await.status(), 401);
    assert_eq!(second.get(&gateway, "/private/1").await.status(), 200);
    let ended = gateway.cli(["session", "revoke", "--org", "Acme"]).await.succeeded();
    assert!(ended.contains("every session for Acme has ended"), "{ended}");
    assert_eq!(second.get(&gateway, "/private/1").await.status(), 401);
    gateway.stop().await;
}

#[tokio::test]
async fn a_session_that_has_moved_leaves_nothing_behind() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "")).await;
    create(&gateway, "ada@shop.test", &["user"]).await;
    let session = log_in(&gateway, PASSWORD).await;
    let make = async |client: &str| {
        let key = json!({ "name": "build", "permissions": ["user:read"] });
        let request = session.post(&gateway, "/auth/keys").header("x-csrf-token", &session.csrf);
        request.header("user-agent", client).json(&key).send().await.unwrap()
    };
    let moved = make("python-requests/2.31").await;
    assert!(values(moved.headers(), "www-authenticate").join(" ").contains("max_age=900"));
    assert_eq!(refusal(moved).await, (401, "insufficient_user_authentication".into()));
    let proof = json!({ "factor": "password", "secret": PASSWORD });
    let proven = session.post(&gateway, "/auth/step-up").header("x-csrf-token", &session.csrf);
    let proven = proven.header("user-agent", "python-requests/2.31").json(&proof).send().await.unwrap();
    assert_eq!(proven.status(), 200);
    assert_eq!(make("python-requests/2.31").await.status(), 200, "it is at home there now");
    gateway.stop().await;
}

/// The third of the types of problems in the draft: half of the quota, and everything costs twice as much.
#[tokio::test]
async fn a_session_that_has_moved_is_told_that_its_limits_are_smaller() {
    let upstream = Upstream::start().await;
    let few = "  few: [{ name: few, per: user, rate: 5/31d, algorithm: fixed-window }]\n  api:";
    let document = document(&upstream, "").replace("auth: people }", "auth: people, limit: few }");
    let gateway = Gateway::start(&document.replace("  api:", few)).await;
    create(&gateway, "ada@shop.test", &["user"]).await;
    let session = log_in(&gateway, PASSWORD).await;
    assert_eq!(session.get(&gateway, "/private/1").await.status(), 200);
    let request = gateway.client().get(gateway.url("/private/1")).header("cookie", &session.cookie);
    let refused = request.header("user-agent", "python-requests/2.31").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0);
    let problem: Value = refused.json().await.unwrap();
    let unusual = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected";
    assert_eq!((&problem["type"], &problem["code"]), (&json!(unusual), &json!("rate_limit_exceeded")));
    assert_eq!(problem["violated-policies"], json!(["few"]));
    gateway.stop().await;
}

#[tokio::test]
async fn a_store_that_is_gone_refuses_nobody_for_good() {
    let (upstream, mut server) = (Upstream::start().await, PostgresServer::start());
    let gateway =
        Gateway::start(&document(&upstream, &format!("store: {{ url: \"{}\" }}", server.url()))).await;
    create(&gateway, "ada@shop.test", &[]).await;
    let (remembered, cold) = (log_in(&gateway, PASSWORD).await, log_in(&gateway, PASSWORD).await);
    assert_eq!(remembered.get(&gateway, "/private/1").await.status(), 200);
    server.halt();
    assert_eq!(remembered.get(&gateway, "/private/1").await.status(), 200, "no look-up on the road");
    let refused = refusal(cold.get(&gateway, "/private/1").await).await;
    assert_eq!(refused, (503, "authentication_unavailable".into()));
    let login = log_in_as(&gateway, "ada@shop.test", PASSWORD).await;
    assert_eq!(refusal(login).await, (503, "store_unavailable".into()));
    server.resume();
    eventually("the store is back", async || cold.get(&gateway, "/private/1").await.status() == 200).await;
    gateway.stop().await;
}
