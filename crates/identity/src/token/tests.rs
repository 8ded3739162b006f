mod expressions;
mod standards;
mod wycheproof;

use std::{path::PathBuf, sync::Arc};

use bartizan_config::{self as config, JwtKeys, JwtProvider, Role};
use bartizan_model::{Grant, Line};
use bartizan_policy::{PermissionIndex, RoleTable};
use serde_json::{Value, json};

use super::{Refusal, TokenHeader, TokenVerifier, verify_token};
use crate::{
    Identified,
    InvalidReason::{
        self, Algorithm, AmbiguousKey, Audience, Claims, Critical, Expired, Expiry, Form, Header,
        HeaderParameter, IssuedInFuture, Issuer as WrongIssuer, KeyId, NotYetValid, Organization,
        Permissions, Signature, Subject, TooLong, Type, UnknownKey,
    },
    dpop::DpopProofs,
    identified::Entitlements,
    key::KeySet,
    key_source::KeySource,
    tests::issuer::{Issuer, NOW, after, claims, claims_with, jwks, now, settings},
};

fn entitlements() -> Arc<Entitlements> {
    let grants: Vec<Grant> =
        ["invoices:read", "orders:read"].iter().map(|text| text.parse().unwrap()).collect();
    let role = Role { name: "clerk".parse().unwrap(), line: Line::NONE, grants };
    Arc::new(Entitlements {
        roles: RoleTable::new(&[role]),
        index: Arc::new(PermissionIndex::new([])),
        counted_claims: std::collections::BTreeSet::from(["tenant".to_owned()]),
    })
}

/// Settings whose keys come from the test itself.
fn rules() -> JwtProvider {
    settings(JwtKeys::JwksFile(PathBuf::new()))
}

fn verifier_of(keys: KeySet, rules: JwtProvider) -> Arc<TokenVerifier> {
    let name = "shop-users".parse().unwrap();
    let source = KeySource::fixed(&name, keys);
    Arc::new(TokenVerifier::new(
        &name,
        &Arc::new(rules),
        source,
        None,
        &Arc::new(DpopProofs::new(None)),
        entitlements(),
    ))
}

fn verifier(issuers: &[&Issuer]) -> Arc<TokenVerifier> {
    verifier_of(KeySet::from_jwks(jwks(issuers).as_bytes()).unwrap().0, rules())
}

fn check(verifier: &Arc<TokenVerifier>, token: &str) -> Result<Arc<Identified>, InvalidReason> {
    verify_token(token.as_bytes(), std::slice::from_ref(verifier), now())
        .map(|(_, accepted)| Arc::clone(&accepted.identified))
        .map_err(|(_, refusal)| match refusal {
            Refusal::Invalid(reason) => reason,
            Refusal::NoKeysYet | Refusal::Unread => panic!("the keys are there"),
        })
}

#[test]
fn every_algorithm_verifies() {
    use jsonwebtoken::Algorithm as Named;
    let issuers = [
        Issuer::ed25519("ed"),
        Issuer::p256("p256"),
        Issuer::p384("p384"),
        Issuer::rs256("rsa"),
        Issuer::rsa("rsa", Named::PS256, "PS256"),
    ];
    let known = verifier(&[&issuers[0], &issuers[1], &issuers[2], &issuers[3]]);
    for issuer in &issuers {
        let identified = check(&known, &issuer.token(&claims())).unwrap();
        assert_eq!(identified.principal.id.as_str(), "alice");
    }
    let disallowed = Issuer::rsa("rsa", Named::RS512, "RS512");
    assert_eq!(check(&known, &disallowed.token(&claims())).unwrap_err(), Algorithm);
}

#[test]
fn a_valid_token_tells_who_and_what() {
    let issuer = Issuer::ed25519("k");
    let identified = check(&verifier(&[&issuer]), &issuer.token(&claims())).unwrap();
    assert_eq!(identified.principal.provider.as_str(), "shop-users");
    assert_eq!(identified.principal.organization.as_ref().unwrap().as_str(), "acme");
    assert!(!identified.principal.multi_factor);
    assert_eq!(identified.grants, "invoices:read orders:read", "own and role's, sorted, each once");
    assert_eq!(identified.expires, Some(after(3600)));
}

#[test]
fn a_claim_that_limits_count_by_is_always_the_same_text() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let cases = [
        (json!("acme"), Some("acme")),
        (json!(7), Some("7")),
        (json!(true), Some("true")),
        (json!(["b", "a"]), Some(r#"["b","a"]"#)),
        (json!({ "b": [{ "d": 1, "c": 2 }], "a": null }), Some(r#"{"a":null,"b":[{"c":2,"d":1}]}"#)),
        (json!([]), Some("[]")),
        (json!(null), None),
    ];
    for (claim, expected) in cases {
        let mut claims = claims();
        claims["tenant"] = claim.clone();
        let token = issuer.token(&claims);
        let identified = check(&known, &token).unwrap();
        assert_eq!(identified.claims.get("tenant").map(String::as_str), expected, "{claim}");
    }
}

#[test]
fn header_rules() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let long_id = "k".repeat(257);
    let cases: &[(Value, Result<(), InvalidReason>)] = &[
        (json!({ "alg": "EdDSA", "kid": "k" }), Ok(())),
        (json!({ "alg": "EdDSA" }), Ok(())),
        (json!({ "alg": "Ed25519", "kid": "k" }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "JWT" }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "jwt" }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "at+jwt" }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "application/AT+JWT" }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "x5t": "AAAA", "unknown": 1 }), Ok(())),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "logout+jwt" }), Err(Type)),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": "" }), Err(Type)),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": 1 }), Err(Type)),
        (json!({ "alg": "EdDSA", "kid": "k", "typ": null }), Err(Type)),
        (json!({ "alg": "none" }), Err(Algorithm)),
        (json!({ "alg": "None" }), Err(Algorithm)),
        (json!({ "alg": "nOnE", "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "" }), Err(Algorithm)),
        (json!({ "alg": ["EdDSA"] }), Err(Algorithm)),
        (json!({ "alg": null }), Err(Algorithm)),
        (json!({ "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "eddsa", "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "HS256", "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "ES256K", "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "RS256", "kid": "k" }), Err(Algorithm)),
        (json!({ "alg": "EdDSA", "kid": "k", "crit": [] }), Err(Critical)),
        (json!({ "alg": "EdDSA", "kid": "k", "crit": ["exp"], "exp": 1 }), Err(Critical)),
        (json!({ "alg": "EdDSA", "kid": "k", "crit": ["b64"], "b64": false }), Err(Critical)),
        (json!({ "alg": "EdDSA", "kid": "k", "b64": true }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "zip": "DEF" }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "enc": "A128GCM" }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "jku": "https://evil.test/jwks" }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "x5u": "https://evil.test/cert" }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "x5c": ["AAAA"] }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "k", "jwk": issuer.jwk() }), Err(HeaderParameter)),
        (json!({ "alg": "EdDSA", "kid": "" }), Err(KeyId)),
        (json!({ "alg": "EdDSA", "kid": 1 }), Err(KeyId)),
        (json!({ "alg": "EdDSA", "kid": null }), Err(KeyId)),
        (json!({ "alg": "EdDSA", "kid": long_id }), Err(KeyId)),
        (json!({ "alg": "EdDSA", "kid": "other" }), Err(UnknownKey)),
        (json!({ "alg": "EdDSA", "kid": "K" }), Err(UnknownKey)),
        (json!({ "alg": "EdDSA", "kid": "../../../../dev/null" }), Err(UnknownKey)),
        (json!({ "alg": "EdDSA", "kid": "file:///etc/passwd\u{0}.pem" }), Err(UnknownKey)),
        (json!({ "alg": "EdDSA", "kid": "k' UNION SELECT 'secret" }), Err(UnknownKey)),
        (json!({ "alg": "EdDSA", "kid": "$(id)" }), Err(UnknownKey)),
        (json!(["EdDSA"]), Err(Header)),
        (json!("EdDSA"), Err(Header)),
    ];
    for (header, expected) in cases {
        let token = issuer.sign(&header.to_string(), &claims().to_string());
        assert_eq!(check(&known, &token).map(drop), *expected, "{header}");
    }
}

#[test]
fn json_that_readers_could_understand_differently_is_refused() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let good_header = issuer.header().to_string();
    let good_claims = claims().to_string();
    let headers = [
        r#"{"alg":"EdDSA","alg":"EdDSA","kid":"k"}"#,
        r#"{"alg":"none","alg":"EdDSA","kid":"k"}"#,
        r#"{"alg":"EdDSA","\u0061lg":"EdDSA","kid":"k"}"#,
        r#"{"alg":"EdDSA","kid":"k","x":{"y":1,"y":2}}"#,
        r#"{"alg":"EdDSA","kid":"k"} "trailing""#,
        r#"{"alg":"EdDSA","kid":"k",}"#,
        "{",
        "null",
    ];
    for header in headers {
        assert_eq!(check(&known, &issuer.sign(header, &good_claims)).unwrap_err(), Header, "{header}");
    }
    let repeated = |extra: &str| good_claims.replacen('{', &format!("{{{extra},"), 1);
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let payloads = [
        repeated(r#""sub":"mallory""#),
        repeated(r#""\u0073ub":"mallory""#),
        repeated(r#""nested":[{"a":1,"a":1}]"#),
        good_claims.clone() + "{}",
        deep,
        String::new(),
        "[]".into(),
        "\"alice\"".into(),
    ];
    for payload in payloads {
        assert_eq!(check(&known, &issuer.sign(&good_header, &payload)).unwrap_err(), Claims, "{payload}");
    }
    let mut not_text = good_claims.into_bytes();
    not_text[2] = 0xff;
    let bytes = |part: &[u8]| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, part);
    assert_eq!(super::claims::unverified_issuer(&not_text), Err(Claims));
    assert_eq!(TokenHeader::parse(b"{\"alg\":\"\xff\"}"), Err(Header));
    let unsigned = format!("{}.{}.{}", bytes(&not_text), bytes(&not_text), bytes(&not_text));
    assert_eq!(check(&known, &unsigned).unwrap_err(), Header);
}

#[test]
fn the_form_is_exact() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let token = issuer.token(&claims());
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { panic!("three parts") };
    let cases = [
        (token.clone(), Ok(())),
        (format!("{header}.{payload}"), Err(Form)),
        (format!("{header}.{payload}."), Err(Form)),
        (format!(".{payload}.{signature}"), Err(Form)),
        (format!("{header}..{signature}"), Err(Signature)),
        (format!("{token}.{signature}"), Err(Form)),
        (format!("{token}."), Err(Form)),
        (format!(".{token}"), Err(Form)),
        (format!("{header}=.{payload}.{signature}"), Err(Form)),
        (format!("{header}.{payload}==.{signature}"), Err(Form)),
        (format!("{header}.{payload}.{signature}=="), Err(Signature)),
        (format!("{header}. {payload}.{signature}"), Err(Form)),
        (format!("{header}.{payload}.{signature}+"), Err(Signature)),
        (format!("{header}.{payload}\n.{signature}"), Err(Form)),
        (format!("{header}.{payload}.{signature}\u{e9}"), Err(Signature)),
        (String::new(), Err(Form)),
        (".".into(), Err(Form)),
        ("..".into(), Err(Form)),
        (json!({ "protected": header, "payload": payload, "signature": signature }).to_string(), Err(Form)),
        ("a".repeat(8193), Err(TooLong)),
        (format!("{header}.{payload}.{}", "A".repeat(86)), Err(Signature)),
    ];
    for (token, expected) in cases {
        assert_eq!(check(&known, &token).map(drop), expected, "{token}");
    }
}

#[test]
fn claims_rules() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let many = vec!["1"; 1001];
    let cases: &[(Value, Result<(), InvalidReason>)] = &[
        (json!({}), Ok(())),
        (json!({ "iss": null }), Err(WrongIssuer)),
        (json!({ "iss": "https://id.shop.test/" }), Err(WrongIssuer)),
        (json!({ "iss": "https://ID.shop.test" }), Err(WrongIssuer)),
        (json!({ "iss": ["https://id.shop.test"] }), Err(WrongIssuer)),
        (json!({ "aud": null }), Err(Audience)),
        (json!({ "aud": [] }), Err(Audience)),
        (json!({ "aud": "invoices" }), Err(Audience)),
        (json!({ "aud": "orders " }), Err(Audience)),
        (json!({ "aud": ["invoices", "orders"] }), Ok(())),
        (json!({ "aud": ["orders", 7] }), Err(Audience)),
        (json!({ "aud": { "orders": true } }), Err(Audience)),
        (json!({ "exp": null }), Err(Expiry)),
        (json!({ "exp": "1999999999" }), Err(Expiry)),
        (json!({ "exp": -1 }), Err(Expiry)),
        (json!({ "exp": 1e300 }), Err(Expiry)),
        (json!({ "exp": true }), Err(Expiry)),
        (json!({ "exp": NOW - 30 }), Err(Expired)),
        (json!({ "exp": NOW - 29 }), Ok(())),
        (json!({ "exp": 0 }), Err(Expired)),
        (json!({ "exp": 1_767_225_600.5 }), Ok(())),
        (json!({ "nbf": NOW + 30 }), Ok(())),
        (json!({ "nbf": NOW + 31 }), Err(NotYetValid)),
        (json!({ "nbf": "now" }), Err(NotYetValid)),
        (json!({ "iat": null }), Ok(())),
        (json!({ "iat": NOW + 30 }), Ok(())),
        (json!({ "iat": NOW + 31 }), Err(IssuedInFuture)),
        (json!({ "iat": [] }), Err(IssuedInFuture)),
        (json!({ "sub": null }), Err(Subject)),
        (json!({ "sub": "" }), Err(Subject)),
        (json!({ "sub": 42 }), Err(Subject)),
        (json!({ "sub": " alice" }), Err(Subject)),
        (json!({ "sub": "alice\u{a0}" }), Err(Subject)),
        (json!({ "sub": "alice\r\nx-user-id: root" }), Err(Subject)),
        (json!({ "sub": "alice\u{0}" }), Err(Subject)),
        (json!({ "sub": "alice\u{7f}" }), Err(Subject)),
        (json!({ "sub": "alice\u{85}" }), Err(Subject)),
        (json!({ "sub": "a".repeat(256) }), Ok(())),
        (json!({ "sub": "a".repeat(257) }), Err(Subject)),
        (json!({ "sub": "Zoë" }), Ok(())),
        (json!({ "org_id": null }), Ok(())),
        (json!({ "org_id": 7 }), Err(Organization)),
        (json!({ "org_id": "" }), Err(Organization)),
        (json!({ "org_id": "a\nb" }), Err(Organization)),
        (json!({ "scope": 7 }), Err(Permissions)),
        (json!({ "scope": { "orders:read": true } }), Err(Permissions)),
        (json!({ "permissions": ["orders:read", 7] }), Err(Permissions)),
        (json!({ "permissions": many }), Err(Permissions)),
        (json!({ "permissions": many[..999], "scope": "a b" }), Err(Permissions)),
        (json!({ "permissions": many[..998], "scope": "a b" }), Ok(())),
        (json!({ "roles": many }), Err(Permissions)),
        (json!({ "roles": [["clerk"]] }), Err(Permissions)),
        (json!({ "roles": null }), Ok(())),
    ];
    for (changes, expected) in cases {
        let token = issuer.token(&claims_with(changes));
        assert_eq!(check(&known, &token).map(drop), *expected, "{changes}");
    }
}

#[test]
fn grants_come_from_every_listed_claim() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let cases = [
        (json!({ "scope": "openid profile orders:read orders:read", "roles": null }), "orders:read"),
        (
            json!({ "scope": ["orders:write"], "permissions": "a:b c:*", "roles": null }),
            "a:b c:* orders:write",
        ),
        (json!({ "scope": "*", "roles": "nobody" }), "*:*"),
        (json!({ "scope": "ord*:read a:b:c :x", "roles": [] }), ""),
        (json!({ "scope": null, "roles": "clerk manager" }), "invoices:read orders:read"),
        (json!({ "scope": null, "roles": ["Clerk"] }), ""),
    ];
    for (changes, expected) in cases {
        let identified = check(&known, &issuer.token(&claims_with(&changes))).unwrap();
        assert_eq!(identified.grants, expected, "{changes}");
    }
}

#[test]
fn more_than_one_factor_means_more_than_one_kind() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let cases = [
        (json!(null), false),
        (json!([]), false),
        (json!(["pwd"]), false),
        (json!(["pwd", "pin"]), false),
        (json!(["otp", "sms"]), false),
        (json!(["pwd", "pwd"]), false),
        (json!(["pwd", "user"]), false),
        (json!("mfa"), false),
        (json!(["MFA"]), false),
        (json!(["mfa"]), true),
        (json!(["pwd", "otp"]), true),
        (json!(["hwk", "pin"]), true),
        (json!(["face", "swk"]), true),
    ];
    for (methods, expected) in cases {
        let identified = check(&known, &issuer.token(&claims_with(&json!({ "amr": methods })))).unwrap();
        assert_eq!(identified.principal.multi_factor, expected, "{methods}");
    }
}

#[test]
fn claims_may_have_other_names() {
    let issuer = Issuer::ed25519("k");
    let mut rules = rules();
    rules.claims.subject = "email".into();
    rules.claims.organization = "https://shop.test/org".into();
    rules.types = vec!["at+jwt".into()];
    let known = verifier_of(KeySet::from_jwks(jwks(&[&issuer]).as_bytes()).unwrap().0, rules);
    let claims =
        claims_with(&json!({ "sub": null, "email": "a@shop.test", "https://shop.test/org": "acme" }));
    assert_eq!(check(&known, &issuer.token(&claims)).unwrap_err(), Type);
    let header = r#"{"alg":"EdDSA","typ":"at+jwt"}"#;
    let identified = check(&known, &issuer.sign(header, &claims.to_string())).unwrap();
    assert_eq!(identified.principal.id.as_str(), "a@shop.test");
    assert_eq!(identified.principal.organization.as_ref().unwrap().as_str(), "acme");
    let untyped = issuer.sign(r#"{"alg":"EdDSA"}"#, &claims.to_string());
    assert_eq!(check(&known, &untyped).unwrap_err(), Type, "a token without `typ` is a JWT");
}

#[test]
fn claims_may_be_inside_others() {
    let issuer = Issuer::ed25519("k");
    let mut rules = rules();
    rules.claims.roles = "/realm_access/roles".into();
    rules.claims.subject = "/who~1is/0/~0id".into();
    let known = verifier_of(KeySet::from_jwks(jwks(&[&issuer]).as_bytes()).unwrap().0, rules);
    let claims = claims_with(&json!({
        "scope": null, "roles": ["manager"], "/realm_access/roles": ["manager"],
        "realm_access": { "roles": ["clerk"] }, "who/is": [{ "~id": "alice" }],
    }));
    let identified = check(&known, &issuer.token(&claims)).unwrap();
    assert_eq!(identified.principal.id.as_str(), "alice");
    assert_eq!(identified.grants, "invoices:read orders:read", "the role `clerk`, not `manager`");
}

#[test]
fn keys_are_not_talked_into_other_algorithms() {
    let rsa = Issuer::rs256("k");
    let public = rsa.jwk();
    // The classic: the public key, in whatever form the attacker guesses, as the secret of an HMAC.
    let secrets = [public.to_string(), public["n"].as_str().unwrap().to_owned(), jwks(&[&rsa])];
    let mut rules = rules();
    rules.algorithms = vec![config::Algorithm::RS256, config::Algorithm::HS256];
    let known = verifier_of(KeySet::from_jwks(jwks(&[&rsa]).as_bytes()).unwrap().0, rules);
    for secret in secrets {
        let forger = Issuer::hs256(secret.as_bytes());
        for header in [r#"{"alg":"HS256","kid":"k"}"#, r#"{"alg":"HS256"}"#] {
            let reason = check(&known, &forger.sign(header, &claims().to_string())).unwrap_err();
            assert!(matches!(reason, Algorithm | UnknownKey), "{header}: {reason}");
        }
    }
    // A key restricted to one algorithm does not verify another of its type.
    let mut restricted = rsa.jwk();
    restricted["alg"] = "PS256".into();
    let document = json!({ "keys": [restricted] }).to_string();
    let known = verifier_of(KeySet::from_jwks(document.as_bytes()).unwrap().0, self::rules());
    assert_eq!(check(&known, &rsa.token(&claims())).unwrap_err(), Algorithm);
}

#[test]
fn a_token_without_a_key_id_needs_exactly_one_fitting_key() {
    let (first, second, other) = (Issuer::ed25519("a"), Issuer::ed25519("b"), Issuer::p256("c"));
    let token = first.sign(r#"{"alg":"EdDSA"}"#, &claims().to_string());
    assert!(check(&verifier(&[&first]), &token).is_ok());
    assert!(check(&verifier(&[&first, &other]), &token).is_ok());
    assert_eq!(check(&verifier(&[&first, &second]), &token).unwrap_err(), AmbiguousKey);
    assert_eq!(check(&verifier(&[&other]), &token).unwrap_err(), UnknownKey);
    assert_eq!(check(&verifier(&[&second]), &token).unwrap_err(), Signature);
}

#[test]
fn a_shared_secret_answers_to_any_key_id() {
    let secret = [7; 32];
    let mut rules = rules();
    rules.algorithms = vec![config::Algorithm::HS256];
    let known = verifier_of(KeySet::from_secret_bytes(&secret, &rules.algorithms).unwrap(), rules);
    let issuer = Issuer::hs256(&secret);
    assert!(check(&known, &issuer.token(&claims())).is_ok());
    assert!(check(&known, &issuer.sign(r#"{"alg":"HS256"}"#, &claims().to_string())).is_ok());
    assert_eq!(check(&known, &Issuer::hs256(&[8; 32]).token(&claims())).unwrap_err(), Signature);
}

#[test]
fn a_verified_token_is_remembered_until_it_expires() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let token = issuer.token(&claims());
    let at = |seconds| {
        let verified = verify_token(token.as_bytes(), std::slice::from_ref(&known), after(seconds));
        verified.map(|(_, accepted)| Arc::clone(&accepted.identified))
    };
    let first = at(0).unwrap();
    assert!(Arc::ptr_eq(&first, &at(1).unwrap()), "the second check is answered from memory");
    assert!(Arc::ptr_eq(&first, &at(3600 + 29).unwrap()), "the leeway counts");
    let (_, refusal) = at(3600 + 30).unwrap_err();
    assert_eq!(refusal, Refusal::Invalid(Expired));
}

#[test]
fn a_refused_token_is_not_remembered() {
    let issuer = Issuer::ed25519("k");
    let known = verifier(&[&issuer]);
    let early = issuer.token(&claims_with(&json!({ "nbf": NOW + 100 })));
    assert_eq!(check(&known, &early).unwrap_err(), NotYetValid);
    assert!(verify_token(early.as_bytes(), std::slice::from_ref(&known), after(100)).is_ok());
}
