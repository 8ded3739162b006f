//! Rules, or what they look at, taken away: by directives, by `ctl`, and from outside.

use std::sync::Arc;

use super::{ask, begin, compile, get, ids, matched, tx};
use crate::{
    Connection, Exclusion, Transaction,
    ast::{EngineMode, RuleSelector, Selector, Severity, Target, TargetUse, Variable},
};

const RULES: &str = "SecRule ARGS \"@rx .\" \"id:10,phase:2,pass,tag:'t/a',tag:'t/b',msg:'Hello you'\"\n\
                     SecRule ARGS \"@rx .\" \"id:20,phase:2,pass,tag:'t'\"\n";
const TARGET: &str = "/?a=1&b=2&A=3";

#[test]
fn directives_change_rules_wherever_they_stand() {
    // The directive, and what the rules 10 and 20 match then.
    let all: &[&str] = &["ARGS:a=1", "ARGS:b=2", "ARGS:A=3"];
    let without_a: &[&str] = &["ARGS:b=2"];
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("", all, all),
        ("SecRuleRemoveById 10", &[], all),
        ("SecRuleRemoveById 1-15 20", &[], &[]),
        ("SecRuleRemoveByTag t/b", &[], all),
        ("SecRuleRemoveByTag t", all, &[]),
        ("SecRuleRemoveByMsg \"Hello you\"", &[], all),
        ("SecRuleRemoveByMsg Hello", all, all),
        ("SecRuleUpdateTargetById 10 \"!ARGS:a\"", without_a, all),
        ("SecRuleUpdateTargetById 1-30 \"!ARGS:/^a/\"", without_a, without_a),
        ("SecRuleUpdateTargetByTag t/a \"!ARGS:A\"", without_a, all),
        ("SecRuleUpdateTargetByMsg \"Hello you\" \"!ARGS:a\"", without_a, all),
        ("SecRuleUpdateTargetById 10 \"!ARGS,REQUEST_METHOD\"", &["REQUEST_METHOD=GET"], all),
    ];
    for (directive, ten, twenty) in cases {
        for rules in [format!("{RULES}{directive}"), format!("{directive}\n{RULES}")] {
            let asked = ask(&rules, get(TARGET));
            assert_eq!(
                (matched(&asked, 10), matched(&asked, 20)),
                (owned(ten), owned(twenty)),
                "{directive}"
            );
        }
    }
    let changed = format!("{RULES}SecRuleUpdateActionById 10 \"deny,status:401\"");
    assert_eq!(ask(&changed, get(TARGET)).interruption().unwrap().status, 401);
}

/// Who selects rules by what they say of themselves means what they say now.
#[test]
fn a_changed_rule_is_known_by_what_it_says_now() {
    let changed =
        format!("{RULES}SecRuleUpdateActionById 10 \"severity:WARNING,tag:'shop-noise',msg:'Noise'\"\n");
    let rules = compile(&changed);
    let info = rules.rule(10).unwrap();
    assert_eq!((info.severity, info.message.as_str()), (Some(Severity::Warning), "Noise"));
    assert_eq!(info.tags, ["t/a", "t/b", "shop-noise"]);
    let asked = ask(&changed, get(TARGET));
    assert_eq!(asked.matches()[0].severity, Some(Severity::Warning));
    assert_eq!(asked.variable("HIGHEST_SEVERITY").unwrap(), b"4");
    for control in ["ruleRemoveByTag=shop-noise", "ruleRemoveByMsg=Noise"] {
        let rules = format!("SecAction \"id:1,phase:1,pass,nolog,ctl:'{control}'\"\n{changed}");
        assert_eq!(ids(&ask(&rules, get(TARGET))), [20], "{control}");
    }
    let exclusion = Exclusion::new(&rules, &RuleSelector::Tag("shop-noise".into()), None).unwrap();
    let mut transaction = Transaction::new(rules, Connection::default(), "test");
    transaction.exclude(Arc::new(exclusion));
    get(TARGET).send(&mut transaction);
    assert_eq!(ids(&transaction), [20]);
}

#[test]
fn rules_change_later_rules() {
    let all: &[&str] = &["ARGS:a=1", "ARGS:b=2", "ARGS:A=3"];
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("ruleRemoveById=10", &[], all),
        ("ruleRemoveById=11-20", all, &[]),
        ("ruleRemoveByTag=t/a", &[], all),
        ("ruleRemoveByTag=t/", all, all),
        ("ruleRemoveByMsg=Hello you", &[], all),
        ("ruleRemoveTargetById=10;ARGS:a", &["ARGS:b=2"], all),
        ("ruleRemoveTargetById=10;args:a", &["ARGS:b=2"], all),
        ("ruleRemoveTargetById=10;ARGS", &[], all),
        ("ruleRemoveTargetById=10;ARGS_NAMES", all, all),
        ("ruleRemoveTargetByTag=t;ARGS:/b/", all, &["ARGS:a=1", "ARGS:A=3"]),
        ("ruleRemoveTargetByMsg=Hello you;ARGS:b", &["ARGS:a=1", "ARGS:A=3"], all),
    ];
    for (control, ten, twenty) in cases {
        let rules = format!("SecRule ARGS:a \"@eq 1\" \"id:1,phase:1,pass,nolog,ctl:'{control}'\"\n{RULES}");
        let asked = ask(&rules, get(TARGET));
        assert_eq!((matched(&asked, 10), matched(&asked, 20)), (owned(ten), owned(twenty)), "{control}");
        let other = ask(&rules, get("/?b=2"));
        assert_eq!(ids(&other), [10, 20], "{control} in another exchange");
    }
}

#[test]
fn only_the_first_link_looks_away_and_counts_stay() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10;ARGS:a,ctl:ruleRemoveTargetById=20;ARGS:a\"\n\
                 SecRule ARGS \"@rx .\" \"id:10,phase:1,pass,chain\"\nSecRule ARGS \"@rx .\" \"t:none\"\n\
                 SecRule &ARGS:a \"@gt 0\" \"id:20,phase:1,pass\"";
    let asked = ask(rules, get("/?a=1&b=2"));
    assert_eq!(matched(&asked, 10), ["ARGS:b=2", "ARGS:a=1", "ARGS:b=2"]);
    assert_eq!(matched(&asked, 20), ["&ARGS=1"]);
}

/// What an account names may be what the last link has found.
#[test]
fn the_outside_is_about_all_links() {
    let rules = compile(
        "SecRule REQUEST_METHOD \"@streq GET\" \"id:10,phase:1,pass,chain\"\n\
         SecRule REQUEST_HEADERS:Content-Length \"!@rx ^0?$\" \"t:none\"",
    );
    let length = Target {
        variable: Variable::RequestHeaders,
        selector: Some(Selector::Name("content-length".to_owned())),
        used_as: TargetUse::Exclusion,
    };
    let exclusion = Exclusion::new(&rules, &RuleSelector::Ids(vec![10..=10]), Some(&length)).unwrap();
    let exclusion = Arc::new(exclusion);
    for (excluded, expected) in [(false, vec![10]), (true, vec![])] {
        let mut asked = Transaction::new(rules.clone(), Connection::default(), "test");
        if excluded {
            asked.exclude(Arc::clone(&exclusion));
        }
        asked.request_line(b"GET", b"/", b"HTTP/1.1");
        asked.request_header(b"Content-Length", b"5");
        asked.request_headers_done();
        assert_eq!(ids(&asked), expected, "excluded: {excluded}");
    }
}

#[test]
fn the_outside_takes_rules_and_targets_away() {
    let rules = compile(RULES);
    let argument_a = Target {
        variable: Variable::Args,
        selector: Some(Selector::Name("a".to_owned())),
        used_as: TargetUse::Exclusion,
    };
    let whole = Exclusion::new(&rules, &RuleSelector::Tag("t/b".to_owned()), None).unwrap();
    let part = Exclusion::new(&rules, &RuleSelector::Ids(vec![15..=25]), Some(&argument_a)).unwrap();
    let exclusions = [Arc::new(whole), Arc::new(part)];
    let begin = || Transaction::new(rules.clone(), Connection::default(), "test");
    let mut asked = begin();
    for exclusion in &exclusions {
        asked.exclude(exclusion.clone());
    }
    get(TARGET).send(&mut asked);
    assert_eq!((matched(&asked, 10), matched(&asked, 20)), (vec![], owned(&["ARGS:b=2"])));
    let mut untouched = begin();
    get(TARGET).send(&mut untouched);
    assert_eq!(ids(&untouched), [10, 20]);
}

#[test]
fn the_outside_sets_variables_and_the_mode() {
    let rules =
        "SecRule TX:Level \"@ge 2\" \"id:1,phase:1,deny\"\nSecRule &TX:other \"@eq 1\" \"id:2,phase:1,pass\"";
    for (level, expected) in [(None, &[][..]), (Some("1"), &[]), (Some("2"), &[1])] {
        let mut asked = begin(rules);
        if let Some(level) = level {
            asked.set_tx("level", level);
        }
        get("/").send(&mut asked);
        assert_eq!(ids(&asked), expected, "{level:?}");
        assert_eq!(tx(&asked, "LEVEL").as_deref(), level);
    }
    for (mode, expected, refused) in [
        (EngineMode::On, &[1][..], true),
        (EngineMode::DetectionOnly, &[1, 2], false),
        (EngineMode::Off, &[], false),
    ] {
        let mut asked = begin(rules);
        asked.set_tx("Level", "9");
        asked.set_tx("other", "");
        asked.set_mode(mode);
        get("/").send(&mut asked);
        assert_eq!((ids(&asked).as_slice(), asked.interruption().is_some()), (expected, refused), "{mode}");
    }
}

fn owned(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
