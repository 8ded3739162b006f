//! What `limits`, and `limit` and `cost` of a route, say that is probably not meant.

use bartizan_config::Severity;

use super::{Case, check, limits::document};
use crate::with;

#[test]
fn limits_that_are_probably_not_meant() {
    let a = |rule: &str| format!("limits: {{ a: [{{ {rule} }}] }}");
    let shared = |limits: &str| format!("shared: {{ redis: \"redis://127.0.0.1\" }}\n{limits}");
    let unserved =
        |operation: &str| format!("`{operation}` is no operation of this route: its cost has no effect");
    let (elsewhere, not_admitted) = (unserved("POST /calls"), unserved("PUT /api/calls"));
    let public = "the rule `user-3600s` (line 6) counts by `user`, and this route authenticates nobody (`auth: none`, line 9): it is left out here";
    let cases: [Case<'_>; 16] = [
        (
            document("", "auth: none, limit: api, cost: { §POST /calls: 2000 }"),
            &[(&elsewhere, "the whole path")],
        ),
        (
            document("", "auth: none, limit: api, methods: [GET], cost: { §PUT /api/calls: 2 }"),
            &[(&not_admitted, "a method that the route admits")],
        ),
        (
            document("", "auth: none, limit: api, cost: §voice").replace("/api/**", "/shop/**"),
            &[("`cost: voice` has no effect: this route serves none of its operations", "`/api/calls`")],
        ),
        (
            document(
                "limits: { a: [\n  { per: address, rate: 1/s },\n  { per: user, rate: 1/h } ] }",
                "auth: none, limit: §a",
            ),
            &[(public, "identity providers under `auth`")],
        ),
        (
            document(
                &a("per: address, rate: 1/s")
                    .replace("[{", "{ rules: [{")
                    .replace(" }]", " }], allow: [{ network: 10.0.0.0/8, expires: §2001-01-31 }] }"),
                "auth: none, limit: a",
            ),
            &[("this entry has expired: its network is counted", "another day")],
        ),
        (
            document(
                &a("per: address, rate: 1/s")
                    .replace("[{", "{ rules: [{")
                    .replace(" }]", " }], allow: [{ network: 10.0.0.0/8, expires: 2999-01-31 }] }"),
                "auth: none, limit: a",
            ),
            &[],
        ),
        (document("", "auth: none, limit: api, cost: voice"), &[]),
        (
            with("limits: { §a: [{ per: address, rate: 1/s }] }"),
            &[("no route uses the limit policy `a`", "")],
        ),
        (
            document(&a("per: address, rate: 1/s, on: [/api/x, §/login]"), "auth: none, limit: a"),
            &[("no route with the limit `a` serves `/login`", "")],
        ),
        (
            document(
                "limits: { a: { rules: [{ per: address, rate: 1/s }], allow: [§\"::/0\"] } }",
                "auth: none, limit: a",
            ),
            &[("everybody is allowed: this policy limits nobody", "list only")],
        ),
        (
            document("", "auth: none, cost: §5"),
            &[("`cost` has no effect: this route has no `limit`", "add `limit`")],
        ),
        (
            document(&a("per: key, rate: 1/s"), "auth: users, limit: §a"),
            &[(
                "the rule `key-1s` (line 4) counts nobody here: no provider of this route gives a `key`",
                "`api_key`",
            )],
        ),
        (
            document("limits: { §a: [{ per: address, rate: 1/s, enabled: false }] }", "auth: none, limit: a"),
            &[("every rule of `a` is switched off: it limits nothing", "`enabled: false`")],
        ),
        (
            document(
                &shared(&a("per: address, concurrent: §5 }, { per: user, concurrent: 2, enabled: false")),
                "auth: none, limit: a",
            ),
            &[(
                "the rule `address-concurrent` is not shared: each gateway admits 5 in flight by itself",
                "`rate`",
            )],
        ),
        // A rule that is switched off, or that counts nothing here, may be what it likes.
        (
            document(
                &a("per: user, rate: 1/s, enabled: false }, { per: address, rate: 100/s"),
                "auth: none, limit: a, cost: 50",
            ),
            &[],
        ),
        (
            document(
                &a("per: user, rate: 1/s, on: /private"),
                "auth: none, limit: a, cost: 50 }\n  - { path: /private, to: \"http://a\", auth: users, limit: a",
            ),
            &[],
        ),
    ];
    check(&cases, Severity::Warning);
}

#[test]
fn headers_that_say_nothing_of_who_asks() {
    let a = |per: &str, more: &str| {
        document(&format!("{more}limits: {{ a: [{{ per: {per}, rate: 1/s }}] }}"), "auth: none, limit: a")
    };
    let claimed = |name: &str| {
        format!(
            "`header:{name}` is what clients say of themselves: nobody has verified it where limits are decided"
        )
    };
    let hop = |name: &str| format!("`header:{name}` is about the connection: it says nothing of who asks");
    let refused = "`header:x_tenant` is always empty: headers with an underscore in their name are refused";
    let dropped = "`header:x_tenant` is always empty: headers with an underscore in their name are dropped";
    let claims =
        ["x-user-id", "x-user-permissions", "x-organization-id", "x-forwarded-for", "forwarded", "x-real-ip"];
    let [user, permissions, organization, forwarded_for, forwarded, real] = claims.map(claimed);
    let (connection, encoding) = (hop("connection"), hop("transfer-encoding"));
    let allow = "`hardening.underscore_headers: allow`";
    let cases: [Case<'_>; 12] = [
        (a("§\"header:X-User-Id\"", ""), &[(&user, "`user`")]),
        (a("§\"header:x-user-permissions\"", ""), &[(&permissions, "`user`")]),
        (a("[address, §\"header:x-organization-id\"]", ""), &[(&organization, "`organization`")]),
        (a("§\"header:x-forwarded-for\"", ""), &[(&forwarded_for, "`listen.trusted_proxies`")]),
        (a("§\"header:forwarded\"", ""), &[(&forwarded, "`listen.trusted_proxies`")]),
        (a("§\"header:x-real-ip\"", ""), &[(&real, "`address`")]),
        (a("§\"header:Connection\"", ""), &[(&connection, "another header")]),
        (a("§\"header:transfer-encoding\"", ""), &[(&encoding, "another header")]),
        (a("§\"header:x_tenant\"", ""), &[(refused, allow)]),
        (a("§\"header:x_tenant\"", "hardening: { underscore_headers: drop }\n"), &[(dropped, allow)]),
        (a("\"header:x_tenant\"", "hardening: { underscore_headers: allow }\n"), &[]),
        (a("[\"header:x-tenant\", \"header:host\", \"header:user-agent\"]", ""), &[]),
    ];
    check(&cases, Severity::Warning);
}

/// Tenants of two issuers are not the same because they are called the same.
#[test]
fn names_of_two_issuers_that_count_together() {
    let case = |per: &str, auth: &str| {
        format!(
            "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nidentity:\n  \
             one: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i\" }} }}\n  \
             two: {{ jwt: {{ issuer: j, audience: o, jwks: \"https://j\" }} }}\n\
             limits: {{ a: [{{ name: r, per: {per}, rate: 1/s }}] }}\nroutes:\n  \
             - {{ path: /first, to: \"http://a\", auth: [one, two] }}\n  \
             - {{ path: /api/**, to: \"http://a\", auth: {auth}, limit: §a }}\n"
        )
    };
    let said = |what: &str| {
        format!(
            "the rule `r` (line 6) counts each `{what}` of `one` together with that of `two` of the same name"
        )
    };
    let (organization, claim) = (said("organization"), said("claim:plan"));
    let without = |text: String| text.replace('§', "");
    let by_organization: Case<'_> =
        (case("organization", "[one, two]"), &[(&organization, "a policy of its own")]);
    let by_claim: Case<'_> = (case("\"claim:plan\"", "[one, two]"), &[(&claim, "count by `user`")]);
    let fine = [("organization", "one"), ("user", "[one, two]"), ("[organization, user]", "[one, two]")];
    let fine = fine.map(|(per, auth)| -> Case<'_> { (without(case(per, auth)), &[]) });
    let cases: Vec<Case<'_>> = [by_organization, by_claim].into_iter().chain(fine).collect();
    check(&cases, Severity::Warning);
}
