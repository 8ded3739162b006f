//! What the upstream learns of a caller: what has been proven, and nothing that a client says of itself.

use std::fmt::Write;

use aws_lc_rs::digest;
use serde_json::json;

use crate::{
    harness::Gateway,
    issuer::Issuer,
    phrases::{ready, refusal, values},
    upstream::Upstream,
};

const PARTNER_KEY: &str = "bzk_partner-0123456789abcdef0123456789abcdef";

fn hash(key: &str) -> String {
    let mut text = String::from("sha256:");
    for byte in digest::digest(&digest::SHA256, key.as_bytes()).as_ref() {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

/// Tokens and API keys, either of which is enough.
async fn tokens_and_keys(upstream: &Upstream, issuer: &Issuer) -> Gateway {
    let (provider, hash) = (issuer.provider(""), hash(PARTNER_KEY));
    ready(&format!(
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
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
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
            assert_eq!(refusal(response).await.1, expected, "{path} {header}: {value}");
        }
    }
    assert!(!gateway.log_text().contains(PARTNER_KEY));
    assert!(!gateway.log_text().contains(&other_key));
}

#[tokio::test]
async fn what_a_client_says_about_itself_never_reaches_the_upstream() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
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
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
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
