//! The same request once more.

use std::sync::Arc;

use super::{begin, compile, get, ids, matched, post};
use crate::{
    Connection, Exclusion, MemoryCollections, Transaction,
    ast::{RuleSelector, Variable},
};

#[test]
fn the_head_is_there_again_and_nothing_of_what_rules_made_of_it() {
    let rules = "SecRequestBodyAccess On\n\
                 SecRule REQUEST_HEADERS:X-A \"@streq 1\" \"id:1,phase:1,deny,setvar:tx.seen=+1\"\n\
                 SecRule ARGS|REQUEST_COOKIES|REMOTE_ADDR|REQUEST_HEADERS:Host \"@rx .\" \"id:2,phase:1,pass\"\n\
                 SecRule ARGS_POST \"@rx .\" \"id:3,phase:2,pass\"";
    let mut first = begin(rules);
    let headers = [
        ("X-A", "1"),
        ("Cookie", "c=d"),
        ("Host", "shop.test"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    super::Request { headers: &headers, target: "/?a=%62", ..post("e=f") }.send(&mut first);
    assert_eq!(ids(&first), [1]);

    let without = |id| Exclusion::new(&compile(rules), &RuleSelector::Ids(vec![id..=id]), None).unwrap();
    let mut again = first.again();
    assert!(again.matches().is_empty() && again.variable("TX.seen").is_none());
    again.exclude(Arc::new(without(1)));
    again.request_headers_done();
    again.request_body(b"e=f");
    again.request_body_done();
    assert!(again.interruption().is_none());
    assert_eq!(
        matched(&again, 2),
        ["ARGS:a=b", "REQUEST_COOKIES:c=d", "REMOTE_ADDR=127.0.0.1", "REQUEST_HEADERS:Host=shop.test"]
    );
    assert_eq!(matched(&again, 3), ["ARGS_POST:e=f"]);
    assert!(first.interruption().is_some(), "the first is as it was");

    // What was said from outside is said again.
    let mut third = again.again();
    third.request_headers_done();
    assert_eq!(ids(&third), [2]);
    assert_eq!(third.variable(Variable::RequestLine.name()).unwrap(), b"POST /?a=%62 HTTP/1.1");
}

#[test]
fn what_it_writes_to_collections_is_forgotten() {
    let store = Arc::new(MemoryCollections::default());
    let rules = compile(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=a,setvar:ip.seen=+1\"\n\
         SecRule IP:seen \"@rx .\" \"id:2,phase:1,pass\"",
    );
    let mut first = Transaction::new(rules, Connection::default(), "test");
    first.set_collections(store);
    get("/").send(&mut first);
    for _ in 0..2 {
        let mut again = first.again();
        again.request_headers_done();
        assert_eq!(matched(&again, 2), ["IP:seen=2"]);
    }
}
