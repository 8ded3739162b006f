//! People who log in at another provider: here another gateway, which is one, and one of another house.

use std::{net::TcpListener, path::Path, process::Stdio};

use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    harness::{Gateway, PATIENCE},
    people::{post, token},
    phrases::{refusal, values},
    upstream::Upstream,
};

const PASSWORD: &str = "plum-Terrace-9-orbit";
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Its SHA-256.
const HASH: &str = "sha256:3eb1bd439947eb762998e566ccc2e099c791118b2f40579cc4f7da2b5061b7f9";
const BACK: &str = "http://127.0.0.1:1/auth/providers/company/callback";
const LIMITS: &str = "limits:
  login: [{ per: address, rate: 10000/h }]
  auth: [{ per: address, rate: 10000/h }]
  api: [{ per: address, rate: 10000/h }]";

fn provider(issuer: &str) -> String {
    format!(
        r#"
accounts:
  password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}
  mail: {{ from: it@company.test, base_url: "https://company.test", file: ./mail }}
  tokens:
    issuer: "{issuer}"
    secret: "{SECRET}"
    clients: {{ shop: {{ secret: "{HASH}", redirect_uris: ["{BACK}"] }} }}
{LIMITS}
routes: [{{ path: /, to: "http://127.0.0.1:1", auth: none }}]
"#
    )
}

fn shop(issuer: &str, upstream: &Upstream) -> String {
    format!(
        r#"
accounts:
  providers:
    company:
      issuer: "{issuer}"
      client_id: shop
      client_secret: "{SECRET}"
      redirect_uri: "{BACK}"
      domains: [company.test]
      sign_up: true
{LIMITS}
identity: {{ people: {{ session: {{}} }} }}
routes:
  - {{ path: /private/**, to: "{upstream}", auth: people }}
"#
    )
}

/// The cookies that an answer sets, as a browser sends them.
fn cookies(response: &reqwest::Response) -> String {
    let cookies = values(response.headers(), "set-cookie");
    let pairs = cookies.iter().map(|cookie| cookie.split(';').next().unwrap());
    pairs.collect::<Vec<_>>().join("; ")
}

fn location(response: &reqwest::Response) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    values(response.headers(), "location")[0].to_owned()
}

async fn get(gateway: &Gateway, url: &str, cookies: &str) -> reqwest::Response {
    gateway.client().get(url).header("cookie", cookies).send().await.unwrap()
}

/// Somebody who has read mail at this address, which nobody else believes of an account that an administrator made.
async fn log_in(gateway: &Gateway, email: &str) -> String {
    let new =
        json!({ "email": email, "name": "Ada", "password": "chosen by somebody else", "roles": ["user"] });
    assert_eq!(gateway.ask_admin("/v1/users", Some(new)).await.status(), 200);
    assert_eq!(post(gateway, "/auth/password/forgotten", json!({ "email": email })).await.status(), 202);
    let reset = json!({ "token": token(gateway, email).await, "password": PASSWORD });
    assert_eq!(post(gateway, "/auth/password/reset", reset).await.status(), 204);
    let body = json!({ "email": email, "password": PASSWORD });
    let response = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    cookies(&response)
}

#[tokio::test]
async fn a_person_of_another_gateway_logs_in() {
    let upstream = Upstream::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let company = Gateway::launch(&provider(&issuer)).inherit(&listener).start().await;
    let shop = Gateway::start(&shop(&issuer, &upstream)).await;
    let known_there = log_in(&company, "ada@company.test").await;

    let listed: Value = shop.get("/auth/providers").await.json().await.unwrap();
    assert_eq!(listed, json!({ "providers": ["company"] }));
    let begun = shop.get("/auth/providers/company/login?return_to=/private/a%3Fb=1").await;
    let errand = cookies(&begun);
    let there = get(&company, &location(&begun), &known_there).await;
    let back = location(&there).replace("http://127.0.0.1:1", &shop.url(""));

    // Not in a browser that has not begun it.
    let strange = get(&shop, &back, "").await;
    assert_eq!(refusal(strange).await, (401, "login_failed".into()));

    let entered = get(&shop, &back, &errand).await;
    assert_eq!(location(&entered), "/private/a?b=1");
    let session = cookies(&entered);
    assert!(session.contains("bartizan-errand=;") || session.ends_with("bartizan-errand="), "{session}");
    let answer = get(&shop, &shop.url("/private/a"), &session).await;
    assert_eq!(answer.status(), 200);
    let who = upstream.received().await;
    let read: Value = get(&shop, &shop.url("/auth/session"), &session).await.json().await.unwrap();
    assert_eq!(values(&who.headers, "x-user-id"), [read["user"].as_str().unwrap()]);
    assert_eq!((&read["email"], &read["name"]), (&json!("ada@company.test"), &json!("Ada")));

    // A code counts once.
    let again = get(&shop, &back, &errand).await;
    assert_eq!(refusal(again).await, (401, "login_failed".into()));
    assert_eq!(refusal(shop.get("/auth/providers/other/login").await).await.0, 404);
    company.stop().await;
    shop.stop().await;
}

#[tokio::test]
async fn a_provider_that_is_gone_is_no_fault_of_the_person() {
    let upstream = Upstream::start().await;
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shop = Gateway::start(&shop(&format!("http://{nobody}"), &upstream)).await;
    let begun = shop.get("/auth/providers/company/login").await;
    assert_eq!(refusal(begun).await, (502, "provider_failed".into()));
    shop.stop().await;
}

/// A provider made of `PyPI`'s `authlib`, which `cargo xtask setup` puts into `.venv`, and its issuer. `None`: the library is
/// missing, and this is not CI.
async fn foreign_provider() -> Option<(Child, String)> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.venv/bin/python");
    let probe = Command::new(&python).args(["-c", "import authlib, joserfc"]).output().await;
    if !probe.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`authlib` is not installed");
        eprintln!("SKIPPED: `authlib` is not installed: `cargo xtask setup`");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(here.join("tests/e2e/openid_provider.py")).args(["shop", SECRET, BACK]);
    command.env("AUTHLIB_INSECURE_TRANSPORT", "1").kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let issuer = timeout(PATIENCE, lines.next_line()).await.expect("python says nothing").unwrap().unwrap();
    Some((child, issuer))
}

#[tokio::test]
async fn a_person_of_a_provider_of_another_house_logs_in() {
    let Some((_provider, issuer)) = foreign_provider().await else { return };
    let upstream = Upstream::start().await;
    let shop = Gateway::start(&shop(&issuer, &upstream)).await;
    let begun = shop.get("/auth/providers/company/login?return_to=/private/a").await;
    let errand = cookies(&begun);
    let there = get(&shop, &location(&begun), "").await;
    assert!(there.status().is_redirection(), "{}", there.text().await.unwrap());
    let back = values(there.headers(), "location")[0].replace("http://127.0.0.1:1", &shop.url(""));
    let entered = get(&shop, &back, &errand).await;
    assert_eq!(location(&entered), "/private/a");
    let session = cookies(&entered);
    assert_eq!(get(&shop, &shop.url("/private/a"), &session).await.status(), 200);
    let read: Value = get(&shop, &shop.url("/auth/session"), &session).await.json().await.unwrap();
    assert_eq!((&read["email"], &read["name"]), (&json!("ada@company.test"), &json!("Ada")));
    let again = get(&shop, &back, &errand).await;
    assert_eq!(refusal(again).await, (401, "login_failed".into()), "a code counts once, there as here");
    shop.stop().await;
}
