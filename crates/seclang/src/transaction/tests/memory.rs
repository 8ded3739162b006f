//! How much memory an exchange holds.

use std::fmt::Write as _;

use super::{Request, begin, get, post};
use crate::Transaction;

/// Rules that repeat what other rules found.
fn repeating(times: usize) -> String {
    (1..=times).fold("SecArgumentsLimit 100000\n".into(), |mut rules, id| {
        let _ = write!(
            rules,
            "SecRule ARGS \"@rx a\" \"id:{id},phase:2,pass,nolog,t:none,chain\"\n\
             SecRule MATCHED_VARS|MATCHED_VARS_NAMES \"@rx b\" \"t:none,t:base64Encode\"\n"
        );
        rules
    })
}

fn read(rules: &str, request: Request<'_>) -> Transaction {
    let mut transaction = begin(rules);
    request.head(&mut transaction);
    transaction.request_body(request.body.as_bytes());
    transaction.read_request_body();
    transaction
}

#[test]
fn a_body_counts_with_what_is_read_of_it() {
    let empty = read("", get("/")).held_bytes();
    let mut transaction = begin("");
    post("").head(&mut transaction);
    let before = transaction.held_bytes();
    transaction.request_body("a".repeat(100_000).as_bytes());
    assert!(transaction.held_bytes() >= before + 100_000);
    let many = read("SecArgumentsLimit 100000", post(&"a=1&".repeat(10_000)));
    assert!(many.held_bytes() > empty + 10_000 * 100, "{}", many.held_bytes());
}

#[test]
fn reading_a_body_first_decides_the_same() {
    let rules = "SecRule ARGS:a \"@streq 1\" \"id:1,phase:2,deny\"\n";
    let mut transaction = read(rules, post("a=1"));
    assert!(transaction.interruption().is_none());
    assert_eq!(transaction.request_body_done().and_then(|refused| refused.rule), Some(1));
}

#[test]
fn what_one_rule_repeats_is_forgotten_before_the_next() {
    let body = "name=a+value+of+some+length+with+an+a&".repeat(1000);
    let held = |rules| {
        let mut transaction = read(&repeating(rules), post(&body));
        transaction.request_body_done();
        transaction.held_bytes()
    };
    let (few, many) = (held(40), held(80));
    assert!(many <= few + few / 4, "{few} bytes by 40 rules, {many} by 80");
}

#[test]
fn what_matched_counts() {
    let rules = (1..=100).fold(String::new(), |mut rules, id| {
        let _ = writeln!(
            rules,
            "SecRule ARGS \"@contains a\" \"id:{id},phase:2,pass,t:none,tag:one,tag:two,logdata:'%{{MATCHED_VAR}}'\""
        );
        rules
    });
    let name = "n".repeat(300);
    let mut transaction = read(&rules, post(&format!("{name}={}&", "a".repeat(2000)).repeat(20)));
    let before = transaction.held_bytes();
    transaction.request_body_done();
    let texts = transaction.matches().iter().map(|found| {
        let matched = found.matched.iter().map(|one| one.variable.len() + one.value.len());
        found.log_data.len() + found.tags.iter().map(String::len).sum::<usize>() + matched.sum::<usize>()
    });
    let texts = texts.sum::<usize>();
    assert!(texts > 800_000, "{texts}");
    assert!(transaction.held_bytes() >= before + texts, "{} after {before}", transaction.held_bytes());
}

/// Rules whose gates stay shut have the values transformed all the same.
#[test]
fn what_gates_were_asked_about_is_forgotten_too() {
    const STEPS: [&str; 6] = [
        "urlDecodeUni",
        "htmlEntityDecode",
        "jsDecode",
        "compressWhitespace",
        "removeComments",
        "removeWhitespace",
    ];
    let mut rules = String::new();
    for (number, first) in STEPS.iter().enumerate() {
        for (other, second) in STEPS.iter().enumerate() {
            let _ = writeln!(
                rules,
                "SecRule ARGS \"@contains wanted\" \"id:{},phase:2,pass,t:none,t:{first},t:{second}\"",
                1 + number * STEPS.len() + other
            );
        }
    }
    let mut transaction =
        read(&rules, post(&format!("a={}", "Some++%2541+%26lt;+%5Cx41+/*x*/+".repeat(25_000))));
    let expected = transaction.held_bytes() + transaction.needed_bytes();
    transaction.request_body_done();
    let held = transaction.held_bytes();
    // A vector may have twice the room that it needs.
    assert!(held <= 2 * expected, "{held} bytes, {expected} expected");
}

#[test]
fn rules_take_no_more_than_they_said() {
    const RULES: &str = r#"
SecArgumentsLimit 100000
SecRule ARGS|ARGS_NAMES "@rx (?:a+)+b|union" "id:1,phase:2,pass,t:none,t:urlDecodeUni,t:lowercase"
SecRule ARGS|REQUEST_BODY "@pm attack %27" "id:2,phase:2,pass,t:none,t:htmlEntityDecode,t:removeNulls,multiMatch"
SecRule ARGS "@detectSQLi" "id:3,phase:2,pass,t:none,t:utf8toUnicode,t:urlDecodeUni,t:removeComments"
SecRule ARGS "@contains x" "id:4,phase:2,pass,t:none,t:base64Decode,t:hexEncode,t:base64Encode"
"#;
    for piece in ["a=1&", "Name=Some+VALUE%27%41&lt;/*x*/&", "a=YXR0YWNr&", "\u{2019}"] {
        for times in [1000, 10_000] {
            let mut transaction = read(RULES, post(&piece.repeat(times)));
            let expected = transaction.held_bytes() + transaction.needed_bytes();
            transaction.request_body_done();
            let held = transaction.held_bytes();
            assert!(held <= expected, "`{piece}` {times} times: {held} bytes, {expected} expected");
        }
    }
}
