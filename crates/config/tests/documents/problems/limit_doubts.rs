//! What `limits`, and `limit` and `cost` of a route, say that is probably not meant.

use bartizan_config::Severity;

use super::{Case, check, limits::document};
use crate::with;

#[test]
fn limits_that_are_probably_not_meant() {
    let a = |rule: &str| format!("limits: {{ a: [{{ {rule} }}] }}");
    let unserved =
        |operation: &str| format!("`{operation}` is no operation of this route: its cost has no effect");
    let (elsewhere, not_admitted) = (unserved("POST /calls"), unserved("PUT /api/calls"));
    let public = "the rule `user-3600s` (line 6) counts by `user`, and this route authenticates nobody (`auth: none`, line 9): it is left out here";
    let large = "the rule `address-60s` admits 100 at once, more than the 10 of its window";
    let cases: [Case<'_>; 19] = [
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
                "limits: { a: { rules: [{ per: address, rate: 1/s }], skip: [§/**] } }",
                "auth: none, limit: a",
            ),
            &[("every path is skipped: this policy limits nothing", "list only")],
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
            document(&a("per: address, rate: 10/min, burst: §100"), "auth: none, limit: a"),
            &[(large, "`burst`")],
        ),
        (
            document(&a("per: address, rate: §10/min burst 100"), "auth: none, limit: a"),
            &[(large, "`burst`")],
        ),
        (document(&a("per: address, rate: 10/min, burst: 10"), "auth: none, limit: a"), &[]),
        // So bursts are written where a rate is one of seconds.
        (document(&a("per: address, rate: 1/s, burst: 20"), "auth: none, limit: a"), &[]),
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
fn rules_that_never_refuse() {
    let a = |rules: &str| document(&format!("limits: {{ a: [{rules}] }}"), "auth: none, limit: a");
    let laxer = |name: &str, other: &str| {
        format!("the rule `{name}` never refuses: `{other}` (line 4) counts the same and admits no more")
    };
    let second = laxer("address-3600s-2", "address-3600s");
    let (first, window) = (laxer("lax", "address-3600s"), laxer("address-60s-2", "address-60s"));
    let (in_flight, lax) = (laxer("big", "small"), laxer("lax", "strict"));
    let outranked = "the rule `address-3600s` never applies: `address-60s` (line 4) counts the same with a higher priority";
    let (by_priority, take_out) = ("`priority`", "take one of the two out");
    let cases: [Case<'_>; 29] = [
        (
            a("{ per: address, rate: 10/min, priority: 1 }, §{ per: address, rate: 5/h }"),
            &[(outranked, by_priority)],
        ),
        (
            a(
                "{ per: address, rate: 10/min, priority: 1, on: /api/** }, §{ per: address, rate: 5/h, on: [\"GET /api/a\", /api/b] }",
            ),
            &[(outranked, by_priority)],
        ),
        (
            a(
                "{ per: address, rate: 10/min, priority: 1, on: \"GET /api/*\" }, §{ per: address, rate: 5/h, on: \"HEAD /api/{id}\" }",
            ),
            &[(outranked, by_priority)],
        ),
        (a("{ per: address, rate: 10/min, priority: 1, on: /api/a }, { per: address, rate: 5/h }"), &[]),
        (
            a(
                "{ per: address, rate: 10/min, priority: 1, on: \"POST /api/**\" }, { per: address, rate: 5/h, on: /api/a }",
            ),
            &[],
        ),
        (a("{ per: address, rate: 10/min, priority: 1 }, { per: prefix, rate: 5/h }"), &[]),
        (a("{ per: address, rate: 10/min, priority: 1, enabled: false }, { per: address, rate: 5/h }"), &[]),
        (a("{ per: address, rate: 10/min, priority: 1, mode: shadow }, { per: address, rate: 5/h }"), &[]),
        (a("{ per: address, rate: 5/h }, §{ per: address, rate: 5/h }"), &[(&second, take_out)]),
        (a("{ per: address, rate: 5/h }, §{ per: address, rate: 6/h }"), &[(&second, take_out)]),
        (a("§{ per: address, rate: 6/h, name: lax }, { per: address, rate: 5/h }"), &[(&first, take_out)]),
        (
            a(
                "{ per: address, rate: 5/min, algorithm: fixed-window }, §{ per: address, rate: 5/min, algorithm: fixed-window }",
            ),
            &[(&window, take_out)],
        ),
        (
            a("{ per: address, concurrent: 2, name: small }, §{ per: address, concurrent: 3, name: big }"),
            &[(&in_flight, take_out)],
        ),
        // Other windows: what a stricter rule lets through in all is less than this ever refuses.
        (
            a("§{ per: address, rate: 100/min, name: lax }, { per: address, rate: 50/h, name: strict }"),
            &[(&lax, take_out)],
        ),
        (
            a("§{ per: address, rate: 10/s, name: lax }, { per: address, rate: 5/h, name: strict }"),
            &[(&lax, take_out)],
        ),
        (
            a(
                "§{ per: address, rate: 10/s, name: lax }, { per: address, rate: 5/h, algorithm: sliding-window, name: strict }",
            ),
            &[(&lax, take_out)],
        ),
        (
            a(
                "§{ per: address, rate: 100/h, algorithm: fixed-window, name: lax }, { per: address, rate: 50/h, name: strict }",
            ),
            &[(&lax, take_out)],
        ),
        (
            a(
                "§{ per: address, rate: 150/h, algorithm: sliding-window, name: lax }, { per: address, rate: 50/h, name: strict }",
            ),
            &[(&lax, take_out)],
        ),
        (a("{ per: address, rate: 5/min }, { per: address, rate: 20/15min }"), &[]),
        (a("{ per: address, rate: 10/s }, { per: address, rate: 6/h, algorithm: fixed-window }"), &[]),
        (a("{ per: address, rate: 99/h, algorithm: fixed-window }, { per: address, rate: 50/h }"), &[]),
        (a("{ per: address, rate: 149/h, algorithm: sliding-window }, { per: address, rate: 50/h }"), &[]),
        (a("{ per: address, rate: 60/min }, { per: address, rate: 61/min, burst: 10 }"), &[]),
        // What differs in anything may refuse on its own.
        (a("{ per: address, rate: 100/h, burst: 5 }, { per: address, rate: 50/h, burst: 10 }"), &[]),
        (
            a(
                "{ per: address, rate: 100/h, burst: 5 }, { per: address, rate: 100/h, algorithm: fixed-window }",
            ),
            &[],
        ),
        (a("{ per: address, rate: 5/h }, { per: address, rate: 6/h, mode: shadow }"), &[]),
        (a("{ per: address, rate: 5/h, on: /api/a }, { per: address, rate: 6/h }"), &[]),
        (a("{ per: address, rate: 5/h }, { per: address, rate: 6/h, enabled: false }"), &[]),
        (
            document("limits: { §a: [{ per: address, rate: 1/s, enabled: false }] }", "auth: none, limit: a"),
            &[("every rule of `a` is switched off: it limits nothing", "`enabled: false`")],
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
