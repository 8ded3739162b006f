//! Chains, and what links hand to each other: what matched, and what was captured.

use super::{ask, get, ids, matched, tx};

#[test]
fn a_chain_holds_if_all_links_do() {
    type Case = (&'static str, [Option<&'static str>; 3], &'static [u64]);
    let rule = "SecRule ARGS:a \"@eq 1\" \"id:1,phase:1,deny,setvar:tx.first=+1,chain\"\n\
                SecRule ARGS:b \"@eq 2\" \"setvar:tx.second=+1,chain\"\n\
                SecRule ARGS:c \"@eq 3\" \"setvar:tx.third=+1,ctl:ruleRemoveById=2\"\n\
                SecAction \"id:2,phase:2,log,pass\"";
    // A link does what it does for each value that matches, even if a later one does not hold.
    let cases: &[Case] = &[
        ("/", [None, None, None], &[2]),
        ("/?b=2&c=3", [None, None, None], &[2]),
        ("/?a=1&a=1&c=3", [Some("2"), None, None], &[2]),
        ("/?a=1&b=2", [Some("1"), Some("1"), None], &[2]),
        ("/?a=1&b=2&c=3", [Some("1"), Some("1"), Some("1")], &[1]),
    ];
    for (target, counts, expected) in cases {
        let asked = ask(rule, get(target));
        let found = ["first", "second", "third"].map(|name| tx(&asked, name));
        assert_eq!(found, counts.map(|count| count.map(str::to_owned)), "{target}");
        assert_eq!(ids(&asked), *expected, "{target}");
        assert_eq!(asked.interruption().is_some(), *expected == [1], "{target}");
    }
}

#[test]
fn links_see_what_matched_the_links_before() {
    let chain = |second: &str, third: &str| {
        format!(
            "SecRule ARGS:z \"@unconditionalMatch\" \"id:9,phase:1,pass\"\n\
             SecRule ARGS|!ARGS:z \"@rx A\" \"id:1,phase:1,pass,chain,t:none\"\n\
             SecRule {second} \"@rx b\" \"t:lowercase,chain\"\nSecRule {third} \"@unconditionalMatch\" \"t:none\""
        )
    };
    let cases: &[(&str, &str, &[&str])] = &[
        ("MATCHED_VAR", "MATCHED_VAR", &["MATCHED_VAR=aby"]),
        ("MATCHED_VARS", "MATCHED_VAR_NAME", &["MATCHED_VAR_NAME=MATCHED_VARS:ARGS:y"]),
        ("MATCHED_VARS", "&MATCHED_VARS", &["&MATCHED_VARS=4"]),
        (
            "ARGS:x",
            "MATCHED_VARS",
            &["MATCHED_VARS:ARGS:x=ABx", "MATCHED_VARS:ARGS:y=ABy", "MATCHED_VARS:ARGS:x=abx"],
        ),
        ("MATCHED_VARS:ARGS:x", "MATCHED_VAR", &["MATCHED_VAR=abx"]),
        ("MATCHED_VARS_NAMES|ARGS:x", "MATCHED_VAR", &["MATCHED_VAR=abx"]),
    ];
    for (second, third, expected) in cases {
        let asked = ask(&chain(second, third), get("/?x=ABx&y=ABy&z=A"));
        let all = matched(&asked, 1);
        let last = all.len() - expected.len();
        assert_eq!(all[last..], **expected, "{second}, {third}");
    }
    // A rule of its own sees the last value, and no collection of another rule.
    let apart = "SecRule ARGS:x \"@rx A\" \"id:1,phase:1,pass\"\n\
                 SecRule MATCHED_VAR|MATCHED_VARS \"@unconditionalMatch\" \"id:2,phase:1,pass\"";
    assert_eq!(matched(&ask(apart, get("/?x=A")), 2)[..1], ["MATCHED_VAR=A"]);
    assert!(!matched(&ask(apart, get("/?x=A")), 2).contains(&"MATCHED_VARS:ARGS:x=A".to_owned()));
}

#[test]
fn captures_are_kept_until_they_are_written_again() {
    type Case = (&'static str, [Option<&'static str>; 5]);
    let rules = "SecRule ARGS:u \"@rx ^(.)(.)(z)?(.)\" \"id:1,phase:1,pass,capture\"\n\
                 SecRule ARGS:v \"@rx ^(.)\" \"id:2,phase:1,pass,capture\"\n\
                 SecRule ARGS:w \"@rx (.*)\" \"id:3,phase:1,pass\"\n\
                 SecRule ARGS:w \"!@rx (q)\" \"id:4,phase:1,pass,capture\"\n\
                 SecRule ARGS:p \"@pm bc\" \"id:5,phase:1,pass,capture\"";
    let cases: &[Case] = &[
        ("/?u=ABC", [Some("ABC"), Some("A"), Some("B"), None, Some("C")]),
        ("/?u=ABC&v=XY", [Some("X"), Some("X"), Some("B"), None, Some("C")]),
        ("/?u=ABC&w=XY", [Some("ABC"), Some("A"), Some("B"), None, Some("C")]),
        ("/?v=1&v=2", [Some("2"), Some("2"), None, None, None]),
        ("/?p=abcd", [Some("bc"), None, None, None, None]),
        ("/", [None; 5]),
    ];
    for (target, expected) in cases {
        let asked = ask(rules, get(target));
        let found = ["0", "1", "2", "3", "4"].map(|number| tx(&asked, number));
        assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{target}");
    }
    let chained = "SecRule ARGS:u \"@rx ^(.)(.)\" \"id:1,phase:1,pass,capture,chain\"\n\
                   SecRule TX:1 \"@streq %{TX.2}\" \"t:none\"";
    assert_eq!(ids(&ask(chained, get("/?u=aa"))), [1]);
    assert_eq!(ids(&ask(chained, get("/?u=ab"))), [0_u64; 0]);
}

#[test]
fn multi_match_asks_after_each_change() {
    let rule =
        "SecRule ARGS:u \"@rx .\" \"id:1,phase:1,pass,multiMatch,t:none,t:urlDecode,t:lowercase,t:trim\"";
    assert_eq!(
        matched(&ask(rule, get("/?u=+A%2541")), 1),
        ["ARGS:u= A%41", "ARGS:u= AA", "ARGS:u= aa", "ARGS:u=aa"]
    );
    assert_eq!(matched(&ask(rule, get("/?u=a")), 1), ["ARGS:u=a"]);
    let before = "SecRule ARGS:u \"@rx ^A\" \"id:1,phase:1,pass,multiMatch,t:lowercase\"";
    assert_eq!(ids(&ask(before, get("/?u=A"))), [1]);
    assert_eq!(ids(&ask(&before.replace("multiMatch,", ""), get("/?u=A"))), [0_u64; 0]);
}
