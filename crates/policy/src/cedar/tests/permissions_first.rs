//! Questions about what requests do are decided as the road decides: by the permissions before any policy.

use std::time::{Duration, SystemTime};

use bartizan_config::{MultiFactor, Role};
use serde_json::{Value, json};

use super::*;
use crate::Question;

/// Routes whose permissions differ, by method and by route, before a policy that permits everything.
const GUARDED: &str = r#"
  - { path: "/orders/**", to: "http://a", auth: shop, require: { GET: ["orders:read"], POST: ["orders:write", "orders:audit"] }, policy: { action: handle } }
  - { path: /bills, methods: [GET], to: "http://a", auth: shop, require: { any: ["bills:read", "orders:audit"] } }
  - { path: "/notes/{id}", to: "http://a", auth: shop, require: ["notes:read"], policy: { resource: { type: Note, id: "{id}" } } }
  - { path: "/notes/{id}/raw", to: "http://a", auth: shop, require: ["notes:read"], policy: { resource: { type: Raw, id: "{id}" } } }
  - { path: /ping, to: "http://a", auth: shop }
"#;

#[test]
fn what_the_permissions_refuse_no_policy_permits() {
    let mut config = config_of(GUARDED, "permit (principal, action, resource);", "");
    config.roles = vec![Role {
        name: "clerk".parse().unwrap(),
        line: Line::new(1),
        grants: vec!["orders:*".parse().unwrap()],
    }];
    let raw = config.routes.iter_mut().find(|route| route.path.as_str() == "/notes/{id}/raw").unwrap();
    Arc::get_mut(raw).unwrap().multi_factor = MultiFactor::Required;
    let policies = Policies::compile(&config).unwrap().unwrap();
    let ask = |properties: Value, action: &str, resource: (&str, &str), context: Value| {
        let question = json!({
            "subject": { "type": "User", "id": "shop/ann", "properties": properties },
            "action": { "name": action },
            "resource": { "type": resource.0, "id": resource.1 },
            "context": context,
        });
        let question: Question = serde_json::from_value(question).unwrap();
        policies.answer(&question).unwrap().to_string()
    };
    let orders = |properties, method: &str| {
        ask(properties, "handle", ("Route", "/orders/**"), json!({ "method": method }))
    };
    let holding = |grants: &[&str]| json!({ "grants": grants });
    let permitted = "permitted by policy `shop.cedar:1`";
    let lacks = |what: &str| format!("refused before any policy: lacks {what}");
    assert_eq!(orders(json!({}), "GET"), lacks("`orders:read`"));
    assert_eq!(orders(holding(&["orders:read"]), "GET"), permitted);
    assert_eq!(orders(holding(&["orders:read"]), "HEAD"), permitted);
    assert_eq!(orders(holding(&["orders:read"]), "POST"), lacks("`orders:write` and `orders:audit`"));
    assert_eq!(orders(json!({ "roles": ["clerk"] }), "POST"), permitted, "by its role");
    let narrow = json!({ "roles": ["clerk"], "grants": ["orders:write"] });
    assert_eq!(orders(narrow, "POST"), lacks("`orders:audit`"), "what is said to be held is all");
    assert!(orders(holding(&["*:*"]), "DELETE").contains("does not cover this method"));
    let either = |properties| ask(properties, "handle", ("Route", "/orders/**"), json!({}));
    assert!(either(holding(&["orders:read"])).contains("lacks"), "every method has to let it through");
    assert_eq!(either(holding(&["orders:*"])), permitted);

    let bills = |grants: &[&str]| ask(holding(grants), "GET /bills", ("Route", "/bills"), json!({}));
    assert_eq!(bills(&[]), lacks("`bills:read` or `orders:audit`"));
    assert_eq!(bills(&["orders:audit"]), permitted);
    // Nobody of another provider, and no machine of this one, gets as far as the permissions.
    for (caller, id) in
        [("User", "other/ann"), ("User", "billing/ann"), ("Service", "shop/ann"), ("User", "ann")]
    {
        let question = json!({
            "subject": { "type": caller, "id": id, "properties": holding(&["*:*"]) },
            "action": { "name": "GET /bills" },
            "resource": { "type": "Route", "id": "/bills" },
        });
        let question: Question = serde_json::from_value(question).unwrap();
        let answer = policies.answer(&question).unwrap().to_string();
        assert!(answer.contains("no provider of the route"), "{caller} {id}: {answer}");
    }
    let note =
        |name, grants: &[&str], mfa| ask(holding(grants), "notes:read", (name, "7"), json!({ "mfa": mfa }));
    assert_eq!(note("Note", &[], true), lacks("`notes:read`"));
    assert_eq!(note("Note", &["notes:read"], false), permitted);
    assert!(note("Raw", &["notes:read"], false).contains("one factor"));
    assert_eq!(note("Raw", &["notes:read"], true), permitted);
    let elsewhere = ask(holding(&["*:*"]), "handle", ("Route", "/ping"), json!({}));
    assert!(elsewhere.starts_with("no request does this"), "{elsewhere}");
    assert_eq!(ask(json!({}), "GET /ping", ("Route", "/ping"), json!({})), permitted, "nothing is required");
}

#[test]
fn a_factor_shown_long_ago_is_not_enough_where_the_road_asks_for_a_recent_one() {
    let mut config = config_of(GUARDED, "permit (principal, action, resource);", "");
    let ping = config.routes.iter_mut().find(|route| route.path.as_str() == "/ping").unwrap();
    Arc::get_mut(ping).unwrap().multi_factor = MultiFactor::Within(Duration::from_mins(15));
    let policies = Policies::compile(&config).unwrap().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let cases = [
        (json!({}), "one factor is not enough"),
        (json!({ "auth_time": now }), "one factor is not enough"),
        (json!({ "mfa": true }), "not shown lately"),
        (json!({ "mfa": true, "auth_time": now - 3600 }), "not shown lately"),
        (json!({ "mfa": true, "auth_time": "now" }), "not shown lately"),
        (json!({ "mfa": true, "auth_time": now - 60 }), "permitted"),
    ];
    for (context, expected) in cases {
        let question = json!({
            "subject": { "type": "User", "id": "shop/ann" },
            "action": { "name": "GET /ping" },
            "resource": { "type": "Route", "id": "/ping" },
            "context": context,
        });
        let question: Question = serde_json::from_value(question).unwrap();
        let answer = policies.answer(&question).unwrap().to_string();
        assert!(answer.contains(expected), "{context}: {answer}");
    }
}

#[test]
fn built_in_roles_are_for_people_of_the_gateway_itself() {
    let text = "version: 1\nlisten: { http: \"127.0.0.1:0\" }\naccounts: {}\n\
                identity: { people: { session: {} }, others: { jwt: { issuer: a, audience: a, secret: \"0123456789abcdef0123456789abcdef\", algorithms: [HS256] } } }\n\
                routes: [{ path: /users, methods: [GET], to: \"http://a\", auth: [people, others], require: [\"user:read\"] }]";
    let config = match Config::parse(text, &Source::text("")) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    };
    let policies = Policies::with_policies(&config, None).unwrap();
    let may = |id: &str| {
        let question = json!({
            "subject": { "type": "User", "id": id, "properties": { "roles": ["viewer"] } },
            "action": { "name": "user:read" },
            "resource": { "type": "Route", "id": "/users" },
        });
        let question: Question = serde_json::from_value(question).unwrap();
        policies.answer(&question).unwrap().permits()
    };
    assert_eq!((may("people/ann"), may("others/ann")), (true, false));
}
