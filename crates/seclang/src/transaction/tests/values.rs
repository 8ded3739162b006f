//! Variables: which values there are, and what they are called.

use super::{Request, ask, ask_all, begin, get, ids, matched};
use crate::ast::Variable;

/// What a rule that looks at these targets sees.
fn seen(targets: &str, request: Request<'_>) -> Vec<String> {
    matched(&ask(&format!("SecRule {targets} \"@unconditionalMatch\" \"id:1,phase:2,pass\""), request), 1)
}

#[test]
fn what_has_one_value_is_there_before_it_is_known() {
    for variable in Variable::ALL.iter().filter(|variable| variable.at_first().is_some()) {
        for phase in 1..=5 {
            let count = format!("SecRule &{variable} \"@eq 1\" \"id:1,phase:{phase},pass\"");
            assert_eq!(ids(&ask_all(&count, get("/"), "", "")), [1], "{variable} in phase {phase}");
        }
    }
}

#[test]
fn an_empty_value_is_not_what_a_rule_demands() {
    let rule = r#"SecRule QUERY_STRING "!@rx ^id=[0-9]+$" "id:1,phase:1,deny""#;
    for (target, denied) in [("/?id=1", false), ("/?id=x", true), ("/", true), ("/?", true)] {
        assert_eq!(ask(rule, get(target)).interruption().is_some(), denied, "{target}");
    }
}

#[test]
fn a_target_has_parts() {
    type Case = (&'static str, [&'static str; 5]);
    // REQUEST_URI_RAW, REQUEST_URI, REQUEST_FILENAME, REQUEST_BASENAME, QUERY_STRING
    let cases: &[Case] = &[
        ("/", ["/", "/", "/", "", ""]),
        ("/a/b.php?x=1", ["/a/b.php?x=1", "/a/b.php?x=1", "/a/b.php", "b.php", "x=1"]),
        ("/a%2fb/c%2Ed?x=%41", ["/a%2fb/c%2Ed?x=%41", "/a/b/c.d?x=A", "/a/b/c.d", "c.d", "x=%41"]),
        ("//x//y", ["//x//y", "//x//y", "//x//y", "y", ""]),
        ("/a?", ["/a?", "/a?", "/a", "a", ""]),
        ("/a?b?c", ["/a?b?c", "/a?b?c", "/a", "a", "b?c"]),
        ("/a%3fb=1", ["/a%3fb=1", "/a?b=1", "/a?b=1", "a?b=1", ""]),
        ("/a\\b\\c.asp", ["/a\\b\\c.asp", "/a\\b\\c.asp", "/a\\b\\c.asp", "c.asp", ""]),
        ("/%zz%4", ["/%zz%4", "/%zz%4", "/%zz%4", "%zz%4", ""]),
        ("/a#f?x=1", ["/a#f?x=1", "/a#f?x=1", "/a#f", "a#f", "x=1"]),
        ("http://h/p?q", ["http://h/p?q", "/p?q", "/p", "p", "q"]),
        ("*", ["*", "*", "*", "*", ""]),
        ("h:443", ["h:443", "h:443", "h:443", "h:443", ""]),
        ("", ["", "", "", "", ""]),
    ];
    for (target, expected) in cases {
        let asked = ask("", get(target));
        let parts =
            ["REQUEST_URI_RAW", "REQUEST_URI", "REQUEST_FILENAME", "REQUEST_BASENAME", "QUERY_STRING"]
                .map(|variable| String::from_utf8(asked.variable(variable).unwrap()).unwrap());
        assert_eq!(parts, *expected, "{target}");
    }
}

#[test]
fn selectors_choose() {
    const REQUEST: Request<'_> = Request {
        headers: &[("X-Y", "1"), ("x-y", "2"), ("Cookie", "k=1; K=2; k; =3")],
        ..get("/?a=1&b=2&A=3&=4")
    };
    let cases: &[(&str, &[&str])] = &[
        ("ARGS", &["ARGS:a=1", "ARGS:b=2", "ARGS:A=3", "ARGS:=4"]),
        ("ARGS:a", &["ARGS:a=1", "ARGS:A=3"]),
        ("ARGS:c", &[]),
        ("ARGS:/^[ab]$/", &["ARGS:a=1", "ARGS:b=2", "ARGS:A=3"]),
        ("ARGS|!ARGS:a", &["ARGS:b=2", "ARGS:=4"]),
        ("!ARGS:a|ARGS", &["ARGS:b=2", "ARGS:=4"]),
        ("ARGS|!ARGS:/^[ab]/", &["ARGS:=4"]),
        ("ARGS|!ARGS", &[]),
        ("ARGS:a|!ARGS_GET:a", &["ARGS:a=1", "ARGS:A=3"]),
        ("ARGS_NAMES:b", &["ARGS_NAMES:b=b"]),
        ("&ARGS", &["&ARGS=4"]),
        ("&ARGS:a", &["&ARGS=2"]),
        ("&ARGS:c", &["&ARGS=0"]),
        ("REQUEST_HEADERS:X-Y", &["REQUEST_HEADERS:X-Y=1", "REQUEST_HEADERS:x-y=2"]),
        (
            "REQUEST_HEADERS_NAMES|!REQUEST_HEADERS_NAMES:cookie",
            &["REQUEST_HEADERS_NAMES:X-Y=X-Y", "REQUEST_HEADERS_NAMES:x-y=x-y"],
        ),
        ("REQUEST_COOKIES", &["REQUEST_COOKIES:k=1", "REQUEST_COOKIES:K=2", "REQUEST_COOKIES:k="]),
        ("&TX:nothing|&TX", &["&TX=0", "&TX=0"]),
        ("TX:nothing", &[]),
        ("REQUEST_METHOD", &["REQUEST_METHOD=GET"]),
    ];
    for (targets, expected) in cases {
        assert_eq!(seen(targets, REQUEST), *expected, "{targets}");
    }
}

#[test]
fn headers_say_more_than_themselves() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("Host", "example.com:8080", "SERVER_NAME", "example.com"),
        ("Host", "[::1]:80", "SERVER_NAME", "[::1]"),
        ("Authorization", "Basic Zm9vOmJhcg==", "REMOTE_USER", "foo"),
        ("Authorization", "basic Zm9v", "REMOTE_USER", "foo"),
        ("Authorization", "Basic Zm9vOmJhcg==", "AUTH_TYPE", "Basic"),
        ("Authorization", "Bearer token", "AUTH_TYPE", "Bearer"),
        ("Content-Type", "Multipart/Form-Data; boundary=x", "REQBODY_PROCESSOR", "MULTIPART"),
        ("Content-Type", "text/plain", "REQBODY_PROCESSOR", ""),
    ];
    for (name, value, variable, expected) in cases {
        let asked = ask("", Request { headers: &[(name, value)], ..get("/") });
        assert_eq!(asked.variable(variable).as_deref(), Some(expected.as_bytes()), "{name}: {value}");
    }
    for value in ["Bearer Zm9vOmJhcg==", "Basic", "Basic %%%"] {
        let asked = ask("", Request { headers: &[("Authorization", value)], ..get("/") });
        assert_eq!(asked.variable("REMOTE_USER"), None, "{value}");
    }
}

#[test]
fn no_cookie_is_left_out() {
    let cookies = format!("{}attack=1", "a;".repeat(5000));
    let request = Request { headers: &[("Cookie", &cookies)], ..get("/") };
    assert_eq!(seen("REQUEST_COOKIES:attack", request), ["REQUEST_COOKIES:attack=1"]);
}

#[test]
fn bad_percent_encoding_is_told_once_and_for_all() {
    for (target, body, expected) in
        [("/?a=%41", "a=1", "0"), ("/?a=%4", "a=1", "1"), ("/", "a=%zz", "1"), ("/%zz", "a=1", "0")]
    {
        let asked = ask("", Request { target, ..super::post(body) });
        assert_eq!(asked.variable("URLENCODED_ERROR").unwrap(), expected.as_bytes(), "{target} {body}");
    }
}

#[test]
fn a_response_has_variables_too() {
    let asked = ask_all("SecResponseBodyAccess On", get("/"), "Text/HTML; charset=utf-8", "hello");
    for (variable, expected) in [
        ("RESPONSE_STATUS", "200"),
        ("RESPONSE_PROTOCOL", "HTTP/1.1"),
        ("STATUS_LINE", "HTTP/1.1 200"),
        ("RESPONSE_CONTENT_TYPE", "Text/HTML"),
        ("RESPONSE_HEADERS:content-type", "Text/HTML; charset=utf-8"),
        ("RESPONSE_BODY", "hello"),
        ("RESPONSE_CONTENT_LENGTH", "5"),
        ("OUTBOUND_DATA_ERROR", "0"),
    ] {
        assert_eq!(asked.variable(variable).as_deref(), Some(expected.as_bytes()), "{variable}");
    }
}

#[test]
fn what_nobody_said_is_not_a_variable() {
    let transaction = begin("");
    assert_eq!(transaction.variable("NO_SUCH_VARIABLE"), None);
    assert_eq!(transaction.variable("ARGS.a"), None);
    assert_eq!(transaction.variable("TX.a"), None);
}

#[test]
fn a_pattern_may_be_what_variables_say() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,setvar:'tx.allowed=^(?:a|b)$'\"\n\
                 SecRule ARGS:x \"!@rx %{tx.allowed}\" \"id:2,phase:1,pass\"\n\
                 SecRule ARGS:x \"@rx ^.%{ARGS.y}$\" \"id:3,phase:1,pass\"\n";
    let cases: &[(&str, &[u64])] = &[
        ("/?x=a&y=", &[3]),
        ("/?x=c&y=", &[2, 3]),
        ("/?x=ab&y=[a-c]", &[2, 3]),
        ("/?x=ab&y=[d-f]", &[2]),
        // What is no pattern matches nothing.
        ("/?x=b&y=(", &[]),
    ];
    for (target, expected) in cases {
        assert_eq!(ids(&ask(rules, get(target))), *expected, "{target}");
    }
}
