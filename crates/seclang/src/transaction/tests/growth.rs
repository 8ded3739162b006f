//! No request makes the starter rules or the Core Rule Set do more than a linear share of work. Bytes are counted, not
//! time: what operators and transformations were given. What each makes of its bytes is tested beside it.

use std::{path::Path, sync::Arc};

use super::Request;
use crate::{Connection, RuleFiles, RuleSet, Transaction, work};

/// A request of about as many bytes.
type Shape = fn(usize) -> Owned;

struct Owned {
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn body(kind: &str, body: String) -> Owned {
    Owned { target: "/".into(), headers: vec![("Content-Type".into(), kind.into())], body }
}

fn form(one: &str, size: usize) -> Owned {
    body("application/x-www-form-urlencoded", one.repeat(size / one.len()))
}

fn numbered(size: usize, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        if text.len() >= size {
            break;
        }
        text += &one(number);
    }
    text
}

const SHAPES: &[(&str, Shape)] = &[
    ("one long word", |size| form("a", size)),
    ("one long attack", |size| form("'+or+1=1+--+", size)),
    ("many parameters of one name", |size| form("a=1&", size)),
    ("many parameters", |size| {
        body("application/x-www-form-urlencoded", numbered(size, |n| format!("p{n}=v{n}&")))
    }),
    ("many attacks", |size| {
        body("application/x-www-form-urlencoded", numbered(size, |n| format!("p{n}='+or+{n}={n}--&")))
    }),
    ("a long query", |size| Owned {
        target: format!("/?{}", numbered(size, |n| format!("q{n}=%27<script>&"))),
        headers: vec![],
        body: String::new(),
    }),
    ("a deep path", |size| Owned { target: "/a/..".repeat(size / 5), headers: vec![], body: String::new() }),
    ("many headers", |size| {
        let headers =
            (0..size / 32).map(|n| (format!("X-Header-{n}"), format!("value={n};../../etc/passwd")));
        Owned { target: "/".into(), headers: headers.collect(), body: String::new() }
    }),
    ("many cookies", |size| {
        let cookie = numbered(size, |n| format!("c{n}=<a{n}; "));
        Owned { target: "/".into(), headers: vec![("Cookie".into(), cookie)], body: String::new() }
    }),
    ("long JSON", |size| {
        body("application/json", format!("[{}0]", numbered(size, |n| format!("{{\"k{n}\":\"' or {n}\"}},"))))
    }),
    ("a long JSON name above many values", |size| {
        let values = "1,".repeat(size / 2);
        body("application/json", format!("{{\"{}\":[{values}0]}}", "k%'<$".repeat(size / 80)))
    }),
    ("deep JSON", |size| {
        // As deep as the rules admit, many times.
        let deep = format!("{}1{},", "[".repeat(200), "]".repeat(200));
        body("application/json", format!("[{}0]", deep.repeat(size / deep.len())))
    }),
    ("deeper JSON than is read", |size| body("application/json", "{\"a\":".repeat(size / 5))),
    ("long XML", |size| {
        let elements = numbered(size, |n| format!("<e a{n}=\"x{n}\">' or {n}=1</e>"));
        body("application/xml", format!("<r>{elements}</r>"))
    }),
    ("deep XML", |size| {
        let deep = format!("{}1{}", "<a>".repeat(200), "</a>".repeat(200));
        body("application/xml", format!("<r>{}</r>", deep.repeat(size / deep.len())))
    }),
    ("many parts", |size| {
        let part =
            |n: usize| format!("--b\r\nContent-Disposition: form-data; name=\"p{n}\"\r\n\r\n' or {n}=1\r\n");
        body("multipart/form-data; boundary=b", numbered(size, part) + "--b--\r\n")
    }),
    ("many files", |size| {
        let part = |n: usize| {
            format!(
                "--b\r\nContent-Disposition: form-data; name=\"p{n}\"; filename=\"{n}.php\"\r\n\
                 Content-Type: text/plain\r\n\r\nx\r\n"
            )
        };
        body("multipart/form-data; boundary=b", numbered(size, part) + "--b--\r\n")
    }),
    ("one long part", |size| {
        let text = "\r\n--".repeat(size / 4);
        let head = "--b\r\nContent-Disposition: form-data; name=\"p\"\r\n\r\n";
        body("multipart/form-data; boundary=b", format!("{head}{text}\r\n--b--\r\n"))
    }),
];

fn work_of(rules: &Arc<RuleSet>, request: &Owned) -> usize {
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let request = Request { method: "POST", target: &request.target, headers: &headers, body: &request.body };
    work::measured(|| {
        let mut transaction = Transaction::new(Arc::clone(rules), Connection::default(), "test");
        transaction.only_report();
        for level in ["blocking_paranoia_level", "detection_paranoia_level"] {
            transaction.set_tx(level, "4");
        }
        request.send(&mut transaction);
        transaction.finish();
    })
}

fn grows_with_the_request_and_no_faster(rules: &Arc<RuleSet>) {
    const SMALL: usize = 8 << 10;
    let mut most = 0;
    for (name, shape) in SHAPES {
        let nothing = work_of(rules, &shape(0));
        // What every request costs is not growth.
        let work = |size| work_of(rules, &shape(size)).saturating_sub(nothing);
        let (small, large) = (work(SMALL), work(2 * SMALL));
        // A value that the rules need not look at costs nothing, and the next one may be looked at.
        assert!(large <= small * 9 / 4 + 4 * SMALL, "{name}: {small} bytes became {large}");
        most = most.max(large);
    }
    assert!(most > SMALL, "these requests are not looked at: {most}");
}

fn compile(patterns: &[&Path]) -> Arc<RuleSet> {
    let mut files = RuleFiles::default();
    for pattern in patterns {
        files.add_files(pattern.to_str().unwrap()).unwrap_or_else(|error| panic!("{error}"));
    }
    Arc::new(RuleSet::compile(&files).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn work_of_the_starter_rules_grows_with_the_request_and_no_faster() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/starter/*.conf");
    grows_with_the_request_and_no_faster(&compile(&[&rules]));
}

/// The Core Rule Set is not part of the repository: without it there is nothing to test, which is an error where
/// everything must be tested.
#[test]
fn work_of_the_core_rule_set_grows_with_the_request_and_no_faster() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("BARTIZAN_TEST_DATA")
        .map_or_else(|| here.join("../../../shared/data"), std::path::PathBuf::from);
    let crs = data.join("crs-4.28.0");
    if !crs.join("rules").is_dir() {
        assert!(std::env::var_os("CI").is_none(), "{} is not there", crs.display());
        println!("SKIPPED: {} is not there: set BARTIZAN_TEST_DATA", crs.display());
        return;
    }
    let recommended = here.join("../pipeline/src/firewall/recommended.conf");
    let (setup, rules) = (crs.join("crs-setup.conf.example"), crs.join("rules/*.conf"));
    grows_with_the_request_and_no_faster(&compile(&[&recommended, &setup, &rules]));
}
