//! Which rules run, and what comes of it: skipping, allowing, refusing.

use super::{action, ask, ask_all, get, ids};
use crate::{Disruption, Transaction};

/// Everything that happens to a `GET /?a=1` with a page of HTML as its answer.
fn all(rules: &[String]) -> Transaction {
    let rules = format!("SecResponseBodyAccess On\n{}", rules.concat());
    ask_all(&rules, get("/?a=1"), "text/html", "x")
}

fn marker(name: &str) -> String {
    format!("SecMarker {name}\n")
}

/// A rule of two links; the second one holds if `second` does.
fn chain(id: u64, actions: &str, second: &str) -> String {
    format!(
        "SecRule ARGS:a \"@eq 1\" \"id:{id},phase:1,log,{actions},chain\"\nSecRule ARGS:a \"{second}\" \"t:none\"\n"
    )
}

#[test]
fn rules_are_skipped() {
    let one = |id| action(id, 1, "pass");
    let two = |id| action(id, 2, "pass");
    let cases: &[(&str, Vec<String>, &[u64])] = &[
        ("the next two", vec![action(1, 1, "pass,skip:2"), one(2), one(3), one(4)], &[1, 4]),
        ("of this phase only", vec![action(1, 1, "pass,skip:1"), two(5), one(2), one(3)], &[1, 3, 5]),
        ("not beyond it", vec![action(1, 1, "pass,skip:9"), one(2), two(5)], &[1, 5]),
        ("a chain is one", vec![action(1, 1, "pass,skip:1"), chain(2, "pass", "@eq 1"), one(3)], &[1, 3]),
        ("a marker is none", vec![action(1, 1, "pass,skip:2"), one(2), marker("M"), one(3), one(4)], &[1, 4]),
        (
            "to a marker",
            vec![action(1, 1, "pass,skipAfter:M"), one(2), two(5), marker("M"), one(3)],
            &[1, 3, 5],
        ),
        ("to a marker behind", vec![marker("M"), action(1, 1, "pass,skipAfter:M"), one(2), two(5)], &[1, 5]),
        (
            "to a marker behind, with rules of the next phase before it",
            vec![two(5), marker("M"), action(1, 1, "pass,skipAfter:M"), one(2), two(6)],
            &[1, 5, 6],
        ),
        ("not by half a chain", vec![chain(1, "pass,skipAfter:M", "@eq 2"), one(2), marker("M")], &[2]),
        ("by a whole chain", vec![chain(1, "pass,skipAfter:M", "@eq 1"), one(2), marker("M")], &[1]),
    ];
    for (case, rules, expected) in cases {
        assert_eq!(ids(&all(rules)), *expected, "{case}");
    }
}

#[test]
fn rules_decide() {
    // The deciding rule is 2, and each phase has a rule behind it.
    let rules = |phase: u8, actions: &str| {
        let others = (1..=5).map(|phase| action(u64::from(phase) * 10, phase, "pass"));
        [action(2, phase, actions)].into_iter().chain(others).collect::<Vec<_>>()
    };
    let cases: &[(&str, u8, &[u64])] = &[
        ("pass", 1, &[2, 10, 20, 30, 40, 50]),
        ("allow", 1, &[2, 50]),
        ("allow", 3, &[10, 20, 2, 50]),
        ("allow:phase", 1, &[2, 20, 30, 40, 50]),
        ("allow:phase", 4, &[10, 20, 30, 2, 50]),
        ("allow:request", 1, &[2, 30, 40, 50]),
        ("allow:request", 2, &[10, 2, 30, 40, 50]),
        ("allow:request", 3, &[10, 20, 2, 40, 50]),
        ("allow", 5, &[10, 20, 30, 40, 2, 50]),
        ("deny", 1, &[2, 50]),
        ("deny", 2, &[10, 2, 50]),
        ("deny", 3, &[10, 20, 2, 50]),
        ("drop", 4, &[10, 20, 30, 2, 50]),
        ("deny", 5, &[10, 20, 30, 40, 2, 50]),
        ("block", 1, &[2, 10, 20, 30, 40, 50]),
        ("ctl:ruleEngine=Off", 1, &[2]),
        ("ctl:ruleEngine=DetectionOnly,deny", 1, &[2, 10, 20, 30, 40, 50]),
    ];
    for (actions, phase, expected) in cases {
        let asked = all(&rules(*phase, actions));
        assert_eq!(ids(&asked), *expected, "{actions} in phase {phase}");
        let refuses = *phase < 5 && matches!(*actions, "deny" | "drop");
        assert_eq!(asked.interruption().is_some(), refuses, "{actions} in phase {phase}");
    }
}

#[test]
fn a_refusal_says_how() {
    let cases: &[(&str, u16, Disruption)] = &[
        ("deny", 403, Disruption::Deny),
        ("deny,status:406", 406, Disruption::Deny),
        ("drop", 403, Disruption::Drop),
        ("redirect:'https://e.x/%{ARGS.a}'", 302, Disruption::Redirect("https://e.x/1".to_owned())),
        ("redirect:https://e.x/,status:307", 307, Disruption::Redirect("https://e.x/".to_owned())),
    ];
    for (actions, status, expected) in cases {
        let asked = all(&[action(1, 1, actions), action(2, 1, "deny,status:401")]);
        let interruption = asked.interruption().unwrap();
        assert_eq!((interruption.rule, interruption.status), (Some(1), *status), "{actions}");
        assert_eq!(interruption.action, *expected);
    }
}

#[test]
fn default_actions_stand_behind_rules() {
    // What the default action says, what the rule says, and the status of the refusal.
    let cases: &[(&str, &str, Option<u16>)] = &[
        ("deny,status:404", "block", Some(404)),
        ("deny,status:404", "block,status:405", Some(405)),
        ("deny,status:404", "deny", Some(404)),
        ("deny,status:404", "pass", None),
        ("deny,status:404", "nolog", None),
        ("pass", "block", None),
        ("pass", "deny", Some(403)),
        ("redirect:https://e.x/", "block", Some(302)),
        ("drop", "block", Some(403)),
    ];
    for (default, own, expected) in cases {
        let rules = format!(
            "SecDefaultAction \"phase:1,log,{default}\"\nSecRule ARGS:a \"@eq 1\" \"id:1,phase:1,{own}\""
        );
        let asked = ask(&rules, get("/?a=1"));
        assert_eq!(asked.interruption().map(|found| found.status), *expected, "{default}, {own}");
    }
    let other_phase = "SecDefaultAction \"phase:2,log,deny\"\nSecAction \"id:1,phase:1,block\"";
    assert_eq!(ask(other_phase, get("/")).interruption(), None);
    let quiet = "SecDefaultAction \"phase:1,nolog,pass,t:lowercase\"\n\
                 SecRule ARGS:a \"@streq x\" \"id:1,phase:1,log\"\nSecRule ARGS:a \"@streq x\" \"id:2,phase:1\"\n\
                 SecRule ARGS:a \"@streq x\" \"id:3,phase:1,log,t:none\"";
    assert_eq!(ids(&ask(quiet, get("/?a=X"))), [1]);
}

#[test]
fn an_engine_that_only_detects_refuses_nothing() {
    let rules = [action(1, 1, "deny"), action(2, 1, "allow"), action(3, 2, "drop")].concat();
    for (mode, expected, refused) in
        [("On", &[1][..], true), ("DetectionOnly", &[1, 2, 3], false), ("Off", &[], false)]
    {
        let asked = ask(&format!("SecRuleEngine {mode}\n{rules}"), get("/"));
        assert_eq!((ids(&asked).as_slice(), asked.interruption().is_some()), (expected, refused), "{mode}");
    }
}
