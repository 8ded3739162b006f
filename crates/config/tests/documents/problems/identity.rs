//! Mistakes of `identity` and `roles`.

use bartizan_config::{Config, Severity, Source};

use super::{Case, check, jwt};
use crate::with;

#[test]
fn mistakes_of_providers() {
    let hash = format!("sha256:{}", "0".repeat(64));
    let keys = |keys: &str| {
        with(&format!("identity: {{ a: {{ api_key: {{ keys: [{keys}] }} }} }}"))
            .replace("auth: none", "auth: a")
    };
    let cases: [Case<'_>; 26] = [
        (
            jwt("secret: §\"${SHORT_SECRET}\""),
            &[("the secret is 15 bytes long, and HS256 needs at least 32", "openssl rand")],
        ),
        (
            jwt("secret: §\"${SHORT_SECRET:-x}\", algorithms: [HS256, HS512]"),
            &[("the secret is 15 bytes long, and HS512 needs at least 64", "openssl rand")],
        ),
        (
            jwt("secret: \"${JWT_SECRET}\", algorithms: [§RS256]"),
            &[("`RS256` uses a public key, and there is a `secret`", "HS256")],
        ),
        (
            jwt("jwks: \"https://i\", algorithms: [ES256, §HS256]"),
            &[("`HS256` uses a shared secret, and `jwks` holds public keys", "sign with a public key")],
        ),
        (jwt("jwks: \"https://i\", algorithms: [§none]"), &[("`none` is not known here", "`HS256`")]),
        (
            jwt("jwks: \"https://i\", algorithms: §[]"),
            &[("`algorithms` is empty: no token would be accepted", "")],
        ),
        (jwt("jwks: \"https://i\", types: §[]"), &[("`types` is empty: no token would be accepted", "")]),
        (
            jwt("jwks: §\"http://id.test/jwks\""),
            &[("`http://id.test/jwks`: keys that travel in clear can be replaced on the way", "https")],
        ),
        (
            jwt("jwks: §\"ftp://id.test/jwks\""),
            &[(
                "`ftp://id.test/jwks`: `ftp` is not a scheme that can be used here: write `http` or `https`",
                "",
            )],
        ),
        (
            jwt("jwks: \"https://i\", secret: §\"${JWT_SECRET}\""),
            &[("`secret` and `jwks` exclude each other", "keep one")],
        ),
        (
            jwt("jwks: jwks.json, refresh: §1h"),
            &[("`refresh` is about fetching keys, and they come from a file", "leave it out")],
        ),
        (
            jwt("secret: \"${JWT_SECRET}\", ca: §ca.pem"),
            &[("`ca` is about fetching keys, and they come from a `secret`", "leave it out")],
        ),
        (
            jwt("jwks: \"https://i\", claims: { roles: §/user_metadata/roles }"),
            &[(
                "users write `user_metadata` themselves: they would choose what they may",
                "/app_metadata/roles",
            )],
        ),
        (
            jwt("jwks: \"https://i\", claims: { permissions: §[scope, unsafe_metadata] }"),
            &[(
                "users write `unsafe_metadata` themselves: they would choose what they may",
                "/app_metadata/roles",
            )],
        ),
        (
            jwt(
                "jwks: \"https://i\", claims: { roles: §/profile/team/roles, user_writable: [/profile/team] }",
            ),
            &[(
                "users write `/profile/team` themselves: they would choose what they may",
                "/app_metadata/roles",
            )],
        ),
        (
            jwt(
                "jwks: \"https://i\", claims: { roles: /profile/teams, user_writable: §[/profile/team, roles, scope] }",
            ),
            &[("users write `scope` themselves: they would choose what they may", "/app_metadata/roles")],
        ),
        (jwt("jwks: \"https://i\", refresh: §0s"), &[("`refresh` must be longer than zero", "")]),
        (jwt("jwks: \"https://i\", max_bytes: §0"), &[("`max_bytes` must be greater than zero", "")]),
        (
            jwt("jwks: \"https://i\", header: §host"),
            &[("`host` frames the message and is written by the gateway itself", "")],
        ),
        (jwt("leeway: 1s").replace("issuer: i", "issuer: §i"), &[("this provider has no keys", "jwks")]),
        (
            with("identity: { §none: { jwt: { issuer: i, audience: o, jwks: \"https://i\" } } }"),
            &[("`none` is what `auth` says of a public route", "another name")],
        ),
        (
            keys("{ name: a, hash: §0123 }"),
            &[(
                "this is not the hash of a key: write `sha256:` and the 64 hexadecimal digits of its SHA-256",
                "",
            )],
        ),
        (
            keys(&format!("{{ name: a, hash: \"{hash}\" }}, {{ name: §a, hash: §\"{hash}\" }}")),
            &[("a second key is called `a`", ""), ("another entry has the same hash", "key of its own")],
        ),
        (
            format!(
                "roles: {{ viewer: [a:b] }}\n{}",
                keys(&format!("{{ name: a, hash: \"{hash}\", roles: [viewer, §viewr] }}"))
            ),
            &[("there is no role `viewr`", "did you mean `viewer`?")],
        ),
        (
            keys(&format!("{{ name: a, hash: \"{hash}\", roles: [§viewer] }}")),
            &[("there is no role `viewer`", "add `viewer` under `roles`")],
        ),
        (
            with("identity: { a: { jwt: { issuer: §\"\", audience: §[], jwks: \"https://i\" } } }")
                .replace("auth: none", "auth: a"),
            &[("this text is empty", ""), ("`audience` names nobody: no token would be accepted", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

/// Whoever could choose what an expression reads would choose what they may.
#[test]
fn mistakes_of_expressions() {
    let claims = |claims: &str| jwt(&format!("jwks: \"https://i\", claims: {{ {claims} }}"));
    let writable = |name: &str| format!("users write `{name}` themselves: they would choose what they may");
    let (metadata, notes) = (writable("user_metadata"), writable("/profile/notes"));
    let every =
        [("this expression takes every claim, those that users write, too: name those that it is about", "")];
    let mut cases: Vec<Case<'_>> = vec![
        (
            claims("roles: §\"jmespath:groups..name\""),
            &[("this is no JMESPath expression: look at character 17", "")],
        ),
        (
            claims("roles: §\"jmespath:map(&name, groups)\""),
            &[("this expression calls a function that is not known here", "")],
        ),
        (
            claims(&format!("roles: §\"jmespath:{}\"", "a".repeat(513))),
            &[("this expression is longer than 512 bytes", "")],
        ),
    ];
    for expression in ["*", "@", "values(@)", "[@][0].user_metadata.roles", "@ | user_metadata || @"] {
        cases.push((claims(&format!("roles: §\"jmespath:{expression}\"")), &every));
    }
    let (metadata, notes) =
        ([(metadata.as_str(), "/app_metadata/roles")], [(notes.as_str(), "/app_metadata/roles")]);
    for expression in [
        "user_metadata.roles",
        "\\\"user_metadata\\\".roles[]",
        "app.roles || user_metadata.roles",
        "not_null(app.x, (user_metadata)[0])",
        "{a: app, b: user_metadata}.a",
        "@.user_metadata | [roles]",
        "app.roles[?@ != 'x'] && user_metadata == 'x' && ['admin']",
        "not_null(app.roles, to_array(user_metadata.roles))",
    ] {
        cases.push((claims(&format!("roles: §\"jmespath:{expression}\"")), &metadata));
    }
    // What is around the part that users write could be walked into, a part beside it could not.
    for expression in [
        "profile",
        "profile.*",
        "profile.notes.roles",
        "profile | [roles, notes]",
        "join('', [profile.notes])",
    ] {
        let said =
            format!("permissions: §[scope, \"jmespath:{expression}\"], user_writable: [/profile/notes]");
        cases.push((claims(&said), &notes));
    }
    check(&cases, Severity::Error);
    let beside = claims("roles: \"jmespath:profile.team[]\", user_writable: [/profile/notes]");
    assert!(Config::parse(&beside, &Source::text(".")).is_ok());
}
