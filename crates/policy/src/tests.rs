use bartizan_config::{MethodRequirement, Requirement, Requirements, Role};
use bartizan_model::{Grant, Line, Permission};
use http::Method;
use proptest::prelude::*;

use crate::{Decision, PermissionIndex, RoleTable};

fn permissions(texts: &[&str]) -> Vec<Permission> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn grants(texts: &[&str]) -> Vec<Grant> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn all_of(texts: &[&str]) -> Requirement {
    Requirement::All(permissions(texts))
}

fn any_of(texts: &[&str]) -> Requirement {
    Requirement::Any(permissions(texts))
}

/// A one-line account of a decision.
fn account(requirements: &Requirements, method: &Method, held: &[&str]) -> String {
    let index = PermissionIndex::new([requirements]);
    match index.compile(requirements).decide(method, &index.expand(&grants(held))) {
        Decision::Permitted => "permitted".into(),
        Decision::MethodNotCovered => "not covered".into(),
        Decision::Denied(missing) => format!("missing {missing}"),
    }
}

#[test]
fn wildcards_decide_as_stated() {
    let both = Requirements::Every(all_of(&["orders:read", "orders:write"]));
    let either = Requirements::Every(any_of(&["orders:read", "invoices:read"]));
    let cases: &[(&Requirements, &[&str], &str)] = &[
        (&both, &["orders:read", "orders:write"], "permitted"),
        (&both, &["orders:*"], "permitted"),
        (&both, &["*:read", "*:write"], "permitted"),
        (&both, &["*:*"], "permitted"),
        (&both, &["*"], "permitted"),
        (&both, &[], "missing `orders:read` and `orders:write`"),
        (&both, &["orders:read"], "missing `orders:write`"),
        (&both, &["*:read"], "missing `orders:write`"),
        (&both, &["order:*"], "missing `orders:read` and `orders:write`"),
        (&both, &["Orders:*"], "missing `orders:read` and `orders:write`"),
        (&both, &["invoices:*"], "missing `orders:read` and `orders:write`"),
        (&either, &["invoices:read"], "permitted"),
        (&either, &["*:read"], "permitted"),
        (&either, &["invoices:*"], "permitted"),
        (&either, &["orders:write"], "missing `orders:read` or `invoices:read`"),
        (&either, &[], "missing `orders:read` or `invoices:read`"),
        (&Requirements::Nothing, &[], "permitted"),
    ];
    for (requirements, held, expected) in cases {
        assert_eq!(account(requirements, &Method::GET, held), *expected, "{held:?} against {requirements:?}");
    }
}

#[test]
fn methods_are_covered_as_listed() {
    let entry = |method: Method, requirement| MethodRequirement { method, requirement };
    let listed = vec![entry(Method::GET, all_of(&["a:read"])), entry(Method::POST, all_of(&["a:write"]))];
    let mut with_head = listed.clone();
    with_head.push(entry(Method::HEAD, all_of(&["a:head"])));

    let strict = Requirements::ByMethod { methods: listed.clone(), otherwise: None };
    let open = Requirements::ByMethod { methods: listed, otherwise: Some(all_of(&["a:other"])) };
    let head = Requirements::ByMethod { methods: with_head, otherwise: None };
    let cases = [
        (&strict, Method::GET, "a:read", "permitted"),
        (&strict, Method::HEAD, "a:read", "permitted"),
        (&strict, Method::HEAD, "a:write", "missing `a:read`"),
        (&strict, Method::POST, "a:read", "missing `a:write`"),
        (&strict, Method::DELETE, "*", "not covered"),
        (&strict, Method::from_bytes(b"get").unwrap(), "*", "not covered"),
        (&open, Method::DELETE, "a:other", "permitted"),
        (&open, Method::DELETE, "a:read", "missing `a:other`"),
        (&open, Method::HEAD, "a:other", "missing `a:read`"),
        (&head, Method::HEAD, "a:read", "missing `a:head`"),
        (&head, Method::HEAD, "a:head", "permitted"),
    ];
    for (requirements, method, held, expected) in cases {
        assert_eq!(account(requirements, &method, &[held]), expected, "{method} with {held}");
    }
}

#[test]
fn a_set_of_another_index_is_denied() {
    let requirements = Requirements::Every(all_of(&["a:read"]));
    let (ours, theirs) = (PermissionIndex::new([&requirements]), PermissionIndex::new([&requirements]));
    let everything = theirs.expand(&grants(&["*"]));
    assert_eq!(theirs.compile(&requirements).decide(&Method::GET, &everything), Decision::Permitted);
    assert!(matches!(ours.compile(&requirements).decide(&Method::GET, &everything), Decision::Denied(_)));
    assert!(matches!(
        ours.compile(&Requirements::Nothing).decide(&Method::GET, &everything),
        Decision::Denied(_)
    ));
}

#[test]
fn what_the_index_does_not_know_nobody_holds() {
    let index = PermissionIndex::new([&Requirements::Every(all_of(&["a:read"]))]);
    let everything = index.expand(&grants(&["*"]));
    let decide =
        |requirement| index.compile(&Requirements::Every(requirement)).decide(&Method::GET, &everything);
    assert!(matches!(decide(all_of(&["a:read", "b:read"])), Decision::Denied(_)));
    assert!(matches!(decide(any_of(&["b:read"])), Decision::Denied(_)));
    assert_eq!(decide(any_of(&["a:read", "b:read"])), Decision::Permitted);
    assert!(matches!(decide(all_of(&[])), Decision::Denied(_)), "an empty requirement fails closed");
    assert!(matches!(decide(any_of(&[])), Decision::Denied(_)), "an empty requirement fails closed");
}

#[test]
fn roles_grant_what_they_list() {
    let table = RoleTable::new(&[Role {
        name: "clerk".parse().unwrap(),
        line: Line::NONE,
        grants: grants(&["orders:*", "invoices:read"]),
    }]);
    assert_eq!(table.grants("clerk"), grants(&["orders:*", "invoices:read"]));
    assert_eq!(table.grants("Clerk"), []);
    assert_eq!(table.grants(""), []);
}

/// Few words, so that grants and requirements meet often; enough of them together to pass 64 permissions.
fn word() -> impl Strategy<Value = String> {
    (0..14_u8).prop_map(|number| format!("w{number}"))
}

fn permission() -> impl Strategy<Value = Permission> {
    (word(), word()).prop_map(|(resource, action)| format!("{resource}:{action}").parse().unwrap())
}

fn grant() -> impl Strategy<Value = Grant> {
    let side = || prop_oneof![4 => word(), 1 => Just("*".to_owned())];
    (side(), side()).prop_map(|(resource, action)| format!("{resource}:{action}").parse().unwrap())
}

proptest! {
    #[test]
    fn bits_decide_as_the_grants_themselves(
        background in prop::collection::vec(permission(), 0..150),
        needed in prop::collection::vec(permission(), 1..6),
        held in prop::collection::vec(grant(), 0..12),
        any in any::<bool>(),
    ) {
        let covered = |permission: &Permission| held.iter().any(|grant| grant.covers(permission));
        let expected = if any { needed.iter().any(covered) } else { needed.iter().all(covered) };
        let lacking: Vec<_> = needed.iter().filter(|permission| !covered(permission)).cloned().collect();

        let requirement = if any { Requirement::Any(needed) } else { Requirement::All(needed) };
        let requirements = Requirements::Every(requirement);
        let others = Requirements::Every(Requirement::All(background));
        let index = PermissionIndex::new([&others, &requirements]);
        match index.compile(&requirements).decide(&Method::GET, &index.expand(&held)) {
            Decision::Permitted => prop_assert!(expected),
            Decision::Denied(missing) => {
                prop_assert!(!expected);
                prop_assert_eq!(missing.permissions(), lacking);
                prop_assert_eq!(missing.any_suffices(), any);
            }
            Decision::MethodNotCovered => prop_assert!(false, "every method is covered"),
        }
    }
}
