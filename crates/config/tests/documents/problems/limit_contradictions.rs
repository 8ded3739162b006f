//! What rules of `limits` say that contradicts itself or another rule.

use bartizan_config::Severity;

use super::{Case, check, limits::document};

#[test]
fn rules_that_never_apply_or_never_refuse() {
    let a = |rules: &str| document(&format!("limits: {{ a: [{rules}] }}"), "auth: none, limit: a");
    let laxer = |name: &str, other: &str| {
        format!("the rule `{name}` never refuses: `{other}` (line 4) counts the same and admits no more")
    };
    let second = laxer("address-3600s-2", "address-3600s");
    let (first, window) = (laxer("lax", "address-3600s"), laxer("address-60s-2", "address-60s"));
    let (in_flight, lax) = (laxer("big", "small"), laxer("lax", "strict"));
    let outranked = "the rule `address-3600s` never applies: `address-60s` (line 4) counts the same with a higher priority";
    let (by_priority, take_out) = ("`priority`", "take one of the two out");
    let cases: [Case<'_>; 28] = [
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
    ];
    check(&cases, Severity::Error);
}

#[test]
fn bursts_that_are_no_part_of_their_rate() {
    let a = |rule: &str| {
        document(&format!("limits: {{ a: [{{ per: address, {rule} }}] }}"), "auth: none, limit: a")
    };
    let large = "the rule `address-60s` admits 100 at once, more than the 10 of its window";
    let odd = "the rule `address-60s` admits 9 at once, more than the 7 of its window";
    let cases: [Case<'_>; 8] = [
        (a("rate: 10/min, burst: §100"), &[(large, "`rate: 100/10min`")]),
        (a("rate: §10/min burst 100"), &[(large, "`rate: 100/10min`")]),
        (a("rate: 7/min, burst: §9"), &[(odd, "longer window")]),
        (a("rate: 100/10min, burst: 100"), &[]),
        (a("rate: 10/min, burst: 10"), &[]),
        // So bursts are written where a rate is one of seconds.
        (a("rate: 1/s, burst: 20"), &[]),
        (a("rate: 10/100ms burst 50"), &[]),
        (a("rate: 10/min, burst: 100, enabled: false }, { per: address, rate: 1/s"), &[]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn a_policy_that_skips_everything() {
    let text = "limits: { a: { rules: [{ per: address, rate: 1/s }], skip: [§/**] } }";
    let cases: [Case<'_>; 1] = [(
        document(text, "auth: none, limit: a"),
        &[("every path is skipped: this policy limits nothing", "list only")],
    )];
    check(&cases, Severity::Error);
}
