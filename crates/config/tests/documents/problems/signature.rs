//! Mistakes of `signature` providers, of `signed` and of `sign`.

use bartizan_config::{Severity, SignatureComponent};

use super::{Case, check, upstream};
use crate::{folder, parse_in, with};

/// A document with this provider, and a route that it guards.
fn signature(keys: &str) -> String {
    with(&format!("identity: {{ a: {{ signature: {{ {keys} }} }} }}")).replace("auth: none", "auth: a")
}

const KEY: &str = "{ id: p, algorithm: hmac-sha256, secret: \"${JWT_SECRET}\" }";

fn guarded(keys: &str) -> String {
    signature(&format!("keys: [{KEY}], {keys}"))
}

/// The same with something said on the route.
fn routed(provider: &str, route: &str) -> String {
    signature(&format!("keys: [{KEY}]{provider}")).replace("auth: a", &format!("auth: a, {route}"))
}

#[test]
fn mistakes_of_signature_providers() {
    let cases: [Case<'_>; 20] = [
        (
            signature("keys: [{ id: p, algorithm: §hmac-sha256, public_key: cert.pem }]"),
            &[("`hmac-sha256` is checked with a shared secret", "leave `public_key` out")],
        ),
        (
            signature("keys: [{ id: p, algorithm: §hmac-sha256 }]"),
            &[("`hmac-sha256` is checked with a shared secret", "secret: ${PARTNER_SECRET}")],
        ),
        (
            signature("keys: [{ id: p, algorithm: §ed25519, secret: \"${JWT_SECRET}\" }]"),
            &[("`ed25519` is checked with a public key", "leave `secret` out")],
        ),
        (
            signature("keys: [{ id: p, algorithm: §rsa-pss-sha512 }]"),
            &[("`rsa-pss-sha512` is checked with a public key", "public_key: ./partner.pem")],
        ),
        (
            signature("keys: [{ id: p, algorithm: hmac-sha256, secret: §\"${SHORT_SECRET}\" }]"),
            &[("the secret is 15 bytes long, and `hmac-sha256` needs at least 32", "openssl rand")],
        ),
        (
            signature(&format!("keys: [{KEY}, {}]", KEY.replace("id: p", "id: §p"))),
            &[("a second key is called `p`", "")],
        ),
        (
            signature(&format!("keys: [{}]", KEY.replace("id: p", "id: §\"ü\""))),
            &[("`ü` cannot be the id of a key", "printable ASCII")],
        ),
        (
            signature(&format!("keys: [{}]", KEY.replace("hmac-sha256", "§hmac-sha1"))),
            &[("`hmac-sha1` is not known here", "`hmac-sha256`")],
        ),
        (
            guarded("components: §[]"),
            &[("a signature that covers nothing proves nothing about a request", "leave `components` out")],
        ),
        (guarded("components: [\"@method\", §\"@method\"]"), &[("`@method` is listed twice", "")]),
        (
            guarded("components: [§\"@methods\"]"),
            &[("`@methods` is no component that can be demanded of a request: did you mean `@method`?", "")],
        ),
        (guarded("components: [§\"two words\"]"), &[("`two words` is not a header name", "")]),
        (guarded("window: §0s"), &[("`window` must be longer than zero", "")]),
        (
            guarded("window: §2h"),
            &[("`window` is more than an hour: whoever gets hold of a request has as long", "clocks")],
        ),
        (guarded("max_nonces: §0"), &[("`max_nonces` must be greater than zero", "")]),
        (
            guarded("max_nonces: §10000001"),
            &[("`max_nonces` is 10000001, and 10000000 is the most", "stay in memory")],
        ),
        (
            guarded("profile: legacy, components: §[\"@method\"]"),
            &[("the profile `legacy` always covers the same", "leave `components` out")],
        ),
        (guarded("profile: legacy, tag: §t"), &[("the profile `legacy` has no tags", "leave `tag` out")]),
        (
            guarded("profile: legacy, nonce: §optional"),
            &[(
                "whoever gets hold of a request without a nonce can send it again while `window` lasts",
                "leave `nonce` out",
            )],
        ),
        (
            signature("profile: legacy, keys: [{ id: p, algorithm: §ed25519, public_key: cert.pem }]"),
            &[("the profile `legacy` knows `hmac-sha256` only", "leave `profile` out")],
        ),
    ];
    check(&cases, Severity::Error);
    let warned: [Case<'_>; 3] = [
        (
            guarded("nonce: §optional"),
            &[(
                "whoever gets hold of a request without a nonce can send it again while `window` lasts",
                "leave `nonce` out",
            )],
        ),
        (signature("keys: §[]"), &[("`a` has no keys: it admits nobody", "algorithm: ed25519")]),
        (
            signature(
                "keys: [{ id: p, algorithm: hmac-sha256, secret: §01234567890123456789012345678901x }]",
            ),
            &[("whoever reads this document knows the secret", "PARTNER_SECRET")],
        ),
    ];
    check(&warned, Severity::Warning);
}

#[test]
fn mistakes_of_routes_with_signatures() {
    let streamed = "`a` demands that the content is signed, and a streamed body cannot be checked";
    let cases: [Case<'_>; 5] = [
        (routed("", "body: §stream"), &[(streamed, "hold")]),
        (routed(", profile: legacy", "body: §stream"), &[(streamed, "hold")]),
        (
            routed(", components: [\"@path\"]", "signed: [content-digest], body: §stream"),
            &[("`signed` demands that the content is signed, and a streamed body cannot be checked", "hold")],
        ),
        (
            routed(", profile: legacy", "signed: §[\"@path\"]"),
            &[("`signed` on a route where nobody reads signatures with components", "`signature` provider")],
        ),
        (
            routed("", "signed: [§\"@status\"]"),
            &[(
                "`@status` is no component that can be demanded of a request: known here: `@method`, `@target-uri`, `@authority`, `@scheme`, `@path`, `@query`",
                "",
            )],
        ),
    ];
    check(&cases, Severity::Error);
    check(&[(routed(", components: [\"@path\"]", "body: stream"), &[])], Severity::Error);
}

#[test]
fn mistakes_of_signing() {
    let sign = |keys: &str| upstream(&format!("targets: \"http://a\", sign: {{ {keys} }}"));
    let cases: [Case<'_>; 5] = [
        (
            sign("id: g, algorithm: §ed25519, secret: \"${JWT_SECRET}\""),
            &[("`ed25519` signs with a private key", "leave `secret` out")],
        ),
        (sign("id: g, algorithm: §ed25519"), &[("`ed25519` signs with a private key", "key: ./gateway.pem")]),
        (
            sign("id: g, algorithm: §hmac-sha256, key: key.pem"),
            &[("`hmac-sha256` signs with a shared secret", "leave `key` out")],
        ),
        (
            sign("id: g, algorithm: hmac-sha256, secret: §\"${SHORT_SECRET}\""),
            &[("the secret is 15 bytes long, and `hmac-sha256` needs at least 32", "openssl rand")],
        ),
        (
            sign("id: g, algorithm: hmac-sha256, secret: \"${JWT_SECRET}\", components: §[]"),
            &[("a signature that covers nothing proves nothing about a request", "leave `components` out")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn what_is_signed_where_nothing_is_said() {
    let loaded = parse_in(folder().path(), &routed("", "signed: [\"@scheme\", X-Id]")).unwrap();
    let bartizan_config::Provider::Signature(provider) = &loaded.config.identity[0].provider else {
        panic!("another provider");
    };
    let listed =
        [SignatureComponent::Method, SignatureComponent::TargetUri, SignatureComponent::CONTENT_DIGEST];
    assert_eq!(provider.components, listed);
    assert_eq!((provider.window.as_secs(), provider.max_nonces), (300, 100_000));
    assert_eq!(provider.nonce, bartizan_config::NoncePolicy::Required);
    let demanded: Vec<_> = loaded.config.routes[0].signed.iter().map(SignatureComponent::as_str).collect();
    assert_eq!(demanded, ["@scheme", "x-id"]);
}
