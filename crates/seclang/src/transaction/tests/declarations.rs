//! Values that are what they were declared to be.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::{Request, begin, get, ids, post, tx};
use crate::{
    Declaration, Transaction, ValueKind,
    ast::{Selector, Target, TargetUse, Variable},
};

/// One rule that seeks attacks and would find one in anything, and others that do not, or that ask the opposite.
const RULES: &str = r#"
SecRule ARGS "@rx ." "id:1,phase:2,pass,tag:attack-any"
SecRule ARGS "!@rx ^x" "id:2,phase:2,pass,tag:attack-any"
SecRule ARGS "@rx ." "id:3,phase:2,pass,tag:own"
SecRule ARGS_NAMES|REQUEST_HEADERS "@rx ." "id:4,phase:2,pass,tag:attack-any"
SecRule &ARGS "@gt 0" "id:5,phase:2,pass,tag:attack-any"
SecRule ARGS_GET|ARGS_POST "@rx ." "id:6,phase:2,pass,multiMatch,t:lowercase,tag:attack-any"
"#;

fn of_id(kind: ValueKind) -> Arc<Declaration> {
    let selector = Some(Selector::Name("id".into()));
    let target = Target { variable: Variable::Args, selector, used_as: TargetUse::Values };
    Arc::new(Declaration::new(&target, kind).unwrap())
}

fn ask(kind: ValueKind, request: Request<'_>) -> Transaction {
    let mut transaction = begin(RULES);
    transaction.declare(of_id(kind));
    request.send(&mut transaction);
    transaction
}

const ALL: [u64; 6] = [1, 2, 3, 4, 5, 6];
const OTHERS: [u64; 4] = [2, 3, 4, 5];

fn words() -> ValueKind {
    ValueKind::OneOf(BTreeSet::from([b"open".to_vec(), b"it's paid".to_vec()]))
}

#[test]
fn rules_that_seek_attacks_leave_out_what_is_as_declared() {
    let cases = [
        (ValueKind::Integer, "7", true),
        (ValueKind::Integer, "-0012", true),
        (ValueKind::Integer, "-", false),
        (ValueKind::Integer, "+7", false),
        (ValueKind::Integer, "7.0", false),
        (ValueKind::Integer, "7%0A", false),
        (ValueKind::Integer, "7%20", false),
        (ValueKind::Integer, "123456789012345678901", false),
        (ValueKind::Uuid, "0190163d-8694-739b-aea5-966c26f8ad91", true),
        (ValueKind::Uuid, "0190163D-8694-739B-AEA5-966C26F8AD91", true),
        (ValueKind::Uuid, "0190163d-8694-739b-aea5-966c26f8ad9", false),
        (ValueKind::Uuid, "0190163d-8694-739b-aea5-966c26f8ad9'", false),
        (ValueKind::Uuid, "0190163d08694-739b-aea5-966c26f8ad91", false),
        (ValueKind::Date, "2028-02-29", true),
        (ValueKind::Date, "2027-02-29", false),
        (ValueKind::Date, "2027-13-01", false),
        (ValueKind::Date, "2027-1-01", false),
        (ValueKind::Date, "2027-01-01T00:00", false),
        (words(), "open", true),
        (words(), "it's+paid", true),
        (words(), "Open", false),
        (words(), "open%00", false),
    ];
    for (kind, value, believed) in cases {
        let expected: &[u64] = if believed { &OTHERS } else { &ALL };
        let target = format!("/?id={value}");
        assert_eq!(ids(&ask(kind.clone(), get(&target))), expected, "{kind:?} {value}");
        assert_eq!(ids(&ask(kind, post(&format!("id={value}")))), expected, "in a form: {value}");
    }
}

#[test]
fn nothing_is_of_no_kind() {
    assert!(
        ![ValueKind::Integer, ValueKind::Uuid, ValueKind::Date, words()].iter().any(|kind| kind.admits(b""))
    );
}

#[test]
fn every_value_of_a_name_is_looked_at_for_itself() {
    assert_eq!(ids(&ask(ValueKind::Integer, get("/?id=1&id=2"))), OTHERS);
    assert_eq!(ids(&ask(ValueKind::Integer, get("/?id=1&id=a"))), ALL);
    assert_eq!(ids(&ask(ValueKind::Integer, get("/?id=1&other=2"))), ALL);
    let both = Request { target: "/?id=1", ..post("id=a") };
    assert_eq!(ids(&ask(ValueKind::Integer, both)), ALL);
}

#[test]
fn a_parameter_that_is_not_declared_is_looked_at_whatever_has_the_same_value() {
    let rule = r#"SecRule ARGS "@rx open" "id:1,phase:2,pass,tag:attack-any,setvar:tx.found=+1""#;
    let others: Vec<_> = (0..99).map(|number| format!("a{number}=x{number}")).collect();
    let mut transaction = begin(rule);
    transaction.declare(of_id(words()));
    get(&format!("/?{}&other=open&id=open", others.join("&"))).send(&mut transaction);
    assert_eq!(tx(&transaction, "found").as_deref(), Some("1"));
}

proptest! {
    /// Whatever is not of the kind is looked at by every rule, as if nothing had been declared.
    #[test]
    fn nothing_else_is_left_out(value in "[0-9a-f'\" -]{1,40}|[0-9]{4}-[0-9]{2}-[0-9]{2}.?|.{1,12}") {
        let encoded = value.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"));
        for kind in [ValueKind::Integer, ValueKind::Uuid, ValueKind::Date, words()] {
            let expected: &[u64] = if kind.admits(value.as_bytes()) { &OTHERS } else { &ALL };
            let found = ask(kind.clone(), get(&format!("/?id={encoded}")));
            let found: Vec<u64> = ids(&found).into_iter().filter(|id| *id != 2 || !value.starts_with('x')).collect();
            let expected: Vec<u64> =
                expected.iter().copied().filter(|id| *id != 2 || !value.starts_with('x')).collect();
            prop_assert_eq!(found, expected, "{:?} {:?}", kind, value);
        }
    }

    /// What is admitted is harmless by its characters alone.
    #[test]
    fn what_is_admitted_has_no_other_characters(value in prop::collection::vec(any::<u8>(), 0..40)) {
        for kind in [ValueKind::Integer, ValueKind::Uuid, ValueKind::Date] {
            if kind.admits(&value) {
                prop_assert!(value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-'));
            }
        }
    }
}
