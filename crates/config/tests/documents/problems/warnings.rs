//! What is accepted, but probably not meant.

use bartizan_config::Severity;

use super::{Case, check, jwt, listen, upstream};
use crate::with;

#[test]
fn what_is_probably_not_meant() {
    let hash = format!("sha256:{}", "0".repeat(64));
    let cases: [Case<'_>; 10] = [
        (
            with("identity: { §a: { api_key: {} } }").replace("auth: none", "auth: a"),
            &[("`a` has no keys: it admits nobody", "sha256")],
        ),
        (
            with("identity: { §a: { jwt: { issuer: i, audience: o, jwks: \"https://i\" } } }"),
            &[("no route uses the identity provider `a`", "")],
        ),
        (with("upstreams: { §a: { targets: http://a } }"), &[("no route leads to the upstream `a`", "")]),
        (with("roles: { §a: [b:c] }"), &[("nobody holds the role `a`", "")]),
        (
            upstream("targets: \"http://a\", tls: §{ ca: ca.pem }"),
            &[("`tls` has no effect: no target is an `https:` URL", "")],
        ),
        (
            with("tls: §{ cert: cert.pem, key: key.pem }"),
            &[("nothing uses `tls`: there is no `https` listener", "")],
        ),
        (
            listen("http: \"127.0.0.1:0\", metrics: §\"0.0.0.0:0\""),
            &[("whoever reaches this address reads the metrics: they have no token", "firewall")],
        ),
        (
            listen("http: \"127.0.0.1:0\", trusted_proxies: [§\"::/0\"]"),
            &[("everybody is a trusted proxy: any client may claim any address", "only")],
        ),
        (
            jwt(&format!("secret: §\"{}\"", crate::LONG_SECRET)),
            &[("whoever reads this document knows the secret", "${JWT_SECRET}")],
        ),
        (
            with(&format!("identity: {{ a: {{ api_key: {{ keys: [{{ name: n, hash: \"{hash}\" }}] }} }} }}"))
                .replace("auth: none", "auth: a, mfa: §required"),
            &[("nobody can pass: only tokens and sessions say how many factors were used", "jwt")],
        ),
    ];
    check(&cases, Severity::Warning);
}
