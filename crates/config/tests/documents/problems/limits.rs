//! Mistakes of `limits`, and of `limit` and `cost` of a route.

use bartizan_config::Severity;

use super::{Case, check};
use crate::with;

/// A document with the policy `a`, which a route for known callers has.
fn policy(policy: &str) -> String {
    document(&format!("limits: {{ a: {policy} }}"), "auth: users, limit: a")
}

fn rule(keys: &str) -> String {
    policy(&format!("[{{ {keys} }}]"))
}

/// A document with these further lines and one route with these keys.
pub(super) fn document(lines: &str, keys: &str) -> String {
    format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nidentity: {{ users: {{ jwt: {{ issuer: i, audience: o, jwks: \"https://i\" }} }} }}\n\
         {lines}\nroutes:\n  - {{ path: /first, to: \"http://a\", auth: users }}\n  - {{ path: /api/**, to: \"http://a\", {keys} }}\n"
    )
}

#[test]
fn mistakes_of_rates_and_counts() {
    let rate = |text: &str| rule(&format!("per: address, rate: §{text}"));
    let no_rate = "is not a rate: write for example `10/s`, `100/min`, `20/15min` or `1000/h`";
    let no_count = "is no count: write a whole number from 1 to 100000000";
    let messages = [
        ("100", format!("`100` {no_rate}")),
        ("-5/min", format!("`-5/min` {no_rate}")),
        ("1.5/min", format!("`1.5/min` {no_rate}")),
        ("100/minute", format!("`100/minute` {no_rate}")),
        ("0/min", "`0/min` admits nothing: write a number of at least 1".into()),
        ("100000001/s", "`100000001/s`: a rate is at most 100000000 in its window".into()),
        (
            "99999999999999999999/s",
            "`99999999999999999999/s`: a rate is at most 100000000 in its window".into(),
        ),
        ("10/1ms", "`10/1ms`: a window is at least 100 ms long".into()),
        ("10/32d", "`10/32d`: a window is at most 31 days long".into()),
        ("10/9999999999999999min", "`10/9999999999999999min`: a window is at most 31 days long".into()),
        ("010/min", "`010/min`: a number begins with a zero: write it without".into()),
        (
            "10/min burst 0",
            "`10/min burst 0`: `0` is no count: write a whole number from 1 to 100000000".into(),
        ),
    ];
    for (text, message) in &messages {
        check(&[(rate(text), &[(message, "")])], Severity::Error);
    }
    for count in ["0", "-1", "100000001", "9999999999999999", "many"] {
        let message = format!("`{count}` {no_count}");
        for keys in ["rate: 1/s, burst", "concurrent"] {
            check(&[(rule(&format!("per: address, {keys}: §{count}")), &[(&message, "")])], Severity::Error);
        }
        let text = document("", &format!("auth: none, limit: api, cost: §{count}"));
        check(&[(text, &[(&message, "")])], Severity::Error);
    }
}

#[test]
fn mistakes_of_rules() {
    let listed = |count: u32| {
        let rules = (0..count).map(|index| format!("{{ per: \"header:h{index}\", rate: 1/s }}"));
        rules.collect::<Vec<_>>().join(", ")
    };
    let operations = vec!["/api/a"; 65].join(", ");
    let on_many = format!("per: address, rate: 1/s, on: §[{operations}]");
    let headers: Vec<_> = (0..9).map(|index| format!("\"header:h{index}\"")).collect();
    let per_many = format!("per: §[{}], rate: 1/s", headers.join(", "));
    let many = format!("§[{}]", listed(65));
    let cases: [Case<'_>; 29] = [
        (
            rule("per: §ip, rate: 1/s"),
            &[(
                "`ip` is nothing to count by: known here: `address`, `prefix`, `user`, `organization`, `key`, `endpoint`, `route`, `header:NAME`, `claim:NAME`",
                "",
            )],
        ),
        (
            rule("per: §organisation, rate: 1/s"),
            &[("`organisation` is nothing to count by: did you mean `organization`?", "")],
        ),
        (rule("per: [user, §usr], rate: 1/s"), &[("`usr` is nothing to count by: did you mean `user`?", "")]),
        (rule("per: §[], rate: 1/s"), &[("`per` is an empty list", "per: address")]),
        (rule("per: [user, address, §user], rate: 1/s"), &[("`user` is listed twice", "")]),
        (
            rule("per: §\"header:a b\", rate: 1/s"),
            &[("`header:a b` names no header: write for example `header:x-tenant`", "")],
        ),
        (
            rule("per: §\"header:Cookie\", rate: 1/s"),
            &[("`header:Cookie` holds credentials, which nobody should count by: write `user` or `key`", "")],
        ),
        (
            rule("per: §\"claim:\", rate: 1/s"),
            &[("`claim:` names no claim: write for example `claim:plan`", "")],
        ),
        (rule(&per_many), &[("a rule counts by at most 8 things together", "")]),
        (policy("[{ §rate: 1/s }]"), &[("`per` is missing here", "")]),
        (
            policy("[§{ per: address }]"),
            &[("this rule says neither `rate` nor `concurrent`", "rate: 100/min")],
        ),
        (
            rule("per: address, rate: 1/s, concurrent: §5"),
            &[("`rate` and `concurrent` are two rules", "a rule for each")],
        ),
        (
            rule("per: address, concurrent: 5, burst: §5"),
            &[("`burst` is about a `rate`, and this rule counts requests in flight", "leave it out")],
        ),
        (
            rule("per: address, concurrent: 5, algorithm: §fixed-window"),
            &[("`algorithm` is about a `rate`, and this rule counts requests in flight", "leave it out")],
        ),
        (
            rule("per: address, rate: 1/s, algorithm: sliding-window, burst: §5"),
            &[("`burst` has no meaning in a window: all of the rate may come at once", "token-bucket")],
        ),
        (
            rule("per: address, rate: §10/min burst 5, algorithm: fixed-window"),
            &[("`burst` has no meaning in a window: all of the rate may come at once", "token-bucket")],
        ),
        (
            rule("per: address, rate: 10/min burst 5, burst: §5"),
            &[("`burst` stands behind the rate, too", "keep one")],
        ),
        (
            rule("per: address, rate: 1/s, algorithm: §sliding"),
            &[("`sliding` is not known here", "`sliding-window`")],
        ),
        (
            rule("per: address, rate: 1/d, burst: §32"),
            &[("a burst of 32 takes more than 31 days to refill", "lower `burst`")],
        ),
        (
            rule("per: address, rate: 1/31d, burst: §100000000"),
            &[("a burst of 100000000 takes more than 31 days to refill", "raise `rate`")],
        ),
        (
            rule("per: address, rate: 1/s, mode: §dry-run"),
            &[("`dry-run` is not known here", "`enforce`, `shadow`")],
        ),
        (rule("per: address, rate: 1/s, on: §[]"), &[("`on` is an empty list", "every request")]),
        (
            rule("per: address, rate: 1/s, on: [§\"post /api\"]"),
            &[(
                "`post /api` is not an operation: write a method and a path pattern, for example `POST /auth/login`, or a path pattern alone",
                "",
            )],
        ),
        (
            rule("per: address, rate: 1/s, on: §/api/**/x"),
            &[("path `/api/**/x`: `**` is allowed at the end only", "")],
        ),
        (rule(&on_many), &[("a rule lists at most 64 operations", "")]),
        (
            policy("[{ name: x, per: user, rate: 1/s }, { name: §x, per: address, rate: 2/s }]"),
            &[("a second rule is called `x`", "a name of its own")],
        ),
        (policy("§[]"), &[("`a` has no rules", "per: address")]),
        (policy(&many), &[("`a` has 65 rules, more than 64", "")]),
        (
            policy("§default"),
            &[("expected a list of rules, or a mapping with `rules`, `skip` and `allow`", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_policies_and_their_form() {
    let priority = |text: &str| rule(&format!("per: user, rate: 1/s, priority: §{text}"));
    let no_priority = "a priority is a whole number from -2147483648 to 2147483647";
    let cases: [Case<'_>; 10] = [
        (policy("{ §ruels: [] }"), &[("unknown key `ruels`", "did you mean `rules`?")]),
        (policy("{ §skip: [/health] }"), &[("`rules` is missing here", "")]),
        (
            policy("{ rules: [{ per: user, rate: 1/s }], skip: [§health] }"),
            &[("path `health` must start with `/`", "")],
        ),
        (
            policy("{ rules: [{ per: user, rate: 1/s }], allow: [§10.0.0.1/8] }"),
            &[("`10.0.0.1/8` has bits set beyond its prefix: write `10.0.0.0/8`", "")],
        ),
        (rule("per: user, §limit: 5"), &[("unknown key `limit`", "`rate`, `burst`")]),
        (priority("high"), &[(no_priority, "")]),
        (priority("99999999999"), &[(no_priority, "")]),
        (priority("1.5"), &[(no_priority, "")]),
        (
            with("limits: { §\"a b\": [] }"),
            &[("`a b` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`", "")],
        ),
        (
            document(
                "limits: { a: [{ per: user, rate: §x }, { per: §y, rate: §z }] }",
                "auth: users, limit: a",
            ),
            &[
                ("`x` is not a rate: write for example `10/s`, `100/min`, `20/15min` or `1000/h`", ""),
                (
                    "`y` is nothing to count by: known here: `address`, `prefix`, `user`, `organization`, `key`, `endpoint`, `route`, `header:NAME`, `claim:NAME`",
                    "",
                ),
                ("`z` is not a rate: write for example `10/s`, `100/min`, `20/15min` or `1000/h`", ""),
            ],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_the_limits_of_a_route() {
    let identity =
        "limits:\n  a:\n    - { per: organization, rate: 1/s }\n    - { per: [address, user], rate: 1/s }";
    let keys = "identity: { k: { api_key: { keys: [{ name: n, hash: \"${PARTNER_KEY_HASH}\" }], header: x-token } } }";
    let by_token = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\n{keys}\nlimits: {{ a: [{{ per: \"header:X-Token\", rate: 1/s }}] }}\n\
         routes: [{{ path: /, to: \"http://a\", auth: k, limit: §a }}]"
    );
    // The key is read on other routes only.
    let of_another = |auth: &str| {
        let limits = "limits: { a: [{ name: tenants, per: \"header:X-API-Key\", rate: 1/s }] }";
        document(limits, &format!("auth: {auth}, limit: §a")).replace(
            "identity: { ",
            "identity: { partners: { api_key: { keys: [{ name: n, hash: \"${PARTNER_KEY_HASH}\" }] } }, ",
        )
    };
    let elsewhere = "the rule `tenants` (line 4) counts by `header:x-api-key`, which holds the credentials for `partners`";
    let unmatched = |limits: &str, unmatched: &str| {
        document(&format!("limits: {{ a: [{limits}] }}\nunmatched: {unmatched}"), "auth: users, limit: a")
    };
    let forty = (0..40).map(|index| format!("{{ per: \"header:h{index}\", rate: 1/s }}"));
    let forty = forty.collect::<Vec<_>>().join(", ");
    let eighty = format!("limits: {{ a: [{forty}], b: [{forty}] }}");
    let every = |limits: &str, every: &str| {
        unmatched(limits, "{ limit: default }") + &format!("every_request: {every}\n")
    };
    let fifty = (0..50).map(|index| format!("{{ per: \"header:h{index}\", rate: 1/s }}"));
    let fifty = fifty.collect::<Vec<_>>().join(", ");
    let fifty = format!("limits: {{ a: [{fifty}], b: [{fifty}] }}\nevery_request: {{ limit: b }}");
    let cases: [Case<'_>; 20] = [
        (every("{ per: address, rate: 1/s }", "§{}"), &[("`every_request` says nothing", "limit: generic")]),
        (
            every("{ per: address, rate: 1/s }", "{ limit: §defualt }"),
            &[("there is no limit policy `defualt`", "did you mean `default`?")],
        ),
        (
            every("{ per: user, rate: 1/s }", "{ limit: §a }"),
            &[(
                "`a` counts by who asks alone, and of most requests nobody knows that",
                "a rule by `address`",
            )],
        ),
        (
            document(&fifty, "auth: none, limit: §a"),
            &[("these policies have 100 rules together, more than 64", "")],
        ),
        (unmatched("{ per: address, rate: 1/s }", "§{}"), &[("`unmatched` says nothing", "limit: default")]),
        (
            unmatched("{ per: address, rate: 1/s }", "{ limit: §defualt }"),
            &[("there is no limit policy `defualt`", "did you mean `default`?")],
        ),
        (
            unmatched("{ per: user, rate: 1/s }, { per: [address, route], rate: 1/s }", "{ limit: §a }"),
            &[(
                "`a` limits nothing here: it counts by who asks or by a route, and there is neither",
                "a rule by `address`",
            )],
        ),
        (unmatched("{ per: address, rate: 1/s }", "{ §policy: a }"), &[("unknown key `policy`", "`limit`")]),
        (
            document("", "auth: none, limit: §voise"),
            &[("there is no limit policy `voise`", "did you mean `voice`?")],
        ),
        (
            document("limits: { calls: [{ per: address, rate: 1/s }] }", "auth: none, limit: [calls, §cals]"),
            &[("there is no limit policy `cals`", "did you mean `calls`?")],
        ),
        (
            document("", "auth: none, limit: §something"),
            &[("there is no limit policy `something`", "`voice`")],
        ),
        (
            document("", "auth: none, limit: §none"),
            &[("there is no limit policy `none`", "leave `limit` out")],
        ),
        (document("", "auth: none, limit: §[]"), &[("`limit` is an empty list", "leave it out")]),
        (document("", "auth: none, limit: [voice, §voice]"), &[("`voice` is listed twice", "")]),
        (
            document("", "auth: none, limit: [§\"a b\"]"),
            &[("`a b` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`", "")],
        ),
        (
            document(identity, "auth: none, limit: §§a"),
            &[
                (
                    "the rule `organization-1s` (line 6) counts by `organization`, and this route authenticates nobody (`auth: none`, line 10)",
                    "a rule by `address`",
                ),
                (
                    "the rule `address-user-1s` (line 7) counts by `user`, and this route authenticates nobody (`auth: none`, line 10)",
                    "identity providers under `auth`",
                ),
            ],
        ),
        (
            by_token,
            &[(
                "the rule `header-x-token-1s` (line 4) counts by `header:x-token`, which holds the credentials for `k`",
                "`user` or `key`",
            )],
        ),
        (of_another("users"), &[(elsewhere, "count by `user` or `key`")]),
        (of_another("none"), &[(elsewhere, "count by `address`")]),
        (
            document(&eighty, "auth: none, limit: §[a, b]"),
            &[("these policies have 80 rules together, more than 64", "")],
        ),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_costs() {
    let limits = "limits: { a: [{ per: address, rate: 100/min, burst: 20 }, { per: user, rate: 5/h, algorithm: fixed-window, on: \"POST /api/small\" }] }";
    let cost =
        |cost: &str| document(limits, &format!("auth: users, limit: a, methods: [GET, POST], cost: {cost}"));
    let hint = "raise the rule's `burst` or `rate`";
    let cases: [Case<'_>; 9] = [
        (
            cost("{ POST /api/x: §21 }"),
            &[("`POST /api/x` costs 21, and the rule `address-60s` (line 4) never holds more than 20", hint)],
        ),
        (
            cost("{ POST /api/small: §6, POST /api/large: 6 }"),
            &[(
                "`POST /api/small` costs 6, and the rule `user-3600s` (line 4) never holds more than 5",
                hint,
            )],
        ),
        (
            cost("{ /api/*: §6 }"),
            &[("`/api/*` costs 6, and the rule `user-3600s` (line 4) never holds more than 5", hint)],
        ),
        (
            cost("§21"),
            &[("a request costs 21, and the rule `address-60s` (line 4) never holds more than 20", hint)],
        ),
        (
            document("", "auth: none, limit: upload, cost: §6"),
            &[(
                "a request costs 6, and the rule `address-300s` (built-in default) never holds more than 5",
                hint,
            )],
        ),
        (
            cost("{ /api/*: 2, \"§/api/{id}\": 3 }").replace("\"§", "§\""),
            &[("`/api/{id}` is listed twice", "")],
        ),
        (
            cost("{ §calls: 2 }"),
            &[(
                "`calls` is not an operation: write a method and a path pattern, for example `POST /auth/login`, or a path pattern alone",
                "",
            )],
        ),
        (
            cost("§1.5"),
            &[("expected a whole number from 1, `voice`, or a mapping of operations to such numbers", "")],
        ),
        (
            cost("§[5]"),
            &[("expected a whole number from 1, `voice`, or a mapping of operations to such numbers", "")],
        ),
    ];
    check(&cases, Severity::Error);
}
