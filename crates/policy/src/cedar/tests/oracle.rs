//! Sorting policies into buckets never changes a decision: a plain authorizer over all of them is the judge of that.

use cedar_policy::{Authorizer, Decision, Entities, PolicyId, PolicySet, Request};
use proptest::{prelude::*, sample::select};

use super::*;

/// A policy of random parts; some of them err for callers that are trusted.
fn policy() -> impl Strategy<Value = String> {
    let parts = (
        select(vec!["permit", "forbid"]),
        select(vec![
            "principal",
            "principal == User::\"shop/ann\"",
            "principal in Role::\"clerk\"",
            "principal is Service",
        ]),
        select(vec![
            "action",
            "action == Action::\"orders:read\"",
            "action in Action::\"orders:*\"",
            "action in [Action::\"orders:audit\", Action::\"orders:refund\"]",
            "action == Action::\"orders:refund\"",
            "action in Action::\"*:read\"",
            "action == Action::\"GET /people/{id}\"",
        ]),
        select(vec!["resource", "resource in Zone::\"data\"", "resource in Route::\"/orders/**\""]),
        select(vec![
            "",
            "when { context.mfa }",
            "when { context.method == \"POST\" }",
            "unless { action in Action::\"orders:write\" }",
            "when { context.zone.trust + 9223372036854775807 > 0 }",
            "when { context.address.isInRange(ip(\"203.0.113.0/24\")) }",
        ]),
    );
    parts.prop_map(|(effect, principal, action, resource, condition)| {
        format!("{effect} ({principal}, {action}, {resource}) {condition};\n")
    })
}

fn requests() -> impl Strategy<Value = (Method, &'static str, &'static str)> {
    select(vec![
        (Method::GET, "/orders/**", "/orders/7"),
        (Method::PUT, "/orders/**", "/orders/7"),
        (Method::from_bytes(b"PURGE").unwrap(), "/orders/**", "/orders/7"),
        (Method::POST, "/orders/{id}/refund", "/orders/7/refund"),
        (Method::GET, "/people/{id}", "/people/ann"),
    ])
}

/// The ruling and what determined it, without buckets.
fn plain(set: &PolicySet, request: &Request, entities: &Entities) -> (Ruling, Vec<PolicyId>) {
    let response = Authorizer::new().is_authorized(request, set, entities);
    let mut reasons: Vec<_> = response.diagnostics().reason().cloned().collect();
    reasons.sort();
    let ruling = if response.diagnostics().errors().next().is_some() {
        Ruling::Failed
    } else {
        match (response.decision(), reasons.is_empty()) {
            (Decision::Allow, _) => Ruling::Permitted,
            (Decision::Deny, true) => Ruling::NotPermitted,
            (Decision::Deny, false) => Ruling::Forbidden,
        }
    };
    (ruling, reasons)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn buckets_never_change_a_decision(
        policies in proptest::collection::vec(policy(), 1..12),
        request in requests(),
        zone in select(Zone::ALL.to_vec()),
        is_clerk in any::<bool>(),
        caller_type in select(CallerType::ALL.to_vec()),
    ) {
        let config = config(&policies.concat(), "");
        let compiled = match Policies::compile(&config) {
            Ok(compiled) => compiled.unwrap(),
            // Some combinations can never apply, which validation refuses.
            Err(error) => {
                prop_assert!(error.to_string().contains("unable to find an applicable action"), "{}", error);
                return Ok(());
            }
        };
        let (method, pattern, path) = request;
        let roles: &[&str] = if is_clerk { &["clerk"] } else { &[] };
        let caller = caller(caller_type, "ann", zone, roles, None);
        let route = config.routes.iter().find(|route| route.path.as_str() == pattern).unwrap();
        let asked = compiled.of_route(route).unwrap().unwrap();
        let judged = asked.judge(&caller, &facts(&method, path));

        let (request, entities) = asked.request(asked.asked(&method), &caller, &facts(&method, path)).unwrap();
        let texts = compiled.statements().iter();
        let all = texts.map(|policy| {
            cedar_policy::Policy::parse(Some(PolicyId::new(&policy.id)), &policy.text).unwrap()
        });
        let all = PolicySet::from_policies(all).unwrap();
        let (ruling, reasons) = plain(&all, &request, &entities);
        prop_assert_eq!(judged.ruling, ruling, "{}", judged);
        let mut determining: Vec<_> = judged.determining.iter().map(|policy| PolicyId::new(&policy.id)).collect();
        determining.sort();
        prop_assert_eq!(determining, reasons);
    }
}
