//! May they: permissions, roles and a second factor, by route and method.

use serde_json::json;

use crate::{
    issuer::Issuer,
    phrases::{ready, refusal},
    upstream::Upstream,
};

#[tokio::test]
async fn permissions_decide_per_route_and_method() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let gateway = ready(&format!(
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
            assert_eq!(refusal(response).await.1, "permission_denied", "{path} {claims}");
            assert!(upstream.has_received_nothing().await);
        } else {
            upstream.received().await;
        }
    }
}

#[tokio::test]
async fn what_a_reload_takes_away_is_gone_at_once() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let document = |grants: &str| {
        format!(
            "identity: {{ shop-users: {provider} }}\nroles: {{ clerk: [{grants}] }}\n\
             routes: [{{ path: /**, to: \"{upstream}\", auth: shop-users, require: [orders:read] }}]"
        )
    };
    let gateway = ready(&document("\"orders:*\"")).await;
    let token = issuer.token(json!({ "roles": ["clerk"] }));
    let ask =
        async || gateway.client().get(gateway.url("/")).bearer_auth(&token).send().await.unwrap().status();
    assert_eq!(ask().await, 200);
    gateway.cli(["block", "203.0.113.7"]).await.succeeded();
    gateway.rewrite(&document("\"customers:*\""));
    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(ask().await, 403, "although the token was verified before");
    gateway.rewrite(&document("\"orders:read\""));
    gateway.cli(["reload"]).await.succeeded();
    assert_eq!(ask().await, 200);
    let listed = gateway.ask_admin("/v1/addresses", None).await.text().await.unwrap();
    assert!(listed.contains("203.0.113.7"), "what an operator blocked stays blocked: {listed}");
}

#[tokio::test]
async fn a_second_factor_is_proven_by_the_token() {
    let (upstream, issuer) = (Upstream::start().await, Issuer::start());
    let provider = issuer.provider("");
    let gateway  = ready(&format!(
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
        let response =
            gateway.client().get(gateway.url("/admin/users")).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), status, "{amr}");
        if status == 403 {
            assert_eq!(refusal(response).await.1, "mfa_required", "{amr}");
        }
    }
}
