//! Many parameters with few values: each is asked about once, and counts as often as it is there.

use super::{ask, get, matched, post, tx};

const RULES: &str = r#"
SecRule ARGS "@rx attack(.)" "id:1,phase:2,pass,t:none,t:lowercase,capture,setvar:tx.found=+1"
SecRule ARGS|!ARGS:a90 "@contains attack" "id:2,phase:2,pass,t:none,t:lowercase,multiMatch,setvar:tx.steps=+1"
SecRule ARGS "@pm attack" "id:3,phase:2,pass,t:none,t:lowercase,capture,setvar:tx.phrases=+1,setvar:tx.first=%{tx.0}"
SecRule ARGS "!@rx attack" "id:4,phase:2,pass,t:none,t:lowercase,setvar:tx.others=+1"
SecRule ARGS "@rx peace" "id:5,phase:2,pass,chain"
SecRule MATCHED_VARS "@rx ^p" "t:none,setvar:tx.chained=+1"
"#;

/// `a0=ATTACK1`, `a1=attack2`, `a2=peace`, and again.
fn parameters(count: usize) -> String {
    let values = ["ATTACK1", "attack2", "peace"].iter().cycle().zip(0..count);
    values.map(|(value, number)| format!("a{number}={value}")).collect::<Vec<_>>().join("&")
}

#[test]
fn equal_values_count_each_for_itself() {
    for request in [get(&format!("/?{}", parameters(99))), post(&parameters(99))] {
        let asked = ask(RULES, request);
        let counted =
            ["found", "steps", "phrases", "others", "chained"].map(|name| tx(&asked, name).unwrap());
        assert_eq!(counted, ["66", "65", "66", "33", "33"]);
        assert_eq!([tx(&asked, "1"), tx(&asked, "first")], [Some("2".into()), Some("attack".into())]);
        assert_eq!(matched(&asked, 1).first().map(String::as_str), Some("ARGS:a0=attack1"));
    }
}
