//! Exchanges that go on where a rule would end them.

use std::sync::Arc;

use super::{Request, begin, compile, get, ids, post, tx};
use crate::{Connection, Disruption, Exclusion, Transaction, ast::RuleSelector};

const RULES: &str = r#"
SecRule ARGS:a "@streq 1" "id:1,phase:1,deny,status:404,setvar:tx.score=+1"
SecRule ARGS:a "@streq 1" "id:2,phase:2,redirect:http://a.test/,setvar:tx.score=+1"
SecRule ARGS:b "@streq 1" "id:3,phase:2,allow,nolog"
SecRule ARGS:a "@streq 1" "id:4,phase:2,drop,setvar:tx.score=+1"
SecRule ARGS:a "@streq 1" "id:5,phase:5,pass,setvar:tx.score=+1"
"#;

fn report(rules: &str, request: Request<'_>) -> Transaction {
    let mut transaction = begin(rules);
    transaction.only_report();
    request.send(&mut transaction);
    transaction.finish();
    transaction
}

fn objections(transaction: &Transaction) -> Vec<(Option<u64>, u16)> {
    transaction.objections().iter().map(|objection| (objection.rule, objection.status)).collect()
}

#[test]
fn everything_that_would_end_an_exchange_is_kept() {
    let reported = report(RULES, get("/?a=1"));
    assert!(reported.interruption().is_none());
    assert_eq!(objections(&reported), [(Some(1), 404), (Some(2), 302), (Some(4), 403)]);
    assert_eq!(reported.objections()[1].action, Disruption::Redirect("http://a.test/".into()));
    assert_eq!((ids(&reported), tx(&reported, "score")), (vec![1, 2, 4, 5], Some("4".into())));
    assert_eq!(objections(&report(RULES, get("/?a=2"))), []);
}

#[test]
fn what_would_be_let_pass_is_let_pass() {
    assert_eq!(objections(&report(RULES, get("/?a=1&b=1"))), [(Some(1), 404), (Some(2), 302)]);
}

#[test]
fn a_body_above_its_limit_is_one_objection() {
    let reported = report("SecRequestBodyLimit 4\n", post("a=1&b=2"));
    assert_eq!(objections(&reported), [(None, 413)]);
    let mut transaction = begin("SecRequestBodyLimit 4\n");
    transaction.only_report();
    post("").head(&mut transaction);
    assert!(transaction.request_body(b"a=1&b=2").is_none() && transaction.request_body(b"a=1").is_none());
    assert_eq!(objections(&transaction), [(None, 413)]);
}

#[test]
fn who_does_not_only_report_keeps_what_has_ended_the_exchange() {
    let mut transaction = begin(RULES);
    get("/?a=1").send(&mut transaction);
    assert_eq!(objections(&transaction), [(Some(1), 404)]);
    assert_eq!(transaction.interruption(), transaction.objections().first());
}

#[test]
fn rules_that_only_report_neither_count_nor_refuse() {
    let rules = compile(
        r#"SecRule ARGS:a "@streq x" "id:1,phase:1,pass,log,tag:'class',setvar:tx.inbound_anomaly_score_pl1=+5,setvar:tx.seen=1"
        SecRule ARGS:b "@streq x" "id:2,phase:1,pass,log,setvar:tx.inbound_anomaly_score_pl1=+2"
        SecRule ARGS:c "@streq x" "id:3,phase:1,deny,log,tag:'class'"
        SecRule TX:inbound_anomaly_score_pl1 "@ge 5" "id:4,phase:1,deny,log""#,
    );
    let class = Arc::new(Exclusion::new(&rules, &RuleSelector::Tag("class".into()), None).unwrap());
    let ask = |target: &str, only_reports: bool| {
        let mut transaction = Transaction::new(Arc::clone(&rules), Connection::default(), "test");
        if only_reports {
            transaction.only_report_these(Arc::clone(&class));
        }
        get(target).send(&mut transaction);
        let refused = transaction.interruption().and_then(|refused| refused.rule);
        (refused, ids(&transaction), tx(&transaction, "inbound_anomaly_score_pl1"))
    };
    assert_eq!(ask("/?a=x", false), (Some(4), vec![1, 4], Some("5".into())));
    assert_eq!(ask("/?c=x", false), (Some(3), vec![3], None));
    assert_eq!(ask("/?a=x&b=x&c=x", true), (None, vec![1, 2, 3], Some("2".into())));
    // What is no score is set as ever.
    let mut transaction = Transaction::new(Arc::clone(&rules), Connection::default(), "test");
    transaction.only_report_these(class);
    get("/?a=x").send(&mut transaction);
    assert_eq!(tx(&transaction, "seen").as_deref(), Some("1"));
}

#[test]
fn rules_may_refuse_whatever_they_say_themselves() {
    let rules = compile(
        r#"SecRule ARGS:a "@streq x" "id:1,phase:1,pass,log,tag:'class',setvar:tx.inbound_anomaly_score_pl1=+2"
        SecRule ARGS:b "@streq x" "id:2,phase:1,pass,log,tag:'class'"
        SecRule ARGS:c "@streq x" "id:3,phase:1,pass,log,setvar:tx.inbound_anomaly_score_pl1=+2"
        SecRule ARGS:d "@streq x" "id:4,phase:1,deny,status:404,log,tag:'class'"
        SecRule ARGS:e "@streq x" "id:5,phase:1,allow,log,tag:'class',setvar:tx.inbound_anomaly_score_pl1=+2""#,
    );
    let class = || Arc::new(Exclusion::new(&rules, &RuleSelector::Tag("class".into()), None).unwrap());
    let ask = |target: &str, only_reports: bool| {
        let mut transaction = Transaction::new(Arc::clone(&rules), Connection::default(), "test");
        transaction.refuse_by_these(class(), Disruption::Deny);
        transaction.refuse_by_these(class(), Disruption::Drop);
        if only_reports {
            transaction.only_report_these(class());
        }
        get(target).send(&mut transaction);
        transaction.interruption().map(|refused| (refused.rule, refused.status, refused.action.clone()))
    };
    for (target, refused) in [
        ("/?a=x", Some((Some(1), 403, Disruption::Drop))),
        ("/?b=x", None),
        ("/?c=x", None),
        ("/?d=x", Some((Some(4), 404, Disruption::Drop))),
        ("/?e=x", None),
    ] {
        assert_eq!(ask(target, false), refused, "{target}");
        assert_eq!(ask(target, true), None, "{target}");
    }
}
