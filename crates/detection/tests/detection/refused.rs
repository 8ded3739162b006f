//! What is not understood is refused with its place and the reason, never left out in silence.

use bartizan_detection::{DetectionError, RuleFile, RuleSet};

use super::compile;

/// A rule that is understood; cases change it.
const RULE: &str = "title: A rule\nid: a\nlogsource: { product: bartizan }\n\
                    detection: { a: { bartizan.event: session_moved }, condition: a }\n";
/// A correlation that is understood.
const CORRELATION: &str = "title: Many\nid: many\ncorrelation: { type: event_count, rules: [a], timespan: 1m, condition: { gte: 2 } }\n";

fn refusal(text: &str) -> String {
    match compile(text) {
        Err(error @ DetectionError::Refused(_)) => error.to_string(),
        Err(error) => format!("not refused, but: {error}"),
        Ok(_) => "not refused".into(),
    }
}

#[test]
fn what_is_understood_is_not_refused() {
    compile(RULE).unwrap();
    compile(&format!("{CORRELATION}---\n{RULE}")).unwrap();
    compile("# nothing\n---\n").unwrap();
}

#[test]
fn each_problem_has_a_place_and_a_reason() {
    let rule = |from: &str, to: &str| RULE.replace(from, to);
    let correlation = |from: &str, to: &str| format!("{}---\n{RULE}", CORRELATION.replace(from, to));
    let cases: [(String, &str); 28] = [
        (rule("title: A rule", "title: [A rule"), "own.yml:"),
        (rule("title: A rule\n", ""), "own.yml:1: "),
        (rule("condition: a", "condition: a and"), "own.yml:1: "),
        (rule("condition: a", "condition: a and b"), "own.yml:1: `A rule`: "),
        (rule("bartizan.event", "bartizan.event|sounds_like"), "sounds_like"),
        (
            rule("bartizan.event", "bartizan.evnet"),
            "own.yml:1: `A rule`: no event has a field `bartizan.evnet`",
        ),
        (
            rule("session_moved", "[session_moved, session_lost]"),
            "own.yml:1: `A rule`: no event is called `session_lost`",
        ),
        // OCSF has these; nothing writes them.
        (rule("session_moved", "key_used_first_from_address"), "no event is called"),
        (
            rule("session_moved", "session_moved, traffic.bytes_out: 1"),
            "no event has a field `traffic.bytes_out`",
        ),
        (rule("session_moved", "session_moved, EventID: 4625"), "no event has a field `EventID`"),
        (rule("id: a\n", ""), "needs an `id`"),
        (
            rule("product: bartizan", "product: windows"),
            "its log source is not one of this gateway (product: windows)",
        ),
        (rule("product: bartizan", "product: bartizan, service: mail"), "not one of this gateway"),
        (rule("logsource: { product: bartizan }\n", ""), "not one of this gateway"),
        (
            rule("condition: a", "condition: a, timeframe: 5m"),
            "`timeframe` within `detection` is not supported",
        ),
        (format!("\n\n{RULE}---\n# second\n{}", rule("bartizan.event", "evnet")), "own.yml:9: `A rule`: "),
        (format!("{RULE}---\n{RULE}"), "own.yml:6: `A rule`: `a` is the id or name of another rule"),
        (correlation("[a]", "[b]"), "`b` is no rule among these"),
        (correlation("[a]", "[many]"), "it is one of the rules that it correlates"),
        (correlation("event_count", "value_count"), "needs `condition.field`"),
        (correlation("event_count", "value_median"), "is not supported"),
        (correlation("gte: 2", "lt: 2"), "without `gt`, `gte` or `eq` is not supported"),
        (correlation("gte: 2", "gte: 5001"), "the number in `condition` is more than 5000"),
        (correlation("timespan: 1m", "timespan: 32d"), "`timespan` in seconds is more than"),
        (correlation("rules: [a]", "rules: [a], group-by: [user]"), "no event has a field `user`"),
        (
            correlation("rules: [a]", "rules: [a], group-by: [{ a: b }]"),
            "`rules` and `group-by` are lists of names",
        ),
        (format!("level: awful\n{RULE}"), "invalid level: 'awful'"),
        (
            format!(
                "title: Not\nid: f\nlogsource: {{ product: bartizan }}\nfilter: {{ rules: [a], a: {{ bartizan.event: x }}, condition: a }}\n---\n{RULE}"
            ),
            "own.yml:1: ",
        ),
    ];
    for (text, expected) in cases {
        let said = refusal(&text);
        assert!(said.contains(expected), "{text}\n-> {said}\nexpected: {expected}");
        assert!(said.starts_with("own.yml:"), "{said}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let wrong = |id: &str| RULE.replace("id: a", id).replace("bartizan.event", "evnet");
    let said = refusal(&format!("{}---\n{RULE}---\n{}", wrong("id: b"), wrong("id: c")));
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn files_and_sets_have_a_size() {
    let said = refusal(&format!("# {}\n{RULE}", "a".repeat(256 * 1024)));
    assert!(said.contains("own.yml:1: the file's size in bytes is more than 262144"), "{said}");
    let file = |number: usize| RuleFile {
        name: format!("{number}.yml"),
        text: RULE.replace("id: a", &format!("id: a{number}")),
    };
    let said = RuleSet::compile(&(0..2001).map(file).collect::<Vec<_>>()).err().unwrap().to_string();
    assert!(said.contains("2000.yml:1: `A rule`: the number of rules is more than 2000"), "{said}");
}
