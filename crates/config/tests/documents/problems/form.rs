//! Mistakes of YAML, of keys and values, and of the document as a whole.

use std::fs;

use bartizan_config::{Config, ConfigError, Severity};

use super::{Case, check, route};
use crate::{folder, parse, with};

#[test]
fn mistakes_of_form() {
    let cases: [Case<'_>; 28] = [
        (with("§rotues: []"), &[("unknown key `rotues`", "did you mean `routes`?")]),
        (with("log: { §fromat: json }"), &[("unknown key `fromat`", "did you mean `format`?")]),
        (
            with("log: { §\"colour\": json }"),
            &[("unknown key `colour`", "known here: `format`, `level`, `requests`")],
        ),
        (
            with("telemetry: { otlp: \"${ISSUER}\" }\nlog: { §formt: json }"),
            &[("unknown key `formt`", "did you mean `format`?")],
        ),
        (with("log: {}\n§log: {}"), &[("duplicate key `log`", "keep one")]),
        (with("roles: { a: [], §a: [] }"), &[("duplicate key `a`", "keep one")]),
        (
            route("{ path: /, to: \"http://a\", auth: users, require: { GET: [a:b], §GET: [a:c] } }"),
            &[("duplicate key `GET`", "keep one")],
        ),
        (with("log: { format: §jsn }"), &[("`jsn` is not known here", "did you mean `json`?")]),
        (with("log: { requests: §yes }"), &[("expected `true` or `false`", "")]),
        (with("§log:"), &[("this key has no value", "leave the key out")]),
        (
            route("{ path: /, to: \"http://a\", auth: users, §require: }"),
            &[("this key has no value", "leave the key out")],
        ),
        (with("hardening: { max_connections: §many }"), &[("expected a whole number", "")]),
        (with("hardening: { max_connections: §-1 }"), &[("expected a whole number", "")]),
        (with("log: §[json]"), &[("expected a mapping (`key: value`)", "")]),
        (with("roles: { a: §{} }"), &[("expected a list (`[a, b]`)", "")]),
        (with("identity: { a: { §jtw: {} } }"), &[("`jtw` is not known here", "did you mean `jwt`?")]),
        (with("identity: { a: { api_key: {}, §jwt: {} } }"), &[("expected one key only", "")]),
        (
            with("shutdown: { drain: §\"${MISSING}\" }\nlog: { level: §\"${ALSO_MISSING}\" }"),
            &[
                ("the environment variable `MISSING` is not set: set it, or write `${MISSING:-default}`", ""),
                (
                    "the environment variable `ALSO_MISSING` is not set: set it, or write `${ALSO_MISSING:-default}`",
                    "",
                ),
            ],
        ),
        (
            with("shutdown: { drain: $§{MISSING} }"),
            &[("while parsing a flow mapping, did not find expected ',' or '}'", "in quotes")],
        ),
        (
            with("shutdown: { drain: §\"${not a name}\" }"),
            &[(
                "`${` is not followed by a variable and `}`: write `${NAME}` or `${NAME:-default}`, or `$${` for a literal `${`",
                "",
            )],
        ),
        (with("log: &log {}\nshutdown:\n  §<<: *log"), &[("merge keys (`<<`) are not read", "alias")]),
        (with("log: §*nowhere"), &[("there is no anchor (`&name`) for this alias", "")]),
        (with("log: !tag §{}"), &[("tags (`!name`) are not read", "")]),
        (format!("{}---\n§version: 1\n", with("")), &[("a second document starts here", "one document")]),
        (
            "version: 1\nlisten: { http: \"127.0.0.1:0\" }\nroutes: [{ §path: / }]".into(),
            &[("`to` is missing here", "")],
        ),
        (
            "§§§".into(),
            &[
                ("`version` is missing", "version: 1"),
                ("`listen` is missing", "127.0.0.1:8080"),
                ("`routes` is missing", "routes: ["),
            ],
        ),
        ("§- a".into(), &[("expected a mapping (`key: value`)", "")]),
        ("version: 1\nlog: §\"abc".into(), &[("unclosed quote", "")]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn mistakes_of_the_document_as_a_whole() {
    let cases: [Case<'_>; 6] = [
        ("version: §2\nlisten: { http: \"127.0.0.1:0\" }\nroutes: [{ path: /, to: \"http://a\", auth: none }]".into(), &[("version 2 of this format is not known", "version: 1")]),
        ("version: 1\nlisten: { http: \"127.0.0.1:0\" }\nroutes: §[]".into(), &[("there is no route", "routes: [")]),
        ("§version: 1\nlisten: { http: \"127.0.0.1:0\" }".into(), &[("`routes` is missing", "routes: [")]),
        ("§version: 1\nroutes: [{ path: /, to: \"http://a\", auth: none }]".into(), &[("`listen` is missing", "127.0.0.1:8080")]),
        (with("shutdown: { drain: §soon }\nroles: { §\"a b\": [] }"), &[
            ("`soon` is not a duration: write for example `500ms`, `10s`, `5min`, `1h` or `30d`", ""),
            ("`a b` is not a name: use 1 to 64 letters, digits, `-`, `_` or `.`", ""),
        ]),
        (with("roles: { a: [§orders, §\"ord*:read\", \"*\"] }"), &[
            ("`orders` is not a permission: write `resource:action`, for example `orders:read`", ""),
            ("`ord*:read` is not a permission: write `resource:action`, for example `orders:read`", ""),
        ]),
    ];
    check(&cases, Severity::Error);
}

#[test]
fn long_documents_and_other_encodings_are_refused() {
    let folder = folder();
    let path = folder.path().join("bartizan.yaml");
    let load = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = Config::load(&path).unwrap_err();
        let found = error.diagnostics()[0].clone();
        (found.line, found.column, found.message)
    };
    let long = format!("{}# {}", with(""), "x".repeat(1024 * 1024));
    assert_eq!(load(long.as_bytes()), (1, 1, "the document is longer than 1 MiB".into()));
    assert_eq!(load(&vec![0xff; 2 * 1024 * 1024]), (1, 1, "the document is longer than 1 MiB".into()));
    assert_eq!(load(b"version: 1\nlog: \xc3\xa9\xff"), (2, 7, "this byte is not UTF-8".into()));
    assert_eq!(load(&[0xff, 0xfe, b'v', 0]), (1, 1, "this byte is not UTF-8".into()));
    let error = Config::load(&folder.path().join("missing.yaml")).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }), "{error}");
}

#[test]
fn documents_that_are_bombs_are_refused_quickly() {
    let laughs = (1..9).fold("l0: &l0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*l{}", level - 1); 9].join(", ");
        format!("{text}l{level}: &l{level} [{aliases}]\n")
    });
    let roles = format!("roles:\n  {}", laughs.trim_end().replace('\n', "\n  "));
    let deep = format!("roles: {}", "[".repeat(10_000));
    let nested: Vec<_> = (0..400).map(|level| format!("{}a:", " ".repeat(level))).collect();
    for text in [
        laughs.clone(),
        with(&roles),
        with(&deep),
        with(&nested.join("\n")),
        with(&"log: ${".repeat(10_000)),
        "- ".repeat(100_000),
    ] {
        let started = std::time::Instant::now();
        let error = parse(&text).unwrap_err();
        assert!(!error.diagnostics().is_empty());
        assert!(started.elapsed().as_secs() < 5, "{:?}: {error}", started.elapsed());
    }
}
