//! Tokens: who signed them, what they must say, and how the keys to check them come and go.

use std::collections::HashSet;

use reqwest::{Response, header::WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::{
    certificates::{Authority, replace},
    eventually::eventually,
    harness::Gateway,
    issuer::{self, AUDIENCE, ISSUER, Issuer, SigningKey},
    phrases::{becomes_ready, readiness, ready, refusal, values},
    tls_front::TlsFront,
    upstream::Upstream,
};

/// One route for everything, guarded by the issuer.
async fn orders(upstream: &Upstream, issuer: &Issuer, besides: &str) -> Gateway {
    let provider = issuer.provider(besides);
    ready(&format!(
        "identity: {{ shop-users: {provider} }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: shop-users }}]"
    ))
    .await
}

async fn get(gateway: &Gateway, path: &str, token: &str) -> Response {
    gateway.client().get(gateway.url(path)).bearer_auth(token).send().await.unwrap()
}

#[tokio::test]
async fn a_token_of_the_issuer_opens_the_route() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, "").await;
    let token = issuer.token(json!({ "org_id": "shop", "permissions": ["orders:read"] }));
    // The second time it is known.
    for _ in 0..2 {
        assert_eq!(get(&gateway, "/orders", &token).await.status(), 200);
        let headers = upstream.received().await.headers;
        assert_eq!(values(&headers, "x-user-id"), ["ada"]);
        assert_eq!(values(&headers, "x-organization-id"), ["shop"]);
        assert_eq!(values(&headers, "x-user-permissions"), ["orders:read"]);
    }
    assert_eq!(issuer.fetches(), 1, "keys are not fetched per request");
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_credential_the_answer_says_how_to_send_one() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, "").await;
    let response = gateway.get("/orders").await;
    assert_eq!(response.status(), 401);
    let challenges = values(response.headers(), WWW_AUTHENTICATE.as_str()).join(", ");
    assert!(
        challenges.starts_with("Bearer") && !challenges.contains("error"),
        "{challenges} (RFC 6750, section 3)"
    );
    assert_eq!(refusal(response).await.1, "missing_authentication_token");
    for scheme in ["Basic YWRhOmxvdmVsYWNl", "Digest x", "bearer"] {
        let request = gateway.client().get(gateway.url("/orders")).header("authorization", scheme);
        assert_eq!(request.send().await.unwrap().status(), 401, "{scheme}");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn every_bad_token_is_refused_alike_and_the_log_says_why() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, "").await;
    let (header, good, now) = (issuer.header(), issuer::claims(json!({})), issuer::now());
    let with_header = |besides: Value| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().extend(besides.as_object().unwrap().clone());
        header
    };
    let signed = |besides: Value| issuer.key().sign(&with_header(besides), &good);
    let hs256 = with_header(json!({ "alg": "HS256" }));
    let set = issuer.set().to_string();
    let stranger = SigningKey::generate("key-1");
    let token = issuer.token(json!({}));
    let (rest, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);

    let tokens = [
        ("expired", issuer.token(json!({ "exp": now - 60 })), "expired"),
        ("without expiry", issuer.token(json!({ "exp": null })), "expiry"),
        ("an expiry that is a text", issuer.token(json!({ "exp": "9999999999" })), "expiry"),
        ("not valid yet", issuer.token(json!({ "nbf": now + 120 })), "not valid yet"),
        ("of another issuer", issuer.token(json!({ "iss": "https://evil.test" })), "issuer"),
        ("without issuer", issuer.token(json!({ "iss": null })), "issuer"),
        ("for another audience", issuer.token(json!({ "aud": "billing" })), "audience"),
        ("without audience", issuer.token(json!({ "aud": null })), "audience"),
        ("without subject", issuer.token(json!({ "sub": null })), "subject"),
        ("a subject with a line break", issuer.token(json!({ "sub": "ada\r\nx-user-id: root" })), "subject"),
        (
            "alg none",
            issuer::unsigned(&with_header(json!({ "alg": "none" })), &good),
            "three base64url parts",
        ),
        ("no signature", format!("{rest}."), "three base64url parts"),
        ("alg none, signed", signed(json!({ "alg": "none" })), "algorithm"),
        ("another signature", format!("{rest}.{forged}"), "signature"),
        (
            "signed with the public key as secret",
            issuer::sign_with_secret(issuer.key().public(), &hs256, &good),
            "algorithm",
        ),
        (
            "signed with the key set as secret",
            issuer::sign_with_secret(set.as_bytes(), &hs256, &good),
            "algorithm",
        ),
        ("signed by somebody else", stranger.sign(&header, &good), "signature"),
        ("with an unknown key", signed(json!({ "kid": "key-9" })), "no key fits"),
        ("with a key of its own", signed(json!({ "jwk": stranger.set()["keys"][0] })), "its own key"),
        ("with a place to find the key", signed(json!({ "jku": "https://evil.test/jwks" })), "its own key"),
        ("with a critical extension", signed(json!({ "crit": ["exp"] })), "critical"),
        ("of another type", signed(json!({ "typ": "logout+jwt" })), "type"),
        ("no token", "opaque".into(), "three base64url parts"),
        ("too long", issuer.token(json!({ "padding": "x".repeat(9000) })), "longer than allowed"),
    ];
    let mut details = HashSet::new();
    for (name, token, why) in tokens {
        let response = get(&gateway, "/orders", &token).await;
        assert_eq!(response.status(), 401, "{name}");
        let challenges = values(response.headers(), WWW_AUTHENTICATE.as_str()).join(", ");
        assert!(
            challenges.contains("Bearer") && challenges.contains("error=\"invalid_token\""),
            "{name}: {challenges}"
        );
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "invalid_authentication_token", "{name}");
        details.insert(problem["detail"].to_string());
        let line = gateway.log(|line| line["request_id"] == id.as_str()).await;
        assert!(line["reason"].as_str().is_some_and(|reason| reason.contains(why)), "{name}: {line}");
        assert!(!gateway.log_text().contains(&token), "{name}: the token is in the log");
    }
    assert_eq!(details.len(), 1, "the answer tells which rule it was: {details:?}");
    assert!(upstream.has_received_nothing().await);
    assert_eq!(get(&gateway, "/orders", &token).await.status(), 200, "the good one still passes");
}

#[tokio::test]
async fn a_token_is_sent_once_or_not_at_all() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, "").await;
    let token = issuer.token(json!({}));
    let request =
        gateway.client().get(gateway.url("/")).bearer_auth(&token).header("authorization", "Bearer x");
    assert_eq!(request.send().await.unwrap().status(), 401);
    let in_query = gateway.get(&format!("/orders?access_token={token}")).await;
    assert_eq!(refusal(in_query).await.1, "missing_authentication_token");
    assert!(!gateway.log_text().contains(&token), "queries are not logged: they may carry secrets");
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart() {
    let (upstream, mut issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, ", refresh: 100ms").await;
    let old = issuer.token(json!({}));
    assert_eq!(get(&gateway, "/", &old).await.status(), 200);

    issuer.rotate("key-2");
    // When the second further fetch begins, the first has been taken over.
    issuer.fetched(2).await;
    let new = issuer.token(json!({}));
    assert_eq!(get(&gateway, "/", &new).await.status(), 200);
    let withdrawn = get(&gateway, "/", &old).await;
    assert_eq!(
        refusal(withdrawn).await.1,
        "invalid_authentication_token",
        "even though it was verified before"
    );
}

#[tokio::test]
async fn invented_key_ids_do_not_make_the_gateway_pester_the_issuer() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, "").await;
    let begin = std::time::Instant::now();
    for number in 0..40 {
        let header = json!({ "alg": "ES256", "kid": format!("invented-{number}") });
        let token = issuer.key().sign(&header, &issuer::claims(json!({})));
        assert_eq!(get(&gateway, "/", &token).await.status(), 401);
    }
    let allowed = 1 + usize::try_from(begin.elapsed().as_secs() / 10).unwrap() + 1;
    assert!(issuer.fetches() <= allowed, "{} fetches", issuer.fetches());
}

#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_makes_the_gateway_wait_for_it() {
    let (upstream, mut issuer) = (Upstream::start().await, Issuer::down());
    let provider = issuer.provider("");
    let gateway = Gateway::start(&format!(
        r#"
identity: {{ shop-users: {provider} }}
routes:
  - {{ path: /orders, to: "{upstream}", auth: shop-users }}
  - {{ path: /, to: "{upstream}", auth: none }}
"#
    ))
    .await;
    let token = issuer.token(json!({}));
    let response = get(&gateway, "/orders", &token).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"), "{:?}", response.headers());
    assert_eq!(refusal(response).await.1, "authentication_unavailable");
    assert_eq!(readiness(&gateway).await, 503);
    let healthy = gateway.client().get(format!("http://{}/healthz", gateway.metrics())).send().await.unwrap();
    assert_eq!(healthy.status(), 200, "alive, though not ready");
    assert_eq!(gateway.get("/").await.status(), 200, "public routes need no issuer");
    upstream.received().await;

    issuer.rise();
    becomes_ready(&gateway).await;
    assert_eq!(get(&gateway, "/orders", &token).await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn an_issuer_that_goes_down_later_leaves_its_last_keys_in_use() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let gateway = orders(&upstream, &issuer, ", refresh: 100ms").await;
    let token = issuer.token(json!({}));
    let key = issuer.into_key();
    gateway.log(|line| line["message"] == "keys not refreshed").await;
    assert_eq!(get(&gateway, "/", &token).await.status(), 200);
    let another =
        key.sign(&json!({ "alg": "ES256", "kid": "key-1" }), &issuer::claims(json!({ "sub": "bob" })));
    assert_eq!(get(&gateway, "/", &another).await.status(), 200, "not only verified tokens");
    assert_eq!(readiness(&gateway).await, 200);
    // A reload that changes something else keeps the keys, too.
    let document = std::fs::read_to_string(gateway.config_path()).unwrap();
    gateway.rewrite(&format!("{document}\nlog: {{ requests: true }}\n"));
    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(get(&gateway, "/", &another).await.status(), 200);
}

#[tokio::test]
async fn keys_are_fetched_over_tls_from_whom_the_authority_vouches_for() {
    let (upstream, issuer, authority) = (Upstream::start().await, Issuer::start(), Authority::new());
    let front =
        TlsFront::start(authority.issue(&["127.0.0.1"]).server(&["http/1.1"]), issuer.address()).await;
    let token = issuer.token(json!({}));
    for (ca, status) in [(authority.pem(), 200), (Authority::new().pem(), 503)] {
        let launch = Gateway::launch(&format!(
            "identity: {{ shop-users: {{ jwt: {{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks: \"{front}/jwks\", ca: ./ca.pem }} }} }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: shop-users }}]"
        ));
        replace(&launch.folder().join("ca.pem"), &ca);
        let gateway = launch.start().await;
        match status {
            200 => becomes_ready(&gateway).await,
            _ => drop(gateway.log(|line| line["message"] == "keys not refreshed").await),
        }
        assert_eq!(get(&gateway, "/", &token).await.status(), status);
    }
}

#[tokio::test]
async fn keys_from_a_file_are_read_again_when_it_changes() {
    let (upstream, mut issuer) = (Upstream::start().await, Issuer::start());
    let launch = Gateway::launch(&format!(
        "identity: {{ shop-users: {{ jwt: {{ issuer: \"{ISSUER}\", audience: [billing, {AUDIENCE}], jwks: ./keys.json }} }} }}\n\
         routes: [{{ path: /**, to: \"{upstream}\", auth: shop-users }}]"
    ));
    replace(&launch.folder().join("keys.json"), &issuer.set().to_string());
    let gateway = launch.start().await;
    let old = issuer.token(json!({}));
    assert_eq!(get(&gateway, "/", &old).await.status(), 200);

    issuer.rotate("key-2");
    let new = issuer.token(json!({}));
    replace(&gateway.folder().join("keys.json"), &issuer.set().to_string());
    eventually("the new key", async || get(&gateway, "/", &new).await.status() == 200).await;
    assert_eq!(get(&gateway, "/", &old).await.status(), 401);
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn a_route_may_trust_several_issuers_each_in_its_own_way() {
    const SECRET: &str = "a shared secret of more than 32 bytes, from the environment";
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let gateway = Gateway::launch(&format!(
        r#"
identity:
  shop-users: {provider}
  machines: {{ jwt: {{ issuer: machines, audience: {AUDIENCE}, secret: "${{MACHINE_SECRET}}" }} }}
  sidecars: {{ jwt: {{ issuer: sidecars, audience: {AUDIENCE}, secret: "${{MACHINE_SECRET}}", header: x-sidecar-token }} }}
routes: [{{ path: /**, to: "{upstream}", auth: [shop-users, machines, sidecars] }}]
"#
    ))
    .environment("MACHINE_SECRET", SECRET)
    .start()
    .await;
    becomes_ready(&gateway).await;
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let shared = |issuer: &str| {
        let claims = issuer::claims(json!({ "iss": issuer, "sub": issuer }));
        issuer::sign_with_secret(SECRET.as_bytes(), &header, &claims)
    };
    let bearer = |token: String| ("authorization", format!("Bearer {token}"));
    let cases = [
        (bearer(issuer.token(json!({}))), Some("ada")),
        (bearer(shared("machines")), Some("machines")),
        (("x-sidecar-token", shared("sidecars")), Some("sidecars")),
        (bearer(shared("sidecars")), None),
        (("x-sidecar-token", shared("machines")), None),
        // Who knows the secret of one issuer cannot speak for another.
        (bearer(shared(ISSUER)), None),
    ];
    for ((header, value), user) in cases {
        let response = gateway.client().get(gateway.url("/")).header(header, &value).send().await.unwrap();
        match user {
            Some(user) => {
                assert_eq!(response.status(), 200, "{header}: {user}");
                assert_eq!(values(&upstream.received().await.headers, "x-user-id"), [user]);
            }
            None => assert_eq!(response.status(), 401, "{header}: {value}"),
        }
    }
    assert!(!gateway.log_text().contains(SECRET));
}
