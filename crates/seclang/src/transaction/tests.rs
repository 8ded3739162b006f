//! What a request hands over, as rules see it.

use std::sync::Arc;

use super::{Connection, Transaction};
use crate::{RuleFiles, RuleSet};

fn transaction(rules: &str) -> Transaction {
    let mut files = RuleFiles::default();
    files.add_text(rules, "rules.conf").unwrap();
    Transaction::new(Arc::new(RuleSet::compile(&files).unwrap()), Connection::default(), "request")
}

#[test]
fn a_path_is_a_path_in_every_form_of_the_target() {
    for target in ["/admin/a?b=/c", "http://shop.test/admin/a?b=/c", "http://shop.test:80/%61dmin/a"] {
        let mut transaction =
            transaction("SecRule REQUEST_FILENAME \"@beginsWith /admin/\" \"id:1,phase:1,deny\"");
        transaction.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        assert!(transaction.request_headers_done().is_some(), "{target}");
        assert_eq!(transaction.variable("REQUEST_BASENAME").as_deref(), Some(&b"a"[..]), "{target}");
    }
}

#[test]
fn no_cookie_hides_behind_many() {
    let mut transaction =
        transaction("SecArgumentsLimit 10\nSecRule REQUEST_COOKIES \"@streq attack\" \"id:1,phase:1,deny\"");
    let header = format!("{}z=attack", "a;".repeat(1000));
    transaction.request_line(b"GET", b"/", b"HTTP/1.1");
    transaction.request_header(b"Cookie", header.as_bytes());
    assert!(transaction.request_headers_done().is_some());
}

#[test]
fn no_parameter_goes_uncounted_behind_many() {
    let mut transaction = transaction(
        "SecArgumentsLimit 10000\n\
         SecRule ARGS_NAMES \"@rx .\" \"id:1,phase:1,pass,nolog,setvar:'TX.count_%{MATCHED_VAR}=+1'\"\n\
         SecRule TX:/^count_/ \"@gt 1\" \"id:2,phase:1,deny\"",
    );
    let mut names: Vec<String> = (0..9000_u16).map(|number| number.to_string()).collect();
    names.extend(["twice".into(), "twice".into()]);
    transaction.request_line(b"GET", format!("/?{}", names.join("&")).as_bytes(), b"HTTP/1.1");
    assert!(transaction.request_headers_done().is_some());
}
