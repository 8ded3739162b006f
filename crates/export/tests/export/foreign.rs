//! What parsers of others read of our formats is what went in.
//!
//! `PyPI`'s `pycef`, `syslog-rfc5424-parser` and `opentelemetry-proto`, which `cargo xtask setup` puts into `.venv`. Where they
//! are missing the tests say so and are skipped, except in CI (`CI` is set), where they fail. For LEEF and ECS there is no
//! parser there: what their authors' documents say stands in the tests.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use bartizan_config::{SyslogFacility, SyslogFormat};
use bartizan_events::{Decision, Details, Event, HttpDetails, Kind, Outcome, Severity};
use bartizan_export::{
    Shown,
    format::{cef, ecs, leef, otlp, syslog::Header},
};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};

/// What the foreign parsers make of texts, or nothing where they are not installed.
fn parsed(questions: &[Value]) -> Option<Vec<Value>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = here.join("../../.venv/bin/python");
    let imports = "import pycef, syslog_rfc5424_parser, opentelemetry.proto.logs.v1.logs_pb2";
    let probe = Command::new(&python).args(["-c", imports]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "the parsers of exports are not installed");
        eprintln!("SKIPPED: the parsers of exports are not installed: `cargo xtask setup`");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(here.join("tests/export/foreign.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text: Vec<String> = questions.iter().map(Value::to_string).collect();
    let text = text.join("\n");
    // On a thread of its own: what is asked and what is answered could both fill their pipes.
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    Some(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// What attackers write.
fn nasty() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a|b",
        "a=b",
        "\\",
        "a\\=b=c\\|",
        "x\ny",
        "x\r\ny=z",
        "\"]",
        "a] [b x=\"1\"]",
        "tab\there",
        "ü€😀",
        "CEF:0|a|b|c|d|e|10|src=1.1.1.1",
        "\u{1b}[31mred",
        "\u{0}",
        "  two  spaces  ",
        "act=allowed",
        "\u{fffd}",
        "%n${jndi:ldap://x}",
        "key=\\nvalue\\",
    ]
    .map(ToOwned::to_owned)
    .into();
    texts.push("A".repeat(64 * 1024));
    let mut runner = TestRunner::deterministic();
    let any = any::<String>();
    texts.extend((0..200).map(|_| any.new_tree(&mut runner).unwrap().current()));
    texts
}

fn event(text: &str) -> Shown {
    let http = HttpDetails {
        method: "GET".into(),
        path: format!("/{text}"),
        query: text.into(),
        host: "shop.test".into(),
        secure: true,
        version: "1.1".into(),
        user_agent: text.into(),
        referrer: text.into(),
        status: Some(403),
        latency: Some(7),
    };
    let details = Details {
        outcome: Some(Outcome::Failure),
        reason: Some("firewall_matched".into()),
        score: Some(15),
        http: Some(Box::new(http)),
        ..Details::default()
    };
    let event = Event {
        address: Some([192, 0, 2, 7].into()),
        user: Some(text.into()),
        organization: Some(text.into()),
        route: Some("/api/**".into()),
        request: Some("request-7".into()),
        rules: vec!["942100".into()],
        details,
        ..Event::new(Kind::AttackDetected, SystemTime::now(), Decision::Refused, text)
    };
    Shown::new(&event, false)
}

/// As formats without an escape for control characters have it.
fn spaced(text: &str, kept: &[char]) -> String {
    text.chars()
        .map(|letter| if letter.is_control() && !kept.contains(&letter) { ' ' } else { letter })
        .collect()
}

fn first(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[test]
fn cef_is_read_as_it_was_written() {
    let texts: Vec<_> = nasty().into_iter().filter(|text| !text.is_empty()).collect();
    let events: Vec<_> = texts.iter().map(|text| event(text)).collect();
    let lines: Vec<_> = events.iter().map(cef::line).collect();
    assert!(lines.iter().all(|line| !line.contains(char::is_control) && line.len() < 16 * 1024));
    let questions: Vec<_> = lines.iter().map(|line| json!({ "form": "cef", "text": line })).collect();
    let Some(parsed) = parsed(&questions) else { return };
    for ((text, event), parsed) in texts.iter().zip(&events).zip(parsed) {
        let expected = spaced(first(text, 1023), &['\n', '\r']);
        for (key, value) in [
            ("DeviceVendor", "Bartizan"),
            ("DeviceEventClassID", "attack_detected"),
            ("Severity", "5"),
            ("externalId", &event.id),
            ("act", "refused"),
            ("src", "192.0.2.7"),
            ("outcome", "failure"),
            ("requestMethod", "GET"),
            ("route", "/api/**"),
            ("status", "403"),
            ("rules", "942100"),
            ("suid", &expected),
            ("msg", &expected),
            ("requestClientApplication", &expected),
            ("organization", &expected),
        ] {
            assert_eq!(parsed[key], value, "{key} of {text:?}: {parsed}");
        }
    }
}

#[test]
fn syslog_is_read_as_it_was_written() {
    // That parser takes the quote behind an escaped backslash for an escaped quote.
    let is_understood = |text: &String| !text.is_empty() && !text.ends_with('\\');
    let texts: Vec<_> = nasty().into_iter().filter(is_understood).collect();
    let events: Vec<_> = texts.iter().map(|text| event(text)).collect();
    let header = Header::new(SyslogFacility::Local0, SyslogFormat::Json);
    let questions: Vec<_> = events
        .iter()
        .map(|event| {
            let (mut frame, message) = (Vec::new(), header.message(event));
            header.frame(event, &mut frame);
            assert_eq!(frame, format!("{} {message}", message.len()).into_bytes(), "octets are counted");
            json!({ "form": "syslog", "text": message })
        })
        .collect();
    let Some(parsed) = parsed(&questions) else { return };
    for ((text, event), parsed) in texts.iter().zip(&events).zip(parsed) {
        assert_eq!(
            (&parsed["severity"], &parsed["facility"], &parsed["appname"], &parsed["msgid"]),
            (&json!("warning"), &json!("local0"), &json!("bartizan"), &json!("attack_detected"))
        );
        let data = &parsed["structured_data"]["bartizan@32473"];
        assert_eq!((&data["uid"], &data["decision"]), (&json!(event.id), &json!("refused")));
        assert_eq!(data["organization"], spaced(text, &[]), "{parsed}");
        let message: Value = serde_json::from_str(parsed["msg"].as_str().unwrap()).unwrap();
        assert_eq!(message, event.ocsf);
    }
}

#[test]
fn otlp_is_read_as_it_was_written() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let events: Vec<_> = nasty().iter().map(|text| event(text)).collect();
    let question = json!({ "form": "otlp", "text": STANDARD.encode(otlp::request(&events)) });
    let Some(parsed) = parsed(&[question]) else { return };
    let logs = &parsed[0]["resourceLogs"][0];
    assert_eq!(
        logs["resource"]["attributes"][0],
        json!({ "key": "service.name", "value": { "stringValue": "bartizan" } })
    );
    let records = logs["scopeLogs"][0]["logRecords"].as_array().unwrap();
    assert_eq!(records.len(), events.len());
    for (event, record) in events.iter().zip(records) {
        assert_eq!(record["severityNumber"], "SEVERITY_NUMBER_WARN");
        assert_eq!(record["eventName"], "bartizan.attack_detected");
        assert_eq!(record["timeUnixNano"], (event.milliseconds * 1_000_000).to_string());
        assert_eq!(plain(&record["body"]), event.ocsf);
        let attributes = record["attributes"].as_array().unwrap();
        let of =
            |key: &str| attributes.iter().find(|pair| pair["key"] == key).map(|pair| plain(&pair["value"]));
        assert_eq!(of("http.response.status_code"), Some(json!(403)));
        assert_eq!(of("user_agent.original").as_ref(), event.ocsf["http_request"].get("user_agent"));
    }
}

/// What an `AnyValue` says.
fn plain(any: &Value) -> Value {
    let Some((kind, value)) = any.as_object().and_then(|any| any.iter().next()) else { return Value::Null };
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().into_iter().flatten().map(plain).collect(),
        "kvlistValue" => {
            let pairs = value["values"].as_array().into_iter().flatten();
            pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), plain(&pair["value"]))).collect()
        }
        _ => value.clone(),
    }
}

/// As IBM's "LEEF event components" says: the header between pipes, then the delimiter that it names between attributes.
#[test]
fn leef_is_read_as_it_was_written() {
    for text in nasty() {
        let event = event(&text);
        let line = leef::line(&event);
        let parts: Vec<_> = line.splitn(7, '|').collect();
        let [version, vendor, product, _, id, delimiter, attributes] = parts[..] else { panic!("{line}") };
        assert_eq!(
            (version, vendor, product, id, delimiter),
            ("LEEF:2.0", "Bartizan", "Bartizan", "attack_detected", "x09")
        );
        assert!(!attributes.contains(|letter: char| letter.is_control() && letter != '\t'), "{attributes:?}");
        let mut pairs: Vec<_> = attributes.split('\t').map(|pair| pair.split_once('=').unwrap()).collect();
        let of = |key| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let expected = spaced(&text, &[]);
        assert_eq!((of("sev"), of("src"), of("cat")), (Some("5"), Some("192.0.2.7"), Some("http_activity")));
        assert_eq!(
            (of("status"), of("rules"), of("usrName")),
            (Some("403"), Some("942100"), Some(expected.as_str()))
        );
        assert_eq!(of("message"), Some(expected.as_str()));
        pairs.sort_unstable();
        pairs.dedup_by_key(|(name, _)| *name);
        assert_eq!(pairs.len(), attributes.split('\t').count(), "no attribute stands twice");
    }
}

/// The fields that are used here, as "ECS field reference" 8.17 lists them.
const ECS_FIELDS: &[&str] = &[
    "@timestamp",
    "message",
    "ecs.version",
    "event.id",
    "event.kind",
    "event.category",
    "event.type",
    "event.action",
    "event.outcome",
    "event.severity",
    "event.module",
    "event.dataset",
    "event.reason",
    "observer.vendor",
    "observer.product",
    "observer.type",
    "observer.version",
    "source.ip",
    "client.ip",
    "user.id",
    "user.target.id",
    "organization.id",
    "http.request.id",
    "http.request.method",
    "http.request.referrer",
    "http.response.status_code",
    "http.version",
    "url.path",
    "url.query",
    "url.scheme",
    "url.domain",
    "user_agent.original",
    "rule.id",
    "rule.name",
    "rule.description",
    "rule.author",
    "service.name",
    "threat.framework",
    "threat.technique.id",
];
const ECS_CATEGORIES: &[&str] =
    &["authentication", "configuration", "iam", "intrusion_detection", "session", "web"];
const ECS_TYPES: &[&str] =
    &["access", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"];

fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, found);
            }
        }
        _ => found.push(path.into()),
    }
}

#[test]
fn documents_have_fields_of_ecs_and_their_own_object() {
    let mut shown: Vec<_> = Kind::ALL
        .iter()
        .map(|kind| Shown::new(&Event::new(*kind, SystemTime::now(), Decision::Allowed, "x"), false))
        .collect();
    shown.push(event("x"));
    for event in &shown {
        let mut document = ecs::document(event);
        let own = document.as_object_mut().unwrap().remove("bartizan").unwrap();
        assert_eq!(own, event.ocsf["bartizan"]);
        let mut found = Vec::new();
        leaves(&document, "", &mut found);
        let unknown: Vec<_> = found.iter().filter(|field| !ECS_FIELDS.contains(&field.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let listed = |name: &str| document["event"][name].as_array().unwrap().clone();
        assert!(listed("category").iter().all(|value| ECS_CATEGORIES.contains(&value.as_str().unwrap())));
        assert!(listed("type").iter().all(|value| ECS_TYPES.contains(&value.as_str().unwrap())));
        assert!(["alert", "event"].contains(&document["event"]["kind"].as_str().unwrap()));
    }
    let document = ecs::document(&shown[shown.len() - 1]);
    assert_eq!(document["source"]["ip"], "192.0.2.7");
    assert_eq!(document["http"]["response"]["status_code"], 403);
    assert_eq!(document["event"]["severity"], Severity::Medium.number());
}

#[test]
fn what_is_masked_is_in_no_format() {
    let full = Event {
        address: Some([192, 0, 2, 7].into()),
        user: Some("grace-1".into()),
        details: Details {
            subject: Some("grace-2".into()),
            http: Some(Box::new(HttpDetails {
                path: "/letters/grace".into(),
                user_agent: "grace's browser".into(),
                ..HttpDetails::default()
            })),
            ..Details::default()
        },
        ..Event::new(Kind::RoleChanged, SystemTime::now(), Decision::Allowed, "grace was there")
    };
    let masked = Shown::new(&full, true);
    let texts = [
        cef::line(&masked),
        leef::line(&masked),
        ecs::document(&masked).to_string(),
        Header::new(SyslogFacility::Local0, SyslogFormat::Json).message(&masked),
        String::from_utf8_lossy(&otlp::request(&[masked])).into_owned(),
    ];
    for text in texts {
        assert!(!text.contains("grace") && !text.contains("192.0.2.7"), "{text}");
        assert!(text.contains("role_changed"), "{text}");
    }
}
