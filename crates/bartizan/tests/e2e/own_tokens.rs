//! Tokens that the gateway issues: a person logs in, an application takes it from there.

use std::{net::TcpListener, path::Path, process::Stdio};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{StatusCode, header};
use rcgen::{KeyPair as SigningPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use crate::{
    eventually::eventually,
    harness::{Gateway, PATIENCE},
    machines::after,
    phrases::{refusal, values},
    upstream::Upstream,
};

const PASSWORD: &str = "plum-Terrace-9-orbit";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const BACK: &str = "https://app.test/back";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn document(upstream: &Upstream, store: &str, dpop: &str) -> String {
    format!(
        r#"
accounts:
  password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}
  tokens:
    issuer: "http://localhost:8080"
    secret: "{SECRET}"
    clients:
      app: {{ redirect_uris: ["{BACK}"] }}
      watcher: {{ secret: "sha256:21fc26f981f7af804f6f328d20f99429f979ed6a01370cd649ac8ae9bde8e566", exchange: true }}
{store}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  refresh: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
identity: {{ own: {{ token: {{ dpop: {{ {dpop} }} }} }}, people: {{ session: {{}} }} }}
roles: {{ auditor: [reports:read] }}
routes:
  - {{ path: /reports/**, to: "{upstream}", auth: own, require: [reports:read] }}
"#
    )
}

/// A browser that has logged in.
pub(crate) async fn log_in(gateway: &Gateway, email: &str) -> String {
    let new = json!({ "email": email, "name": "Ada", "password": PASSWORD, "roles": ["auditor"] });
    assert_eq!(gateway.ask_admin("/v1/users", Some(new)).await.status(), 200);
    let body = json!({ "email": email, "password": PASSWORD });
    let response = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    session_cookie(&response)
}

fn session_cookie(response: &reqwest::Response) -> String {
    let cookies = values(response.headers(), "set-cookie").join("\n");
    let cookie = cookies.lines().find_map(|cookie| cookie.strip_prefix("bartizan=")).unwrap();
    format!("bartizan={}", cookie.split(';').next().unwrap())
}

async fn authorize(gateway: &Gateway, cookie: &str, changes: &[(&str, &str)]) -> reqwest::Response {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let mut query = vec![
        ("response_type", "code"),
        ("client_id", "app"),
        ("redirect_uri", BACK),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("scope", "openid reports:read"),
        ("state", "xyz"),
    ];
    for (name, value) in changes {
        query.retain(|(known, _)| known != name);
        query.push((name, value));
    }
    let mut url: reqwest::Url = gateway.url("/auth/authorize").parse().unwrap();
    url.query_pairs_mut().extend_pairs(query);
    gateway.client().get(url).header("cookie", cookie).send().await.unwrap()
}

fn parameter(response: &reqwest::Response, name: &str) -> Option<String> {
    let location: reqwest::Url = values(response.headers(), "location")[0].parse().unwrap();
    location.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

pub(crate) async fn post(
    gateway: &Gateway,
    path: &str,
    form: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> reqwest::Response {
    let mut body: reqwest::Url = "http://form".parse().unwrap();
    body.query_pairs_mut().extend_pairs(form);
    let mut request = gateway.client().post(gateway.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = body.query().unwrap_or_default().to_owned();
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await.unwrap()
}

pub(crate) async fn issue(gateway: &Gateway, cookie: &str, headers: &[(&str, &str)]) -> Value {
    let response = authorize(gateway, cookie, &[]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let code = parameter(&response, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", &code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let response = post(gateway, "/auth/token", &form, headers).await;
    assert_eq!(response.status(), 200);
    assert_eq!(values(response.headers(), "cache-control"), ["no-store"]);
    response.json().await.unwrap()
}

pub(crate) async fn reports(
    gateway: &Gateway,
    authorization: &str,
    proof: Option<&str>,
) -> reqwest::Response {
    let request = gateway.client().get(gateway.url("/reports/1")).header("authorization", authorization);
    let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
    request.send().await.unwrap()
}

pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {answer}"))
}

#[tokio::test]
async fn an_application_gets_tokens_and_calls_a_route() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "", "")).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;

    let metadata: Value = gateway.get("/.well-known/oauth-authorization-server").await.json().await.unwrap();
    assert_eq!(metadata["token_endpoint"], "http://localhost:8080/auth/token");
    assert_eq!(
        metadata,
        gateway.get("/.well-known/openid-configuration").await.json::<Value>().await.unwrap()
    );
    let resource: Value = gateway.get("/.well-known/oauth-protected-resource").await.json().await.unwrap();
    assert_eq!(resource["authorization_servers"], json!(["http://localhost:8080"]));
    let keys: Value = gateway.get("/auth/jwks").await.json().await.unwrap();
    let components: Value = gateway.ask_admin("/v1/components", None).await.json().await.unwrap();
    assert_eq!(components["store"], "working");
    let active = &components["signing_keys"]["active"];
    assert!(keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == active["id"]), "{components}");
    assert_eq!(keys["keys"].as_array().unwrap().len(), 2);
    let rotated: Value =
        serde_json::from_str(&gateway.cli(["token", "rotate-keys", "--json"]).await.succeeded()).unwrap();
    let signs = rotated["keys"].as_array().unwrap().iter().find(|key| key["state"] == "active").unwrap();
    assert!(
        signs["id"] != active["id"]
            && keys["keys"].as_array().unwrap().iter().any(|key| key["kid"] == signs["id"])
    );
    let listed = gateway.cli(["token", "keys"]).await.succeeded();
    assert!(["next", "active", "retiring"].iter().all(|state| listed.contains(state)), "{listed}");

    let refused = gateway.get("/reports/1").await;
    let challenge = values(refused.headers(), "www-authenticate").join(", ");
    let expected = "resource_metadata=\"http://localhost:8080/.well-known/oauth-protected-resource\"";
    assert!(challenge.starts_with("Bearer") && challenge.contains(expected), "{challenge}");

    // Nobody is sent where nobody registered; who has no session is told so.
    let stray = authorize(&gateway, &cookie, &[("redirect_uri", "https://evil.test/")]).await;
    assert_eq!(refusal(stray).await, (400, "authorization_refused".into()));
    let nobody = authorize(&gateway, "a=b", &[]).await;
    assert_eq!(parameter(&nobody, "error").as_deref(), Some("login_required"));
    assert_eq!(parameter(&nobody, "iss").as_deref(), Some("http://localhost:8080"));

    let tokens = issue(&gateway, &cookie, &[]).await;
    assert_eq!((text(&tokens, "token_type"), &tokens["expires_in"]), ("Bearer", &json!(900)));
    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    assert_eq!(reports(&gateway, &bearer, None).await.status(), 200);
    let received = upstream.received().await;
    assert_eq!(values(&received.headers, "x-user-permissions"), ["reports:read"]);
    let unbound = format!("DPoP {}", text(&tokens, "access_token"));
    assert_eq!(
        reports(&gateway, &unbound, None).await.status(),
        401,
        "a scheme that promises more than there is"
    );

    // A form is sent on to the query that says the same.
    let form = [("response_type", "code"), ("client_id", "app"), ("redirect_uri", BACK), ("state", "x y")];
    let sent_on = post(&gateway, "/auth/authorize", &form, &[]).await;
    assert_eq!(sent_on.status(), StatusCode::SEE_OTHER);
    let location = values(sent_on.headers(), "location")[0].to_owned();
    assert!(location.starts_with("authorize?response%5Ftype=code&client%5Fid=app"), "{location}");
    assert!(location.ends_with("state=x%20y"), "{location}");

    // A token that gives too little is told so (RFC 6750, section 3.1), and where the metadata is (RFC 9728).
    let new = json!({ "email": "eve@shop.test", "name": "Eve", "password": PASSWORD, "roles": [] });
    assert_eq!(gateway.ask_admin("/v1/users", Some(new)).await.status(), 200);
    let body = json!({ "email": "eve@shop.test", "password": PASSWORD });
    let began = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
    let weak = issue(&gateway, &session_cookie(&began), &[]).await;
    let denied = reports(&gateway, &format!("Bearer {}", text(&weak, "access_token")), None).await;
    let challenge = values(denied.headers(), "www-authenticate").join(", ");
    assert_eq!(denied.status(), 403);
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains(expected),
        "{challenge}"
    );

    // The refusals of RFC 6749, section 5.2.
    let form =
        [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", "btz_refresh_invented")];
    let response = post(&gateway, "/auth/token", &form, &[]).await;
    assert_eq!(response.status(), 400);
    assert_eq!(response.json::<Value>().await.unwrap()["error"], "invalid_grant");
    let response =
        post(&gateway, "/auth/token", &[("grant_type", "password"), ("client_id", "app")], &[]).await;
    assert_eq!(response.json::<Value>().await.unwrap()["error"], "unsupported_grant_type");
    let basic = [("authorization", "Basic d2F0Y2hlcjp3cm9uZw==")];
    let response = post(&gateway, "/auth/introspect", &[("token", "x")], &basic).await;
    assert_eq!(
        (response.status(), values(response.headers(), "www-authenticate").len()),
        (StatusCode::UNAUTHORIZED, 1)
    );

    let token = [
        ("token", text(&tokens, "access_token")),
        ("client_id", "watcher"),
        ("client_secret", "watcher's secret"),
    ];
    let told: Value = post(&gateway, "/auth/introspect", &token, &[]).await.json().await.unwrap();
    assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("openid reports:read")));
    let token = [("token", text(&tokens, "refresh_token")), ("client_id", "app")];
    assert_eq!(post(&gateway, "/auth/revoke", &token, &[]).await.status(), 200);
    eventually("the token is refused", || async { reports(&gateway, &bearer, None).await.status() == 401 })
        .await;
    assert!(!gateway.log_text().contains(text(&tokens, "refresh_token")));
    gateway.stop().await;
}

fn unique() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A client that holds a key.
pub(crate) struct Holder(Ed25519KeyPair);

impl Holder {
    pub(crate) fn new() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.as_ref()).unwrap())
    }

    pub(crate) fn proof(&self, method: &str, url: &str, token: Option<&str>, nonce: Option<&str>) -> String {
        let key = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let header =
            json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": { "kty": "OKP", "crv": "Ed25519", "x": key } });
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let mut claims = json!({ "jti": unique(), "htm": method, "htu": url, "iat": now });
        if let Some(token) = token {
            claims["ath"] = URL_SAFE_NO_PAD.encode(Sha256::digest(token)).into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes())))
    }
}

#[tokio::test]
async fn a_stolen_token_is_of_no_use_without_its_key() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "", "required: true, nonce: true")).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let unbound = issue(&gateway, &cookie, &[]).await;
    let response = reports(&gateway, &format!("Bearer {}", text(&unbound, "access_token")), None).await;
    let challenge = values(response.headers(), "www-authenticate").join(", ");
    assert!(response.status() == 401 && challenge.starts_with("DPoP"), "{challenge}");

    let (holder, thief) = (Holder::new(), Holder::new());
    let endpoint = "http://localhost:8080/auth/token";
    let proof = holder.proof("POST", endpoint, None, None);
    let tokens = issue(&gateway, &cookie, &[("dpop", &proof)]).await;
    assert_eq!(text(&tokens, "token_type"), "DPoP");
    let token = text(&tokens, "access_token");
    let (url, dpop) = (gateway.url("/reports/1"), format!("DPoP {token}"));

    let response = reports(&gateway, &dpop, Some(&holder.proof("GET", &url, Some(token), None))).await;
    let challenge = values(response.headers(), "www-authenticate").join(", ");
    assert!(challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
    let nonce = values(response.headers(), "dpop-nonce")[0].to_owned();
    let proof = holder.proof("GET", &url, Some(token), Some(&nonce));
    assert_eq!(reports(&gateway, &dpop, Some(&proof)).await.status(), 200);
    let again = reports(&gateway, &dpop, Some(&proof)).await;
    let challenge = values(again.headers(), "www-authenticate").join(", ");
    assert!(again.status() == 401 && challenge.contains("error=\"invalid_dpop_proof\""), "{challenge}");

    let fresh = holder.proof("GET", &url, Some(token), Some(&nonce));
    assert_eq!(reports(&gateway, &format!("Bearer {token}"), Some(&fresh)).await.status(), 401, "downgraded");
    assert_eq!(reports(&gateway, &dpop, None).await.status(), 401, "without a proof");
    let others = thief.proof("GET", &url, Some(token), Some(&nonce));
    assert_eq!(reports(&gateway, &dpop, Some(&others)).await.status(), 401, "by another key");

    // The refresh token of a client without a secret is bound, too.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "app"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    assert_eq!(post(&gateway, "/auth/token", &form, &[]).await.status(), 400);
    let proof = thief.proof("POST", endpoint, None, None);
    assert_eq!(post(&gateway, "/auth/token", &form, &[("dpop", &proof)]).await.status(), 400);
    let proof = holder.proof("POST", endpoint, None, None);
    let next: Value = post(&gateway, "/auth/token", &form, &[("dpop", &proof)]).await.json().await.unwrap();
    assert_eq!(text(&next, "token_type"), "DPoP");
    gateway.stop().await;
}

/// Swaps a token, as the service that was called with it (RFC 8693).
async fn exchange(gateway: &Gateway, token: &str, proof: Option<&str>) -> reqwest::Response {
    exchange_with(gateway, token, proof, &[]).await
}

async fn exchange_with(
    gateway: &Gateway,
    token: &str,
    proof: Option<&str>,
    more: &[(&str, &str)],
) -> reqwest::Response {
    let mut form = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "watcher"),
        ("client_secret", "watcher's secret"),
        ("subject_token", token),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
    ];
    form.extend(more);
    let headers: Vec<_> = proof.into_iter().map(|proof| ("dpop", proof)).collect();
    post(gateway, "/auth/token", &form, &headers).await
}

/// What an access token is bound to.
fn bound_to(tokens: &Value) -> Value {
    let payload = text(tokens, "access_token").split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    claims["cnf"]["jkt"].clone()
}

#[tokio::test]
async fn an_exchange_keeps_the_key_that_the_token_is_bound_to() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream, "", "")).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let proof = |holder: &Holder| holder.proof("POST", "http://localhost:8080/auth/token", None, None);
    let tokens = issue(&gateway, &cookie, &[("dpop", &proof(&holder))]).await;
    let token = text(&tokens, "access_token");
    for wrong in [None, Some(proof(&thief))] {
        let refused = exchange(&gateway, token, wrong.as_deref()).await;
        assert_eq!(refused.status(), 400, "{wrong:?}");
        assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_request");
    }
    let next: Value = exchange(&gateway, token, Some(&proof(&holder))).await.json().await.unwrap();
    assert_eq!(text(&next, "token_type"), "DPoP");
    assert!(bound_to(&next).is_string() && bound_to(&next) == bound_to(&tokens));

    // What is bound to nothing may be bound, and stays so.
    let unbound = issue(&gateway, &cookie, &[]).await;
    let unbound = text(&unbound, "access_token");
    let bound: Value = exchange(&gateway, unbound, Some(&proof(&thief))).await.json().await.unwrap();
    assert!(bound_to(&bound).is_string() && bound_to(&bound) != bound_to(&tokens));
    assert_eq!(exchange(&gateway, text(&bound, "access_token"), None).await.status(), 400);

    // What it is for may be called an audience, and who acts must say what kind of token that is.
    let plain = issue(&gateway, &cookie, &[]).await;
    for (more, status) in [
        (vec![("audience", "http://localhost:8080")], 200),
        (vec![("audience", "http://localhost:8080"), ("resource", "http://localhost:8080")], 200),
        (vec![("audience", "billing")], 400),
        (vec![("actor_token", "nonsense")], 400),
        (vec![("requested_token_type", "urn:ietf:params:oauth:token-type:saml2")], 400),
    ] {
        let answer = exchange_with(&gateway, text(&plain, "access_token"), None, &more).await;
        assert_eq!(answer.status(), status, "{more:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_proof_for_tokens_holds_a_nonce_where_that_is_asked() {
    let upstream = Upstream::start().await;
    let document = document(&upstream, "", "").replace("    clients:", "    dpop_nonce: true\n    clients:");
    let gateway = Gateway::start(&document).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let code = parameter(&authorize(&gateway, &cookie, &[]).await, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", &code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let (holder, endpoint) = (Holder::new(), "http://localhost:8080/auth/token");
    let proof = holder.proof("POST", endpoint, None, None);
    let refused = post(&gateway, "/auth/token", &form, &[("dpop", &proof)]).await;
    let nonce = values(refused.headers(), "dpop-nonce")[0].to_owned();
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "use_dpop_nonce");
    let proof = holder.proof("POST", endpoint, None, Some(&nonce));
    let granted = post(&gateway, "/auth/token", &form, &[("dpop", &proof)]).await;
    assert_eq!(granted.json::<Value>().await.unwrap()["token_type"], "DPoP", "the code was not used up");
    gateway.stop().await;
}

/// A service that signs what it proves itself by, and its key (PEM).
async fn signing_service(gateway: &Gateway) -> (String, String) {
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let made = gateway.cli(["service", "create", "Acme", "signer", "--permission", "reports:read"]).await;
    let id = after(&made.succeeded(), "client id").to_owned();
    let pair = SigningPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let [_, point @ ..] = pair.der_bytes() else { panic!("no point") };
    let (x, y) = point.split_at(32);
    let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig" }] });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, keys.to_string()).unwrap();
    gateway.cli(["service", "add-credential", &id, "--keys", file.to_str().unwrap()]).await.succeeded();
    (id, pair.serialize_pem())
}

/// The library is `PyPI`'s `authlib`, which `cargo xtask setup` puts into `.venv`. Where it is missing the story is skipped,
/// except in CI.
#[tokio::test]
async fn a_client_of_another_house_gets_along() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.venv/bin/python");
    let probe = Command::new(&python).args(["-c", "import authlib, requests"]).output().await;
    if !probe.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`authlib` is not installed");
        eprintln!("SKIPPED: `authlib` is not installed: `cargo xtask setup`");
        return;
    }
    let upstream = Upstream::start().await;
    // The issuer is where the gateway listens.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let hash = Sha256::digest("a secret of the confidential client");
    let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let confidential = format!(
        "    clients:\n      caller: {{ secret: \"sha256:{hash}\", permissions: [reports:read], exchange: true }}"
    );
    let document = document(&upstream, "", "").replace("http://localhost:8080", &issuer);
    let document = document.replacen("    clients:", &confidential, 1);
    let gateway = Gateway::launch(&document).inherit(&listener).start().await;
    let (service, key) = signing_service(&gateway).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let question = json!({
        "issuer": issuer, "client": "app", "redirect_uri": BACK, "cookie": cookie, "route": gateway.url("/reports/1"),
        "confidential": { "id": "caller", "secret": "a secret of the confidential client" },
        "service": { "id": service, "key": key },
    });
    let mut command = Command::new(python);
    command.arg(here.join("tests/e2e/own_tokens.py")).env("AUTHLIB_INSECURE_TRANSPORT", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).await.unwrap();
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("python did not end").unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), gateway.log_text());
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&told["status"], &told["rotated"], &told["revoked"]),
        (&json!(200), &json!(true), &json!(200))
    );
    assert_eq!((&told["header"]["typ"], &told["claims"]["iss"]), (&json!("at+jwt"), &json!(issuer)));
    assert_eq!(told["claims"]["permissions"], json!(["reports:read"]));
    assert_eq!(told["id_claims"]["email"], "ada@shop.test");
    let userinfo = json!({ "sub": told["claims"]["sub"], "email": "ada@shop.test", "email_verified": false });
    assert_eq!(told["userinfo"], userinfo);
    assert_eq!((&told["claims"]["amr"], &told["id_claims"]["amr"]), (&json!(["pwd"]), &json!(["pwd"])));
    assert_eq!((&told["own"]["sub"], &told["called"]), (&json!("caller"), &json!(200)));
    let introspected = &told["introspected"];
    for (claim, expected) in
        [("active", &json!(true)), ("client_id", &json!("app")), ("sub", &told["claims"]["sub"])]
    {
        assert_eq!(&introspected[claim], expected, "{introspected}");
    }
    assert_eq!(told["ended"], json!({ "active": false }), "and nothing else is told of it");
    let exchanged = &told["exchanged"];
    assert_eq!((&exchanged["sub"], &exchanged["act"]["sub"]), (&told["claims"]["sub"], &json!("caller")));
    assert_eq!(told["service"]["sub"], json!(service));
    gateway.stop().await;
}
