//! The token endpoint under names of its own, each for one grant, and what is told of the person behind a token.

use http::header;
use serde_json::{Value, json};

use crate::{
    eventually::eventually,
    harness::Gateway,
    own_tokens::{Holder, issue, log_in, post, reports, text},
    phrases::values,
    upstream::Upstream,
};

/// `accounts.limits` names one for each, and pages of `https://app.test` may ask.
fn document(upstream: &Upstream) -> String {
    format!(
        r#"
accounts:
  password: {{ argon2: {{ memory: 7MiB, iterations: 5 }} }}
  limits: {{ refresh: four, service: two }}
  tokens:
    issuer: "http://localhost:8080"
    secret: "0123456789abcdef0123456789abcdef"
    cors: ["https://app.test"]
    clients:
      app: {{ redirect_uris: ["https://app.test/back"] }}
      watcher: {{ secret: "sha256:21fc26f981f7af804f6f328d20f99429f979ed6a01370cd649ac8ae9bde8e566", permissions: [reports:read] }}
limits:
  login: [{{ per: address, rate: 10000/h }}]
  auth: [{{ per: address, rate: 10000/h }}]
  api: [{{ per: address, rate: 10000/h }}]
  two: [{{ per: address, rate: 2/h }}]
  four: [{{ per: address, rate: 4/h }}]
identity: {{ own: {{ token: {{}} }}, people: {{ session: {{}} }} }}
roles: {{ auditor: [reports:read] }}
routes:
  - {{ path: /reports/**, to: "{upstream}", auth: own, require: [reports:read] }}
"#
    )
}

const PAGE: (&str, &str) = ("origin", "https://app.test");

#[tokio::test]
async fn each_grant_can_have_an_endpoint_and_a_limit_of_its_own() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let holder = Holder::new();
    let proof =
        |endpoint: &str| holder.proof("POST", &format!("http://localhost:8080/auth/{endpoint}"), None, None);
    let tokens = issue(&gateway, &cookie, &[("dpop", &proof("token"))]).await;
    let refresh = [("client_id", "app"), ("refresh_token", text(&tokens, "refresh_token"))];

    // Proofs name the endpoint that they are for.
    let elsewhere = post(&gateway, "/auth/refresh", &refresh, &[("dpop", &proof("token")), PAGE]).await;
    assert_eq!(elsewhere.json::<Value>().await.unwrap()["error"], "invalid_dpop_proof");
    let response = post(&gateway, "/auth/refresh", &refresh, &[("dpop", &proof("refresh")), PAGE]).await;
    assert_eq!(response.status(), 200);
    assert_eq!(values(response.headers(), "access-control-allow-origin"), ["https://app.test"]);
    assert_eq!(values(response.headers(), "cache-control"), ["no-store"]);
    let next: Value = response.json().await.unwrap();
    assert_eq!(text(&next, "token_type"), "DPoP");
    let own = [("client_id", "watcher"), ("client_secret", "watcher's secret")];
    let other = [&own[..], &[("grant_type", "client_credentials")]].concat();
    let other = post(&gateway, "/auth/refresh", &other, &[]).await;
    assert_eq!(other.json::<Value>().await.unwrap()["error"], "unsupported_grant_type");
    let nothing = post(&gateway, "/auth/refresh", &own, &[]).await;
    assert_eq!(nothing.json::<Value>().await.unwrap()["error"], "invalid_request");
    assert_eq!(post(&gateway, "/auth/refresh", &refresh, &[]).await.status(), 429, "a limit of its own");

    let service: Value = post(&gateway, "/auth/service", &own, &[PAGE]).await.json().await.unwrap();
    assert_eq!((text(&service, "scope"), &service["refresh_token"]), ("reports:read", &Value::Null));
    let wrong = [own[0], ("client_secret", "x")];
    assert_eq!(post(&gateway, "/auth/service", &wrong, &[]).await.status(), 401);
    assert_eq!(post(&gateway, "/auth/service", &own, &[]).await.status(), 429, "another limit of its own");
    let granted = [&own[..], &[("grant_type", "client_credentials")]].concat();
    assert_eq!(post(&gateway, "/auth/token", &granted, &[]).await.status(), 200);

    let trail: Value = gateway.ask_admin("/v1/audit?action=token", None).await.json().await.unwrap();
    let of = |entry: &Value| format!("{} {}", text(entry, "action"), text(&entry["details"], "grant_type"));
    let actions: Vec<String> = trail["entries"].as_array().unwrap().iter().map(of).collect();
    let expected = [
        "token.issue client_credentials",
        "token.issue client_credentials",
        "token.refresh refresh_token",
        "token.issue authorization_code",
    ];
    assert_eq!(actions, expected);
    assert!(!trail.to_string().contains(text(&service, "access_token")));
    gateway.stop().await;
}

async fn userinfo(gateway: &Gateway, authorization: &str, proof: Option<&str>) -> reqwest::Response {
    let request = gateway.client().get(gateway.url("/auth/userinfo"));
    let request = request.header(header::AUTHORIZATION, authorization).header(PAGE.0, PAGE.1);
    proof.into_iter().fold(request, |request, proof| request.header("dpop", proof)).send().await.unwrap()
}

fn challenge(response: &reqwest::Response) -> String {
    values(response.headers(), "www-authenticate").join(", ")
}

#[tokio::test]
async fn the_person_behind_a_token_is_told_to_whoever_proves_to_hold_it() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(&document(&upstream)).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let metadata =
        gateway.client().get(gateway.url("/.well-known/openid-configuration")).send().await.unwrap();
    let metadata: Value = metadata.json().await.unwrap();
    let endpoint = "http://localhost:8080/auth/userinfo";
    assert_eq!(metadata["userinfo_endpoint"], endpoint);

    let plain = issue(&gateway, &cookie, &[]).await;
    let bearer = format!("Bearer {}", text(&plain, "access_token"));
    let response = userinfo(&gateway, &bearer, None).await;
    assert_eq!(values(response.headers(), "access-control-allow-origin"), ["https://app.test"]);
    let told: Value = response.json().await.unwrap();
    assert!(told["sub"].is_string() && told == json!({ "sub": told["sub"] }), "{told}");
    let response = userinfo(&gateway, "Bearer nonsense", None).await;
    assert_eq!(
        (response.status().as_u16(), challenge(&response).contains("error=\"invalid_token\"")),
        (401, true)
    );
    let response = gateway.client().post(gateway.url("/auth/userinfo")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), challenge(&response)), (401, "Bearer realm=\"bartizan\"".into()));

    let (holder, thief) = (Holder::new(), Holder::new());
    let proof = holder.proof("POST", "http://localhost:8080/auth/token", None, None);
    let bound = issue(&gateway, &cookie, &[("dpop", &proof)]).await;
    let token = text(&bound, "access_token");
    let dpop = format!("DPoP {token}");
    let good = holder.proof("GET", endpoint, Some(token), None);
    assert_eq!(userinfo(&gateway, &dpop, Some(&good)).await.status(), 200);
    for (what, authorization, proof) in [
        ("used again", &dpop, Some(good)),
        ("no proof", &dpop, None),
        ("downgraded", &format!("Bearer {token}"), Some(holder.proof("GET", endpoint, Some(token), None))),
        ("another key", &dpop, Some(thief.proof("GET", endpoint, Some(token), None))),
        ("another method", &dpop, Some(holder.proof("POST", endpoint, Some(token), None))),
        (
            "another endpoint",
            &dpop,
            Some(holder.proof("GET", "http://localhost:8080/auth/token", Some(token), None)),
        ),
        ("no hash of the token", &dpop, Some(holder.proof("GET", endpoint, None, None))),
    ] {
        let response = userinfo(&gateway, authorization, proof.as_deref()).await;
        let challenge = challenge(&response);
        assert!(response.status() == 401 && challenge.starts_with("DPoP"), "{what}: {challenge}");
    }
    gateway.cli(["token", "revoke", "--user", "ada@shop.test"]).await.succeeded();
    eventually("the token is refused", || async { userinfo(&gateway, &bearer, None).await.status() == 401 })
        .await;
    // Operators are named by where they are and what they came with.
    let trail: Value = gateway.ask_admin("/v1/audit?action=token.revoke", None).await.json().await.unwrap();
    let entry = &trail["entries"][0];
    assert_eq!((text(entry, "actor"), text(entry, "address")), ("operator", "127.0.0.1"));
    assert_eq!(text(entry, "client"), concat!("bartizan/", env!("CARGO_PKG_VERSION")));
    gateway.stop().await;
}

#[tokio::test]
async fn services_reach_a_zone_that_people_do_not() {
    let upstream = Upstream::start().await;
    let document = document(&upstream)
        .replace("own: { token: {} }", "own: { token: { service_zone: services } }")
        .replace("require: [reports:read] }", "require: [reports:read], zone: data }");
    let gateway = Gateway::start(&document).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let person = issue(&gateway, &cookie, &[]).await;
    let own = [("client_id", "watcher"), ("client_secret", "watcher's secret")];
    let service: Value = post(&gateway, "/auth/service", &own, &[]).await.json().await.unwrap();
    for (tokens, expected) in [(&service, 200), (&person, 403)] {
        let bearer = format!("Bearer {}", text(tokens, "access_token"));
        assert_eq!(reports(&gateway, &bearer, None).await.status(), expected, "{tokens}");
    }
    gateway.stop().await;
}
