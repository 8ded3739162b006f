//! Exchanges that go on where a rule would end them.

use super::{Request, begin, get, ids, post, tx};
use crate::{Disruption, Transaction};

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
