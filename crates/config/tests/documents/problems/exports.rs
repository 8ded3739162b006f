//! Mistakes of `exports`, and that none of them shows a secret.

use bartizan_config::Severity;

use super::{Case, check};
use crate::{folder, parse_in, with};

fn export(keys: &str) -> String {
    with(&format!("exports: {{ §siem: {{ {keys} }} }}"))
}

/// The same, with marks of its own.
fn marked(keys: &str) -> String {
    with(&format!("exports: {{ siem: {{ {keys} }} }}"))
}

#[test]
fn mistakes_of_exports() {
    let one = ("an export has exactly one receiver", "`syslog`, `splunk`");
    let cases: [Case<'_>; 16] = [
        (export("batch: 10"), &[one]),
        (export("file: { directory: ./a }, otlp: { url: \"http://localhost\" }"), &[one]),
        (
            marked("syslog: { to: §\"udp://a\" }"),
            &[("`udp://a`: over UDP events would be lost unnoticed: write `tls` or `tcp`", "")],
        ),
        (
            marked("syslog: { to: \"tcp://localhost\", tls: §{ ca: ./ca.pem } }"),
            &[("`tls` has no effect: `tcp://localhost` is spoken to in clear", "tls://HOST")],
        ),
        (
            marked("syslog: { to: \"tls://a\", tls: { cert: §./cert.pem } }"),
            &[("a client certificate is a `cert` and its `key`", "")],
        ),
        (marked("splunk: §{ url: \"https://a\" }"), &[("the collector wants a token", "token_file")]),
        (
            marked("splunk: { url: §\"http://a\", token: \"${SPLUNK_TOKEN}\" }"),
            &[("`http://a`: secrets would travel in clear", "https:")],
        ),
        (
            marked("splunk: { url: \"https://a\", token: abc, token_file: §./key.pem }"),
            &[("write `token` or `token_file`, not both", "")],
        ),
        (
            marked("elastic: §{ url: \"https://a\", user: ada }"),
            &[("Elasticsearch is shown an API key, or a user and their password", "`api_key` alone")],
        ),
        (
            marked("elastic: { url: \"https://a\", data_stream: §Logs/.. }"),
            &[("`Logs/..` is no data stream", "logs-bartizan-default")],
        ),
        (
            marked("otlp: { url: §\"https://a/?key=1\" }"),
            &[("`https://a/?key=1`: this URL has no query", "")],
        ),
        (marked("file: { directory: ./a, size: §1KiB }"), &[("`size` is less than 64KiB", "")]),
        (marked("file: { directory: ./a }, spool: §10KiB"), &[("`spool` is less than 1MiB", "megabytes")]),
        (marked("file: { directory: ./a }, batch: §5001"), &[("`batch` is 1 to 5000", "")]),
        (marked("file: { directory: ./a }, timeout: §1h"), &[("`timeout` is at most 5min", "")]),
        (
            with("exports: { a: { file: { directory: ./a } }, §b: { file: { directory: ./a } } }")
                .replace("./a", "/a"),
            &[("two exports write into `/a`", "a directory of its own")],
        ),
    ];
    check(&cases, Severity::Error);
    let cases: [Case<'_>; 2] = [
        (
            marked("syslog: { to: §\"tcp://siem\" }"),
            &[("events travel in clear, and anybody can answer for the server", "tls://HOST")],
        ),
        (marked("otlp: { url: §\"http://collector\" }"), &[("events travel in clear", "https:")]),
    ];
    check(&cases, Severity::Warning);
}

#[test]
fn a_secret_comes_from_a_private_file_of_one_line() {
    let folder = folder();
    let document = |file: &str| {
        with(&format!("exports: {{ s: {{ splunk: {{ url: \"https://a\", token_file: {file} }} }} }}"))
    };
    let read = parse_in(folder.path(), &document("./key.pem")).unwrap().config;
    let bartizan_config::ExportReceiver::Splunk(splunk) = &read.exports[0].receiver else {
        panic!("{read:?}")
    };
    assert_eq!(splunk.token.expose(), "key.pem", "what the file holds");
    assert!(!format!("{:?}", read.exports).contains("key.pem"));
    for (file, expected) in
        [("./open.pem", "every user of this machine has access"), ("./nowhere", "there is no such file")]
    {
        let said = parse_in(folder.path(), &document(file)).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
    std::fs::write(folder.path().join("key.pem"), "two\nlines").unwrap();
    let said = parse_in(folder.path(), &document("./key.pem")).unwrap_err().to_string();
    assert!(said.contains("holds no secret: one line is read"), "{said}");
}
