//! Any text whatever: no panic, a place for each problem, linear time.

use std::time::Duration;

use proptest::prelude::*;

use super::parse;
use crate::cpu_time::cpu_time;

/// Texts of about this length that repeat one piece, each after the beginning that makes it meaningful.
fn hostile(length: usize) -> Vec<String> {
    let shapes = [
        ("SecRule ARGS \"@rx ", "%{", "\" id:1"),
        ("SecRule ARGS \"@rx ", r"\%{", "\" id:1"),
        ("SecRule ARGS \"@rx ", "%{tx.a}", "\" id:1"),
        ("SecRule ARGS \"", "\\", "\" id:1"),
        ("SecRule ", "ARGS | ", "ARGS a id:1"),
        ("SecRule ARGS", " ", "a id:1"),
        ("SecRule ARGS:/", "a/", " a id:1"),
        ("SecRule ARGS:'", "'a", "' a id:1"),
        ("SecAction \"id:1", ",msg:'a'", "\""),
        ("SecAction \"id:1,msg:'", "'a", "\""),
        ("SecAction \"id:1,", "a", "\""),
        ("SecAction id:1", ",chain", "\nSecRule ARGS a"),
        ("SecRule ARGS a id:1,chain\n", "SecRule ARGS a chain\n", "SecRule ARGS a"),
        ("# ", "a\\\n", ""),
        ("", "SecMarker \\\n", ""),
        ("", "\n", ""),
        ("SecRuleRemoveById ", "1 ", ""),
        ("SecRuleRemoveById \"", "1-2,", "\""),
        ("SecResponseBodyMimeType ", "a ", ""),
        ("Sec", "Rule", ""),
    ];
    let text = |(lead, piece, tail): (&str, &str, &str)| {
        format!("{lead}{}{tail}", piece.repeat(length / piece.len()))
    };
    shapes.into_iter().map(text).collect()
}

#[test]
fn sixteen_times_the_text_takes_no_more_than_a_linear_share_of_time() {
    let time = |text: &str| cpu_time(|| drop(parse(text, "r.conf")));
    for (short, long) in hostile(1 << 14).iter().zip(hostile(1 << 18)) {
        // Linear is 16 times as long, quadratic is 256 times.
        let bound = time(short) * 64 + Duration::from_millis(20);
        let taken = time(&long);
        assert!(taken < bound, "{taken:?}, not below {bound:?}: {}", &short[..40]);
    }
}

/// Words of the language and what comes between them, in any order.
fn fragments() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "SecRule",
        "SecAction",
        "SecMarker",
        "SecRuleRemoveById",
        "ARGS",
        "TX:/a/",
        "'",
        "\"",
        "\\",
        "\\\n",
        "\n",
        " ",
        ",",
        "|",
        ":",
        "!",
        "&",
        "@rx",
        "@eq",
        "%{",
        "}",
        "tx.a",
        "id:1",
        "chain",
        "setvar:",
        "ctl:",
        "ruleRemoveTargetById=1;ARGS",
        "t:none",
        "#",
        "/",
        "é",
        "=",
        "+",
        "-",
        ";",
    ]);
    prop::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![any::<String>(), fragments()]) {
        if let Err(error) = parse(&text, "r.conf") {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(usize::try_from(error.place.line).unwrap() <= text.split('\n').count());
        }
    }
}
