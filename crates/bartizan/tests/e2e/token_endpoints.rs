//! The token endpoint under names of its own, each for one grant, and what is told of the person behind a token.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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

/// What the rest of `/auth` speaks: JSON for the next tokens, and a logout that begins at the client.
#[tokio::test]
async fn a_client_refreshes_by_json_and_logs_its_person_out() {
    let upstream = Upstream::start().await;
    let back = "redirect_uris: [\"https://app.test/back\"]";
    let document = document(&upstream)
        .replace(back, &format!("{back}, post_logout_redirect_uris: [\"https://app.test/bye\"]"));
    let gateway = Gateway::start(&document).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let tokens = issue(&gateway, &cookie, &[]).await;
    let body = json!({ "client_id": "app", "refresh_token": text(&tokens, "refresh_token") });
    let response = gateway.client().post(gateway.url("/auth/refresh")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let next: Value = response.json().await.unwrap();
    assert!(next["access_token"].is_string() && next["refresh_token"] != tokens["refresh_token"]);

    let metadata: Value = gateway.get("/.well-known/openid-configuration").await.json().await.unwrap();
    assert_eq!(metadata["end_session_endpoint"], "http://localhost:8080/auth/end-session");
    let leave = async |redirect: &str| {
        let mut url: reqwest::Url = gateway.url("/auth/end-session").parse().unwrap();
        let query = [("id_token_hint", text(&tokens, "id_token")), ("post_logout_redirect_uri", redirect)];
        url.query_pairs_mut().extend_pairs(query).append_pair("state", "xyz");
        gateway.client().get(url).header("cookie", &cookie).send().await.unwrap()
    };
    assert_eq!(leave("https://evil.test/").await.status(), 400);
    let response = leave("https://app.test/bye").await;
    assert_eq!(values(response.headers(), "location"), ["https://app.test/bye?state=xyz"]);
    let cookies = values(response.headers(), "set-cookie").join("\n");
    assert!(cookies.contains("bartizan=; ") && cookies.contains("Max-Age=0"), "{cookies}");
    let gone = gateway.client().get(gateway.url("/auth/session")).header("cookie", &cookie).send().await;
    assert_eq!(gone.unwrap().status(), 401);
    gateway.stop().await;
}

/// A service that asks about each request, clients that read the keys, and pages that ask who is there, all behind one
/// address: none uses up what another needs.
#[tokio::test]
async fn what_is_asked_often_has_room_and_takes_none_from_the_rest() {
    let upstream = Upstream::start().await;
    let document = document(&upstream).replace("  api: [{ per: address, rate: 10000/h }]\n", "");
    let gateway = Gateway::start(&document).await;
    let form = [("client_id", "watcher"), ("client_secret", "watcher's secret"), ("token", "nonsense")];
    for _ in 0..1_500 {
        let told = post(&gateway, "/auth/introspect", &form, &[]).await;
        assert_eq!(told.status(), 200);
    }
    for path in ["/auth/jwks", "/auth/session"] {
        for _ in 0..1_100 {
            assert_ne!(gateway.get(path).await.status(), 429, "{path}");
        }
    }
    let granted = [&form[..2], &[("grant_type", "client_credentials")]].concat();
    assert_eq!(post(&gateway, "/auth/token", &granted, &[]).await.status(), 200);
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

#[tokio::test]
async fn a_client_that_knows_rs256_only_gets_it_beside_the_others() {
    let upstream = Upstream::start().await;
    let document = document(&upstream)
        .replace("permissions: [reports:read] }", "permissions: [reports:read], algorithm: RS256 }");
    let gateway = Gateway::start(&document).await;
    let cookie = log_in(&gateway, "ada@shop.test").await;
    let person = issue(&gateway, &cookie, &[]).await;
    let own = [("client_id", "watcher"), ("client_secret", "watcher's secret")];
    let service: Value = post(&gateway, "/auth/service", &own, &[]).await.json().await.unwrap();
    for (tokens, algorithm) in [(&person, "EdDSA"), (&service, "RS256")] {
        let token = text(tokens, "access_token");
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&header).unwrap()["alg"], algorithm);
        assert_eq!(reports(&gateway, &format!("Bearer {token}"), None).await.status(), 200, "{algorithm}");
    }
    let published: Value = gateway.get("/auth/jwks").await.json().await.unwrap();
    let mut algorithms: Vec<_> =
        published["keys"].as_array().unwrap().iter().map(|key| key["alg"].as_str().unwrap()).collect();
    algorithms.sort_unstable();
    assert_eq!(algorithms, ["EdDSA", "EdDSA", "RS256", "RS256"]);
    gateway.stop().await;
}

#[tokio::test]
async fn services_of_the_store_call_on_and_from_zones_of_their_own() {
    let upstream = Upstream::start().await;
    let document = document(&upstream)
        .replace("limits: { refresh: four, service: two }", "limits: { refresh: four }")
        .replace("people: { session: {} }", "people: { session: {} }, keys: { api_key: { store: true } }")
        .replace(
            "auth: own, require: [reports:read] }",
            "auth: [own, keys], require: [reports:read], zone: data }",
        );
    let gateway = Gateway::start(&document).await;
    let told = async |arguments: Vec<&str>| -> Value {
        let arguments: [&str; 8] = arguments.try_into().unwrap();
        serde_json::from_str(&gateway.cli(arguments).await.succeeded()).unwrap()
    };
    gateway.cli(["org", "create", "Acme"]).await.succeeded();
    let created = [
        "service",
        "create",
        "Acme",
        "relay",
        "--permission",
        "reports:read",
        "--json",
        "--exchange=reports:*",
    ];
    let made = told(created.to_vec()).await;
    let (service, secret) = (made["service"]["id"].as_str().unwrap(), text(&made, "secret"));
    let made = told(vec!["key", "create", "cron", "--service", service, "--permission", "*", "--json"]).await;
    let (key, key_secret) = (made["key"]["id"].as_str().unwrap(), text(&made, "secret"));
    let own = [("grant_type", "client_credentials"), ("client_id", service), ("client_secret", secret)];
    let reached = async || {
        let tokens: Value = post(&gateway, "/auth/token", &own, &[]).await.json().await.unwrap();
        let bearer = format!("Bearer {}", text(&tokens, "access_token"));
        let by_key = gateway.client().get(gateway.url("/reports/1")).header("x-api-key", key_secret);
        let by_key = by_key.send().await.unwrap().status().as_u16();
        (reports(&gateway, &bearer, None).await.status().as_u16(), by_key)
    };

    // Both call from where everybody does, until an operator says another zone.
    assert_eq!(reached().await, (403, 403));
    gateway.cli(["service", "set-zone", service, "services"]).await.succeeded();
    assert_eq!(reached().await, (200, 403));
    let shown = gateway.cli(["key", "set-zone", key, "services"]).await.succeeded();
    assert!(shown.lines().any(|line| line.starts_with("zone") && line.ends_with("services")), "{shown}");
    assert_eq!(reached().await, (200, 200));
    let wrong = gateway.cli(["service", "set-zone", service, "moon"]).await.failed_with(1);
    assert!(wrong.contains("moon"), "{wrong}");

    // It calls on for people of its organisation, as far as its record says.
    let _ = log_in(&gateway, "ada@shop.test").await;
    gateway.cli(["role", "bind", "Acme", "auditor", "--user", "ada@shop.test"]).await.succeeded();
    let body =
        json!({ "email": "ada@shop.test", "password": "plum-Terrace-9-orbit", "organization": "Acme" });
    let answer = gateway.client().post(gateway.url("/auth/login")).json(&body).send().await.unwrap();
    let cookies = values(answer.headers(), "set-cookie");
    let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix("bartizan=")).unwrap();
    let cookie = format!("bartizan={}", cookie.split(';').next().unwrap());
    let tokens = issue(&gateway, &cookie, &[]).await;
    let exchange = async || {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("client_id", service),
            ("client_secret", secret),
            ("subject_token", text(&tokens, "access_token")),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ];
        post(&gateway, "/auth/token", &form, &[]).await
    };
    let next: Value = exchange().await.json().await.unwrap();
    assert_eq!(text(&next, "scope"), "openid reports:read");
    assert_eq!(text(&next, "issued_token_type"), "urn:ietf:params:oauth:token-type:access_token");
    gateway.cli(["service", "set-exchange", service]).await.succeeded();
    let refused = exchange().await;
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "unauthorized_client");
    gateway.stop().await;
}
