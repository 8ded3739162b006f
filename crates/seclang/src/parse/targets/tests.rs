//! Targets in all spellings, and those that are refused.

use proptest::prelude::*;

use super::*;

fn target(used_as: TargetUse, variable: Variable, selector: impl Into<Option<Selector>>) -> Target {
    Target { variable, selector: selector.into(), used_as }
}

fn name(name: &str) -> Selector {
    Selector::Name(name.into())
}

fn pattern(pattern: &str) -> Selector {
    Selector::Pattern(pattern.into())
}

#[test]
fn every_spelling_of_a_target_is_read() {
    use TargetUse::{Count, Exclusion, Values};
    let cases = [
        ("ARGS", vec![target(Values, Variable::Args, None)]),
        (
            "args|!Args:id | &REQUEST_HEADERS:X-A_b.c",
            vec![
                target(Values, Variable::Args, None),
                target(Exclusion, Variable::Args, name("id")),
                target(Count, Variable::RequestHeaders, name("X-A_b.c")),
            ],
        ),
        ("ARGS:/^a\\/b$/", vec![target(Values, Variable::Args, pattern("^a\\/b$"))]),
        (
            "TX:/^(a|b)$/|TX:'/x|y z/'|TX:'c d'|TX:'/e'",
            vec![
                target(Values, Variable::Tx, pattern("^(a|b)$")),
                target(Values, Variable::Tx, pattern("x|y z")),
                target(Values, Variable::Tx, name("c d")),
                target(Values, Variable::Tx, name("/e")),
            ],
        ),
        (
            "XML:/*|XML:'//@*'",
            vec![
                target(Values, Variable::Xml, Selector::Path("/*".into())),
                target(Values, Variable::Xml, Selector::Path("//@*".into())),
            ],
        ),
        (
            "ARGS,REQUEST_URI",
            vec![target(Values, Variable::Args, None), target(Values, Variable::RequestUri, None)],
        ),
        ("ARGS.id", vec![target(Values, Variable::Args, name("id"))]),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn a_target_that_means_nothing_is_refused() {
    let cases = [
        ("", "`|` needs a variable on both sides"),
        ("ARGS|", "`|` needs a variable on both sides"),
        ("ARG", "unknown variable `ARG`, did you mean `ARGS`?"),
        ("-", "unknown variable `-`"),
        ("REQUEST_URI:a", "unexpected `:a` after a variable with a single value"),
        ("ARGS:", "`ARGS:` needs a name or a `/pattern/`"),
        ("ARGS:%{tx.a}", "`%{tx.a}` is not a value of `ARGS`: expected a name without macros"),
        ("ARGS:/a", "a pattern is not closed: `/a`"),
        ("ARGS:'a", "a quotation is not closed: `'a`"),
        ("ARGS ARGS", "unexpected `ARGS` after a target"),
        (
            "PERF_ALL",
            "variable `PERF_ALL` is not supported: ModSecurity 3 has it no more; take it out of the rule",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_out_is_read_again(
        text in "[!&]?(ARGS|TX|REQUEST_HEADERS)(:([a-z]{1,8}|'/?[a-z |,]{1,8}'|/[a-z(|)]{0,8}/|'/[a-z |]{0,8}/'))?",
    ) {
        let targets = parse(&text).unwrap();
        let written: Vec<String> = targets.iter().map(ToString::to_string).collect();
        prop_assert_eq!(parse(&written.join("|")).unwrap(), targets);
    }
}
