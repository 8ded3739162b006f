//! Every kind of event against the schema of OCSF, by a validator that knows nothing of this gateway.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::json;

use super::*;
use crate::samples::samples;

/// The schema is `PyPI`'s `ocsf-json-schema`, which `cargo xtask setup` puts into `.venv`. Where it is missing the test is
/// skipped, except in CI.
#[test]
fn events_are_what_the_schema_of_ocsf_asks_for() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.venv/bin/python");
    let probe = Command::new(&python).args(["-c", "import ocsf_json_schema, jsonschema"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "`ocsf-json-schema` is not installed");
        eprintln!("SKIPPED: `ocsf-json-schema` is not installed: `cargo xtask setup`");
        return;
    }
    let mut command = Command::new(python);
    command.arg(here.join("src/ocsf/validate.py")).arg(OCSF_VERSION);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut events: Vec<_> = samples().iter().map(Event::ocsf).collect();
    // What is no event must be told from one.
    let mut broken = events[0].clone();
    broken["src_endpoint"] = json!({ "address": "192.0.2.7" });
    events.push(broken);
    // Read on a thread of its own: what the validator says and what it is told could both fill their pipes.
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for event in events {
            writeln!(stdin, "{event}").unwrap();
        }
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<_> = said.lines().collect();
    let (last, others) = verdicts.split_last().unwrap();
    assert!(last.contains("src_endpoint"), "{last}");
    assert_eq!(others.len(), Kind::ALL.len() * 3);
    assert!(others.iter().all(|verdict| *verdict == "valid"), "{others:#?}");
}

#[test]
fn names_that_rules_go_by_are_where_they_are_looked_for() {
    let event = samples().into_iter().find(|event| event.kind == Kind::RequestRefused).unwrap();
    let (id, time) = (event.id.to_string(), event.id.milliseconds());
    assert_eq!(
        event.ocsf(),
        json!({
            "metadata": {
                "version": "1.8.0",
                "uid": id,
                "correlation_uid": "request-7",
                "product": {
                    "name": "Bartizan", "vendor_name": "The Bartizan developers", "version": env!("CARGO_PKG_VERSION"),
                },
                "profiles": ["host", "security_control"],
            },
            "time": time,
            "category_uid": 4,
            "class_uid": 4002,
            "activity_id": 3,
            "type_uid": 400_203,
            "severity_id": 2,
            "action_id": 2,
            "status_id": 2,
            "status_detail": "ada may not",
            "message": "ada was there",
            "src_endpoint": { "ip": "192.0.2.7" },
            "dst_endpoint": { "hostname": "shop.test", "svc_name": "accounts" },
            "actor": {
                "user": { "uid": "ada-1", "type_id": 2, "type": "Admin", "org": { "uid": "shop" } },
                "session": { "uid": "session-of-ada" },
            },
            "http_request": {
                "uid": "request-7",
                "http_method": "GET",
                "version": "1.1",
                "user_agent": "curl/8",
                "referrer": "https://shop.test/letters",
                "url": { "path": "/letters/7", "scheme": "https", "hostname": "shop.test", "query_string": "to=ada" },
            },
            "http_response": { "code": 403, "latency": 12 },
            "bartizan": {
                "event": "request_refused",
                "decision": "refused",
                "service": "accounts",
                "stage": "authorize",
                "reason": "role.add",
                "route": "/api/**",
                "rules": ["942100", "949110"],
                "score": 15,
                "paranoia": 2,
                "policy": "office-hours",
                "credential": "session",
                "key": "key-7",
                "organization": "shop",
                "tags": ["attack.t1110"],
            },
        })
    );
}

#[test]
fn methods_that_ocsf_does_not_know_are_left_out() {
    let mut event = samples().remove(0);
    for (method, activity) in [("PATCH", 9), ("DELETE", 2), ("PROPFIND", 99)] {
        event.details.http.as_mut().unwrap().method = method.into();
        let written = event.ocsf();
        assert_eq!(written["activity_id"], activity);
        assert_eq!(written["http_request"].get("http_method").is_some(), activity != 99, "{method}");
    }
}
