//! Who may ask: tokens of an issuer, API keys, permissions, and what the upstream learns of the caller.

use std::{collections::HashSet, fmt::Write};

use aws_lc_rs::digest;
use http::HeaderMap;
use reqwest::{Response, header::WWW_AUTHENTICATE};
use serde_json::{Value, json};

use crate::{
    certificates::replace,
    eventually::eventually,
    harness::Gateway,
    issuer::{self, AUDIENCE, ISSUER, Issuer, SigningKey},
    upstream::Upstream,
};

const PARTNER_KEY: &str = "bzk_partner-0123456789abcdef0123456789abcdef";

/// `jwt:` of the issuer; `besides` is what else stands there.
fn jwt(issuer: &Issuer, besides: &str) -> String {
    format!("{{ jwt: {{ issuer: \"{ISSUER}\", audience: {AUDIENCE}, jwks: \"{issuer}\"{besides} }} }}")
}

/// A gateway that knows the keys of the issuer.
async fn gateway(document: &str) -> Gateway {
    let gateway = Gateway::start(document).await;
    ready(&gateway).await;
    gateway
}

async fn ready(gateway: &Gateway) {
    eventually("/readyz", async || readiness(gateway).await == 200).await;
}

async fn readiness(gateway: &Gateway) -> u16 {
    let url = format!("http://{}/readyz", gateway.metrics());
    gateway.client().get(url).send().await.unwrap().status().as_u16()
}

/// One route for orders, guarded by the issuer.
async fn orders(upstream: &Upstream, issuer: &Issuer, besides: &str) -> Gateway {
    let provider = jwt(issuer, besides);
    gateway(&format!(
        "identity: {{ shop-users: {provider} }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: shop-users }}]"
    ))
    .await
}

async fn get(gateway: &Gateway, path: &str, token: &str) -> Response {
    gateway.client().get(gateway.url(path)).bearer_auth(token).send().await.unwrap()
}

async fn code(response: Response) -> String {
    let problem: Value = response.json().await.unwrap();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_token_of_the_issuer_opens_the_route() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
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
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = orders(&upstream, &issuer, "").await;
    let response = gateway.get("/orders").await;
    assert_eq!(response.status(), 401);
    let challenges = values(response.headers(), WWW_AUTHENTICATE.as_str()).join(", ");
    assert!(
        challenges.starts_with("Bearer") && !challenges.contains("error"),
        "{challenges} (RFC 6750, section 3)"
    );
    assert_eq!(code(response).await, "missing_authentication_token");
    for scheme in ["Basic YWRhOmxvdmVsYWNl", "Digest x", "bearer"] {
        let request = gateway.client().get(gateway.url("/orders")).header("authorization", scheme);
        assert_eq!(request.send().await.unwrap().status(), 401, "{scheme}");
    }
    assert!(upstream.has_received_nothing().await);
}

#[tokio::test]
async fn every_bad_token_is_refused_alike_and_the_log_says_why() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
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
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = orders(&upstream, &issuer, "").await;
    let token = issuer.token(json!({}));
    let request =
        gateway.client().get(gateway.url("/")).bearer_auth(&token).header("authorization", "Bearer x");
    assert_eq!(request.send().await.unwrap().status(), 401);
    let in_query = gateway.get(&format!("/orders?access_token={token}")).await;
    assert_eq!(code(in_query).await, "missing_authentication_token");
}

#[tokio::test]
async fn keys_are_rotated_without_a_restart() {
    let (upstream, mut issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = orders(&upstream, &issuer, ", refresh: 100ms").await;
    let old = issuer.token(json!({}));
    assert_eq!(get(&gateway, "/", &old).await.status(), 200);

    issuer.rotate("key-2");
    // When the second further fetch begins, the first has been taken over.
    issuer.fetched(2).await;
    let new = issuer.token(json!({}));
    assert_eq!(get(&gateway, "/", &new).await.status(), 200);
    let withdrawn = get(&gateway, "/", &old).await;
    assert_eq!(code(withdrawn).await, "invalid_authentication_token", "even though it was verified before");
}

#[tokio::test]
async fn invented_key_ids_do_not_make_the_gateway_pester_the_issuer() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
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
    let provider = jwt(&issuer, "");
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
    assert_eq!(code(response).await, "authentication_unavailable");
    assert_eq!(readiness(&gateway).await, 503);
    let healthy = gateway.client().get(format!("http://{}/healthz", gateway.metrics())).send().await.unwrap();
    assert_eq!(healthy.status(), 200, "alive, though not ready");
    assert_eq!(gateway.get("/").await.status(), 200, "public routes need no issuer");
    upstream.received().await;

    issuer.rise();
    ready(&gateway).await;
    assert_eq!(get(&gateway, "/orders", &token).await.status(), 200);
    gateway.stop().await;
}

#[tokio::test]
async fn an_issuer_that_goes_down_later_leaves_its_last_keys_in_use() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = orders(&upstream, &issuer, ", refresh: 100ms").await;
    let token = issuer.token(json!({}));
    let service = issuer.into_key();
    gateway.log(|line| line["message"] == "keys not refreshed").await;
    assert_eq!(get(&gateway, "/", &token).await.status(), 200);
    let another =
        service.sign(&json!({ "alg": "ES256", "kid": "key-1" }), &issuer::claims(json!({ "sub": "bob" })));
    assert_eq!(get(&gateway, "/", &another).await.status(), 200, "not only verified tokens");
    assert_eq!(readiness(&gateway).await, 200);
}

#[tokio::test]
async fn keys_from_a_file_are_read_again_when_it_changes() {
    let (upstream, mut issuer) = (Upstream::start().await, Issuer::start().await);
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
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let provider = jwt(&issuer, "");
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
    ready(&gateway).await;
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

#[tokio::test]
async fn permissions_decide_per_route_and_method() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let provider = jwt(&issuer, "");
    let gateway = gateway(&format!(
        r#"
identity: {{ shop-users: {provider} }}
roles: {{ clerk: ["orders:read", "customers:read"], head: ["orders:*"], auditor: ["*:read"], root: ["*"] }}
routes:
  - {{ path: /all, to: "{upstream}", auth: shop-users, require: [orders:read, orders:write] }}
  - {{ path: /any, to: "{upstream}", auth: shop-users, require: {{ any: [orders:read, orders:write] }} }}
  - path: /method
    to: "{upstream}"
    auth: shop-users
    require: {{ GET: [orders:read], POST: {{ any: [orders:write, orders:admin] }} }}
  - path: /rest
    to: "{upstream}"
    auth: shop-users
    require: {{ GET: [orders:read], "*": [orders:admin] }}
"#
    ))
    .await;
    let (read, write) =
        (json!({ "permissions": ["orders:read"] }), json!({ "permissions": ["orders:write"] }));
    let role = |name: &str| json!({ "roles": [name] });
    let cases = [
        ("GET", "/all", &read, 403),
        ("GET", "/all", &json!({ "permissions": ["orders:read", "orders:write"] }), 200),
        ("GET", "/all", &json!({ "scope": "openid orders:read orders:write" }), 200),
        ("GET", "/all", &json!({ "scope": "orders:read", "permissions": ["orders:write"] }), 200),
        ("GET", "/all", &json!({}), 403),
        ("GET", "/all", &json!({ "permissions": ["orders:*"] }), 200),
        ("GET", "/all", &json!({ "permissions": ["*"] }), 200),
        ("GET", "/all", &json!({ "permissions": ["ord*:read", "orders:write"] }), 403),
        ("GET", "/any", &read, 200),
        ("GET", "/any", &json!({ "permissions": ["customers:read"] }), 403),
        ("GET", "/any", &json!({ "permissions": ["orders:read-all"] }), 403),
        ("GET", "/any", &json!({ "permissions": ["Orders:Read"] }), 403),
        ("GET", "/method", &read, 200),
        ("HEAD", "/method", &read, 200),
        ("POST", "/method", &read, 403),
        ("POST", "/method", &write, 200),
        ("DELETE", "/method", &json!({ "permissions": ["*"] }), 403),
        ("GET", "/rest", &read, 200),
        ("DELETE", "/rest", &read, 403),
        ("DELETE", "/rest", &json!({ "permissions": ["orders:admin"] }), 200),
        ("GET", "/any", &role("clerk"), 200),
        ("GET", "/all", &role("clerk"), 403),
        ("GET", "/all", &role("head"), 200),
        ("GET", "/any", &role("auditor"), 200),
        ("GET", "/all", &role("auditor"), 403),
        ("GET", "/all", &role("root"), 200),
        ("GET", "/any", &role("unheard-of"), 403),
    ];
    for (method, path, claims, status) in cases {
        let method = method.parse().unwrap();
        let request =
            gateway.client().request(method, gateway.url(path)).bearer_auth(issuer.token(claims.clone()));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path} {claims}");
        if status == 403 {
            assert_eq!(code(response).await, "permission_denied", "{path} {claims}");
            assert!(upstream.has_received_nothing().await);
        } else {
            upstream.received().await;
        }
    }
}

#[tokio::test]
async fn a_second_factor_is_proven_by_the_token() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let provider = jwt(&issuer, "");
    let gateway = gateway(&format!(
        "identity: {{ shop-users: {provider} }}\n\
         routes: [{{ path: /admin/**, to: \"{upstream}\", auth: shop-users, require: [admin:read], mfa: required }}]"
    ))
    .await;
    let cases = [
        (json!(["pwd"]), 403),
        (json!(null), 403),
        (json!("mfa"), 403),
        (json!(["pwd", "pin"]), 403),
        (json!(["pwd", "otp"]), 200),
        (json!(["mfa"]), 200),
    ];
    for (amr, status) in cases {
        let token = issuer.token(json!({ "permissions": ["admin:read"], "amr": amr }));
        let response = get(&gateway, "/admin/users", &token).await;
        assert_eq!(response.status(), status, "{amr}");
        if status == 403 {
            assert_eq!(code(response).await, "mfa_required", "{amr}");
        }
    }
}

fn hash(key: &str) -> String {
    let mut text = String::from("sha256:");
    for byte in digest::digest(&digest::SHA256, key.as_bytes()).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Tokens and API keys, either of which is enough.
async fn tokens_and_keys(upstream: &Upstream, issuer: &Issuer) -> Gateway {
    let (provider, hash) = (jwt(issuer, ""), hash(PARTNER_KEY));
    gateway(&format!(
        r#"
identity:
  shop-users: {provider}
  partners:
    api_key: {{ keys: [{{ name: acme, hash: "{hash}", permissions: [orders:read], organization: acme-inc }}] }}
routes:
  - {{ path: /orders/**, to: "{upstream}", auth: [shop-users, partners], require: [orders:read] }}
  - {{ path: /partners/**, to: "{upstream}", auth: partners }}
  - {{ path: /public/**, to: "{upstream}", auth: none }}
"#
    ))
    .await
}

#[tokio::test]
async fn any_of_the_providers_of_a_route_is_enough() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = tokens_and_keys(&upstream, &issuer).await;
    let token = format!("Bearer {}", issuer.token(json!({ "permissions": ["orders:read"] })));
    let other_key = PARTNER_KEY.replace('0', "1");
    let cases: [(&str, &str, &str, u16, &str); 7] = [
        ("/orders/1", "authorization", &token, 200, "ada"),
        ("/orders/1", "x-api-key", PARTNER_KEY, 200, "acme"),
        ("/orders/1", "x-api-key", &other_key, 401, "invalid_authentication_token"),
        ("/orders/1", "x-api-key", "short", 401, "invalid_authentication_token"),
        ("/orders/1", "authorization", PARTNER_KEY, 401, "missing_authentication_token"),
        ("/partners/1", "x-api-key", PARTNER_KEY, 200, "acme"),
        ("/partners/1", "authorization", &token, 401, "missing_authentication_token"),
    ];
    for (path, header, value, status, expected) in cases {
        let response = gateway.client().get(gateway.url(path)).header(header, value).send().await.unwrap();
        assert_eq!(response.status(), status, "{path} {header}: {value}");
        if status == 200 {
            assert_eq!(
                values(&upstream.received().await.headers, "x-user-id"),
                [expected],
                "{path} {header}"
            );
        } else {
            assert_eq!(code(response).await, expected, "{path} {header}: {value}");
        }
    }
    assert!(!gateway.log_text().contains(PARTNER_KEY));
    assert!(!gateway.log_text().contains(&other_key));
}

#[tokio::test]
async fn what_a_client_says_about_itself_never_reaches_the_upstream() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = tokens_and_keys(&upstream, &issuer).await;
    let claimed = [
        ("x-user-id", "root"),
        ("X-User-Id", "root"),
        ("x-user-permissions", "*"),
        ("x-user-roles", "root"),
        ("x-user-anything", "root"),
        ("x-organization-id", "victim"),
        ("x-organization-plan", "gold"),
        ("x-bartizan-principal", "root"),
        ("x-csp-nonce", "chosen"),
    ];
    let request = |path: &str| {
        let request = gateway.client().get(gateway.url(path));
        claimed.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };

    assert_eq!(request("/public/1").send().await.unwrap().status(), 200);
    let headers = upstream.received().await.headers;
    for (name, _) in claimed {
        assert_eq!(values(&headers, name), [""; 0], "{name} on a public route");
    }

    assert_eq!(request("/orders/1").header("x-api-key", PARTNER_KEY).send().await.unwrap().status(), 200);
    let headers = upstream.received().await.headers;
    assert_eq!(values(&headers, "x-user-id"), ["acme"]);
    assert_eq!(values(&headers, "x-organization-id"), ["acme-inc"]);
    assert_eq!(values(&headers, "x-user-permissions"), ["orders:read"]);
    for name in
        ["x-user-roles", "x-user-anything", "x-organization-plan", "x-bartizan-principal", "x-csp-nonce"]
    {
        assert_eq!(values(&headers, name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn connection_options_cannot_make_a_verified_header_vanish() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start().await);
    let gateway = tokens_and_keys(&upstream, &issuer).await;
    let named = "close, x-user-id, X-Organization-Id, x-forwarded-for, x-forwarded-proto, x-request-id, traceparent, host, content-length, trick";
    let answer = gateway
        .raw(format!(
            "POST /orders/1 HTTP/1.1\r\nHost: shop.test\r\nX-Api-Key: {PARTNER_KEY}\r\nX-User-Id: root\r\nTrick: yes\r\n\
             Content-Length: 2\r\nConnection: {named}\r\n\r\nok"
        ))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let received = upstream.received().await;
    assert_eq!(values(&received.headers, "x-user-id"), ["acme"]);
    assert_eq!(values(&received.headers, "x-organization-id"), ["acme-inc"]);
    assert_eq!(values(&received.headers, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(values(&received.headers, "x-forwarded-proto"), ["http"]);
    assert_eq!(values(&received.headers, "host"), ["shop.test"]);
    assert_eq!(values(&received.headers, "x-request-id"), [answer.request_id()]);
    assert!(received.headers.contains_key("traceparent"));
    assert_eq!(received.body, "ok");
    for gone in ["trick", "connection", "keep-alive"] {
        assert_eq!(values(&received.headers, gone), [""; 0], "{gone}");
    }
}
