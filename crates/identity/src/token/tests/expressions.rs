//! Claims that an expression makes something of, and who tries to make something else of it.

use bartizan_config::ClaimSource;

use super::*;

fn expression(text: &str) -> ClaimSource {
    ClaimSource::Expression(text.parse().unwrap())
}

fn mapped(issuer: &Issuer, change: impl FnOnce(&mut config::ClaimNames)) -> Arc<TokenVerifier> {
    let mut rules = rules();
    change(&mut rules.claims);
    verifier_of(KeySet::from_jwks(jwks(&[issuer]).as_bytes()).unwrap().0, rules)
}

#[test]
fn an_expression_says_who_and_what() {
    let issuer = Issuer::ed25519("k");
    let known = mapped(&issuer, |claims| {
        claims.subject = expression("join(':', [tid, oid])");
        claims.organization = expression("tenants[?primary].id | [0]");
        claims.roles = expression("groups[?type(@) == 'string'] | [?starts_with(@, 'cl')]");
        claims.permissions = vec![expression("(admin == `true`) && ['invoices:read'] || `[]`")];
    });
    let said = json!({
        "tid": "t1", "oid": "o1", "groups": ["clerk", "boss", 7], "admin": true, "roles": ["boss"],
        "tenants": [{ "id": "other" }, { "id": "acme", "primary": true }], "permissions": ["users:write"],
    });
    let identified = check(&known, &issuer.token(&claims_with(&said))).unwrap();
    assert_eq!(identified.principal.id.as_str(), "t1:o1");
    assert_eq!(identified.principal.organization.as_ref().unwrap().as_str(), "acme");
    assert_eq!(
        identified.grants, "invoices:read orders:read",
        "what the expressions say, and no claim beside them"
    );
}

#[test]
fn what_an_expression_cannot_say_is_refused_and_never_guessed() {
    let issuer = Issuer::ed25519("k");
    let known = mapped(&issuer, |claims| {
        claims.subject = expression("join(':', [tid, oid])");
        claims.organization = expression("tenant.id");
        claims.roles = expression("groups[?starts_with(@, 'cl')]");
        claims.permissions = vec![expression("rights[]")];
    });
    let whole = || json!({ "tid": "t1", "oid": "o1" });
    let with = |name: &str, value: Value| {
        let mut said = whole();
        said[name] = value;
        claims_with(&said)
    };
    let many = vec!["cl"; 1001];
    for (payload, expected) in [
        (with("tid", json!(null)), Subject),
        (with("tid", json!(["t", "1"])), Subject),
        (with("oid", json!("o1\u{7}")), Subject),
        (with("oid", json!("o1 ")), Subject),
        (with("tenant", json!({ "id": 7 })), Organization),
        (with("tenant", json!({ "id": ["acme"] })), Organization),
        (with("groups", json!(["clerk", 7])), Permissions),
        (with("groups", json!([["clerk"]])), Permissions),
        (with("groups", json!(many)), Permissions),
        (with("rights", json!([{ "a": 1 }])), Permissions),
    ] {
        assert_eq!(check(&known, &issuer.token(&payload)).unwrap_err(), expected, "{payload:?}");
    }
    let nothing = check(&known, &issuer.token(&claims_with(&whole()))).unwrap();
    assert_eq!((nothing.grants.to_str().unwrap(), &nothing.principal.organization), ("", &None));
}

/// A value that looks like an expression is a value.
#[test]
fn a_token_brings_no_expressions() {
    let issuer = Issuer::ed25519("k");
    let known = mapped(&issuer, |claims| claims.roles = expression("not_null(groups, `[]`)"));
    for groups in [json!("jmespath:['clerk']"), json!("']|['clerk"), json!(["`clerk`", "['clerk']", "@"])] {
        let payload = claims_with(&json!({ "groups": groups, "permissions": [], "scope": "" }));
        assert_eq!(check(&known, &issuer.token(&payload)).unwrap().grants, "", "{groups}");
    }
}
