//! An exchange works where another one did: it finds nothing of that.

use std::sync::Arc;

use super::{Request, compile, get, ids, post};
use crate::{Connection, RuleSet, Transaction};

fn matched(rules: &Arc<RuleSet>, request: Request<'_>) -> Vec<u64> {
    let mut transaction = Transaction::new(Arc::clone(rules), Connection::default(), "");
    request.send(&mut transaction);
    transaction.finish();
    ids(&transaction)
}

#[test]
fn an_exchange_finds_nothing_of_the_one_before() {
    let rules = r#"
        SecRuleEngine On
        SecRequestBodyAccess On
        SecRule ARGS "@contains evil" "id:1,phase:2,pass,log,t:none,t:urlDecodeUni"
        SecRule ARGS_NAMES "@rx ^b+$" "id:2,phase:2,pass,log,t:none,t:lowercase"
        SecRule REQUEST_BODY "!@rx ^$" "id:3,phase:2,pass,log"
        SecRule ARGS|REQUEST_HEADERS "@rx x[yz]" \
            "id:4,phase:2,pass,log,multiMatch,t:none,t:htmlEntityDecode,t:lowercase"
        SecRule &ARGS "@gt 1" "id:5,phase:2,pass,log"
    "#;
    let used = compile(rules);
    let many = "a=XY%2576il&".repeat(100);
    let requests = [
        get("/?a=evil"),
        get("/"),
        get("/?BB=1&c=2"),
        post("a=e%2576il&b=&#88;z"),
        get("/?a=harmless"),
        post(&many),
        post(""),
        get("/?a=%65vil"),
    ];
    // In every order of two, and one after the other.
    for first in requests {
        for second in requests {
            let _ = matched(&used, first);
            assert_eq!(matched(&used, second), matched(&compile(rules), second), "{first:?} {second:?}");
        }
    }
}
