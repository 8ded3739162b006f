//! Bodies: which are read, how far, and what is wrong with them.

use super::{Request, ask, ask_all, begin, get, ids, post};
use crate::{Disruption, Transaction};

fn variables(transaction: &Transaction, names: &[&str]) -> Vec<String> {
    let value = |name: &&str| {
        transaction.variable(name).map_or("-".to_owned(), |value| value.escape_ascii().to_string())
    };
    names.iter().map(value).collect()
}

#[test]
fn a_processor_reads_the_body() {
    const JSON: &str = r#"{"a":{"b":[1,"x"]}}"#;
    // Content-Type, the processor that a rule chooses, the body; then the processor, the error, some arguments, the body.
    type Case = (&'static str, &'static str, &'static str, [&'static str; 6]);
    const NAMES: [&str; 6] =
        ["REQBODY_PROCESSOR", "REQBODY_ERROR", "ARGS:a", "ARGS:json.a.b.array_1", "XML:/*", "REQUEST_BODY"];
    let cases: &[Case] = &[
        ("application/x-www-form-urlencoded", "", "a=1", ["URLENCODED", "0", "1", "-", "-", "a=1"]),
        ("Application/X-WWW-Form-Urlencoded; x=y", "", "a=1", ["URLENCODED", "0", "1", "-", "-", "a=1"]),
        ("text/plain", "", "a=1", ["", "0", "-", "-", "-", "a=1"]),
        ("text/plain", "URLENCODED", "a=1", ["URLENCODED", "0", "1", "-", "-", "a=1"]),
        ("application/json", "JSON", JSON, ["JSON", "0", "-", "x", "-", ""]),
        ("application/json", "JSON", "", ["JSON", "0", "-", "-", "-", ""]),
        ("application/json", "JSON", "{\"a\":", ["JSON", "1", "-", "-", "-", "{\\\"a\\\":"]),
        ("text/xml", "XML", "<a b='c'>d<e/>f</a>", ["XML", "0", "-", "-", "df", ""]),
        ("text/xml", "XML", "<a", ["XML", "1", "-", "-", "-", "<a"]),
        ("application/x-www-form-urlencoded", "JSON", "a=1", ["JSON", "1", "-", "-", "-", "a=1"]),
        ("multipart/form-data", "", "a=1", ["MULTIPART", "1", "-", "-", "-", "a=1"]),
    ];
    for (content_type, chosen, body, expected) in cases {
        let rule = match *chosen {
            "" => String::new(),
            chosen => format!("SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor={chosen}\""),
        };
        let headers = [("Content-Type", *content_type)];
        let asked = ask(&rule, Request { headers: &headers, ..post(body) });
        assert_eq!(variables(&asked, &NAMES), *expected, "{content_type} {chosen} {body}");
    }
    let forced =
        "SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON,ctl:forceRequestBodyVariable=On\"";
    assert_eq!(ask(forced, post(JSON)).variable("REQUEST_BODY").unwrap(), JSON.as_bytes());
}

#[test]
fn access_is_given_or_taken() {
    for (setting, control, seen) in
        [("On", "On", true), ("On", "Off", false), ("Off", "On", true), ("Off", "Off", false)]
    {
        // Phase 2 has rules about other things too, so it runs in any case.
        let rules = format!(
            "SecRequestBodyAccess {setting}\nSecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyAccess={control}\"\n\
             SecRule ARGS_POST:a|REQUEST_BODY \"@rx .\" \"id:2,phase:2,pass\"\nSecAction \"id:3,phase:2,pass\""
        );
        let mut asked = begin(&rules);
        post("a=1").head(&mut asked);
        assert_eq!(asked.wants_request_body(), seen, "{setting}, {control}");
        asked.request_body(b"a=1");
        asked.request_body_done();
        assert_eq!(ids(&asked), if seen { &[2, 3][..] } else { &[3] }, "{setting}, {control}");
    }
}

#[test]
fn a_long_request_body_is_refused_or_seen_in_part() {
    // Limit action, mode, body; then the status of the refusal, INBOUND_DATA_ERROR, REQUEST_BODY.
    type Case = (&'static str, &'static str, &'static str, Option<u16>, [&'static str; 2]);
    let cases: &[Case] = &[
        ("Reject", "On", "a=12345678", None, ["0", "a=12345678"]),
        ("Reject", "On", "a=123456789", Some(413), ["1", ""]),
        ("Reject", "DetectionOnly", "a=123456789", None, ["1", "a=12345678"]),
        ("ProcessPartial", "On", "a=12345678", None, ["0", "a=12345678"]),
        ("ProcessPartial", "On", "a=123456789", None, ["1", "a=12345678"]),
    ];
    for (action, mode, body, refused, expected) in cases {
        let settings =
            format!("SecRuleEngine {mode}\nSecRequestBodyLimit 10\nSecRequestBodyLimitAction {action}");
        for pieces in [1, 3, 100] {
            let mut asked = begin(&settings);
            post("").head(&mut asked);
            for piece in body.as_bytes().chunks(pieces) {
                asked.request_body(piece);
            }
            asked.request_body_done();
            assert_eq!(asked.interruption().map(|found| found.status), *refused, "{settings} {body}");
            assert_eq!(
                variables(&asked, &["INBOUND_DATA_ERROR", "REQUEST_BODY"]),
                *expected,
                "{settings} {body}"
            );
        }
    }
}

#[test]
fn what_is_left_out_is_an_error() {
    let cases: &[(&str, &str, &str, &str)] = &[
        ("SecRequestBodyNoFilesLimit 10", "/", "a=12345678", "0"),
        ("SecRequestBodyNoFilesLimit 10", "/", "a=123456789", "1"),
        ("SecArgumentsLimit 2", "/?x=1&y=2", "a=1&b=2", "0"),
        ("SecArgumentsLimit 2", "/", "a=1&b=2&c=3", "1"),
        ("SecArgumentsLimit 2", "/?x=1&y=2&z=3", "a=1", "1"),
        ("SecArgumentsLimit 2\nSecRequestBodyAccess Off", "/?x=1&y=2&z=3", "", "1"),
        ("SecRequestBodyJsonDepthLimit 2", "/", "a=1", "0"),
    ];
    for (settings, target, body, expected) in cases {
        let asked = ask(settings, Request { target, ..post(body) });
        assert_eq!(variables(&asked, &["REQBODY_ERROR"]), [*expected], "{settings} {target} {body}");
    }
}

#[test]
fn responses_are_chosen_by_their_type() {
    const RULE: &str =
        "SecRule RESPONSE_BODY \"@rx x\" \"id:1,phase:4,pass\"\nSecAction \"id:2,phase:4,pass\"";
    let cases: &[(&str, &str, bool)] = &[
        ("", "text/html", false),
        ("SecResponseBodyAccess On", "text/html", true),
        ("SecResponseBodyAccess On", "TEXT/XML ; charset=utf-8", true),
        ("SecResponseBodyAccess On", "application/json", false),
        ("SecResponseBodyAccess On", "", false),
        ("SecResponseBodyAccess On\nSecResponseBodyMimeType application/json", "application/json", true),
        ("SecResponseBodyAccess On\nSecResponseBodyMimeType application/json", "text/html", false),
        (
            "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain text/html text/xml\n\
             SecResponseBodyMimeType application/json",
            "text/html",
            true,
        ),
        ("SecResponseBodyAccess On\nSecResponseBodyMimeTypesClear", "text/html", false),
        ("SecAction \"id:3,phase:3,pass,nolog,ctl:responseBodyAccess=On\"", "text/html", true),
    ];
    for (settings, content_type, seen) in cases {
        let asked = ask_all(&format!("{settings}\n{RULE}"), get("/"), content_type, "x");
        assert_eq!(ids(&asked), if *seen { &[1, 2][..] } else { &[2] }, "{settings} {content_type}");
    }
}

#[test]
fn long_json_names_above_many_values_are_an_error() {
    let rules =
        "SecArgumentsLimit 10000\nSecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"";
    let error = |name: &str, value: &str, values: usize| {
        let body = format!("{{\"{name}\":[{}{value}]}}", format!("{value},").repeat(values));
        variables(&ask(rules, post(&body)), &["REQBODY_ERROR"]).remove(0)
    };
    assert_eq!(error(&"k".repeat(4096), "1", 2000), "1");
    // A path as deep as reports have, and nearly as many values as may be.
    assert_eq!(error(&"k".repeat(70), "1.5", 9000), "0");
}

/// What is not in `MULTIPART_PART_HEADERS` may be what a rule looks for.
#[test]
fn headers_of_parts_that_are_left_out_are_an_error() {
    let line = |number| format!("x{number}:\r\n");
    let lines: String = (0..50).map(line).collect();
    let part = format!("--b\r\nContent-Disposition: form-data; name=a\r\n{lines}\r\nx\r\n");
    let headers = [("Content-Type", "multipart/form-data; boundary=b")];
    for (parts, expected) in [(3, "0"), (4, "1")] {
        let body = part.repeat(parts) + "--b--\r\n";
        let asked = ask("SecArgumentsLimit 50", Request { headers: &headers, ..post(&body) });
        assert_eq!(variables(&asked, &["REQBODY_ERROR"]), [expected], "{parts}");
    }
}

#[test]
fn a_long_response_body_is_refused_or_seen_in_part() {
    for (action, refused, expected) in
        [("Reject", Some(500), ["1", ""]), ("ProcessPartial", None, ["1", "xxx"])]
    {
        let settings =
            format!("SecResponseBodyAccess On\nSecResponseBodyLimit 3\nSecResponseBodyLimitAction {action}");
        let asked = ask_all(&settings, get("/"), "text/html", "xxxx");
        let interruption = asked.interruption().map(|found| (found.rule, found.status, found.action.clone()));
        assert_eq!(interruption, refused.map(|status| (None, status, Disruption::Deny)), "{action}");
        assert_eq!(variables(&asked, &["OUTBOUND_DATA_ERROR", "RESPONSE_BODY"]), expected, "{action}");
    }
}

#[test]
fn a_body_that_begins_like_json_is_read_as_json_too() {
    const RULES: &str = r#"
SecAction "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=URLENCODED,ctl:detectJson=On"
SecRule ARGS:json.a "@streq '" "id:2,phase:2,pass"
SecRule REQBODY_ERROR "!@eq 0" "id:3,phase:2,pass"
SecRule ARGS:b "@streq 1" "id:4,phase:2,pass"
"#;
    let deep = "[".repeat(600);
    let cases: [(&str, &[u64]); 8] = [
        (r#"{"a": "\u0027"}"#, &[2]),
        ("\u{feff} \n\u{b}{\"a\": \"'\"}", &[2]),
        (r#"{"a": "'", oops &b=1"#, &[2, 4]),
        ("{note} &b=1", &[4]),
        (r#""a""#, &[]),
        ("", &[]),
        (" ", &[]),
        (&deep, &[3]),
    ];
    for (body, expected) in cases {
        assert_eq!(ids(&ask(RULES, Request { headers: &[], ..post(body) })), expected, "{body}");
    }
    let without = RULES.replace("detectJson=On", "detectJson=Off");
    assert!(ids(&ask(&without, Request { headers: &[], ..post(cases[0].0) })).is_empty());
}
