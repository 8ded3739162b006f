//! Gates never stay shut for a value that matches.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{GateIndexBuilder, Required, literals, lowered};
use crate::{Pattern, transformation::profile};

/// Whether a value has what is required.
fn admits(required: &Required, value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let has = |literal: &Vec<u8>| memchr::memmem::find(&lower, literal).is_some();
    let (present, _) = profile(value);
    required.literals.as_ref().is_none_or(|literals| literals.iter().any(has))
        && required.sets.iter().all(|set| set.intersects(&present))
        && value.len() >= required.shortest
}

#[test]
fn what_a_pattern_needs_is_found_wherever_it_stands() {
    let cases: [(&str, Option<&[&str]>); 14] = [
        ("(?i)union.{1,9}select", Some(&["union"])),
        ("[0-9]+(?:foo|bar)baz", Some(&["barbaz", "foobaz"])),
        ("a(?:lpha|rray)b?", Some(&["alpha", "array"])),
        ("(?:x|y)?evil", Some(&["evil"])),
        ("(?:<script|onload=)", Some(&["<script", "onload="])),
        ("(?:abcdef|[0-9])", None),
        ("[a-z]+", None),
        ("^$", None),
        ("(?:wget|curl)[^ ]+x", Some(&["curl", "wget"])),
        ("(?:\\bjava\\.)+lang", Some(&["java."])),
        ("x{2,}", Some(&["xx"])),
        ("(?:ab){0,1}cd", Some(&["cd"])),
        ("\\$\\{[^}]*\\}", Some(&["${"])),
        ("[\"']\\s*or", Some(&["\"", "'"])),
    ];
    for (pattern, expected) in cases {
        let parsed = lowered::parse(Pattern::compile(pattern).unwrap().as_str()).unwrap();
        let found = literals::required(&parsed).map(BTreeSet::from_iter);
        let expected =
            expected.map(|all| all.iter().map(|one| one.as_bytes().to_vec()).collect::<BTreeSet<_>>());
        assert_eq!(found, expected, "{pattern}");
    }
}

/// Patterns made of what literals are taken from.
fn patterns() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-cA-C]{1,3}",
        Just("[ab]".to_owned()),
        Just("[^b]".to_owned()),
        Just(".".to_owned()),
        Just("\\b".to_owned()),
        Just("^".to_owned()),
        Just("\\s".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            (inner.clone(), "[*+?]|\\{1,2\\}|\\{0,2\\}|\\{2,\\}")
                .prop_map(|(part, times)| format!("(?:{part}){times}")),
            inner.prop_map(|part| format!("(?i:{part})")),
        ]
    })
}

proptest! {
    #[test]
    fn a_value_that_matches_is_admitted(pattern in patterns(), values in prop::collection::vec("[a-cA-C \n]{0,12}", 8)) {
        let Ok(compiled) = Pattern::compile(&pattern) else { return Ok(()) };
        let required = Required::of_pattern(compiled.as_str());
        for value in values {
            if compiled.find(value.as_bytes()).is_some() {
                prop_assert!(admits(&required, value.as_bytes()), "{value:?} {required:?}");
            }
        }
    }
}

/// Gates of one literal each that this value opens.
fn opened(literals: &[&str], value: &[u8]) -> Vec<bool> {
    let mut builder = GateIndexBuilder::default();
    let gate = |literal: &&str| builder.gate(vec![literal.as_bytes().to_vec()]).unwrap();
    let gates: Vec<_> = literals.iter().map(gate).collect();
    let index = builder.build();
    let mut hits = vec![0; index.words()];
    index.scan(value, &profile(value).0, &mut hits);
    gates.iter().map(|gate| hits[usize::from(gate >> 6)] >> (gate & 63) & 1 == 1).collect()
}

#[test]
fn every_literal_of_a_value_is_found() {
    let literals = ["a", "%", "<a", "(1", "(2", "abc", "abcd", "abcde", "abcdefgh", "xyzw", "xyzwv", "nope"];
    let value = b"A%<a (1(2 abcdefghi XYZWV";
    let expected: Vec<_> = literals.iter().map(|literal| *literal != "nope").collect();
    assert_eq!(opened(&literals, value), expected);
    for before in ["<a ", "(1 ", "abc ", "abcdx ", "xyzw "] {
        let long = [before.repeat(4096).as_bytes(), value].concat();
        assert_eq!(opened(&literals, &long), expected, "{before}");
    }
    assert_eq!(opened(&["abcdefgh", "abcd", "abc", "ab"], b"abcdefg"), [false, true, true, true]);
}
