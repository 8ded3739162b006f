//! Documents of the Elastic Common Schema, version 8.17. What it has no field for stands in the object `bartizan`.

use bartizan_events::{Class, Decision, Kind, Outcome};
use serde_json::{Map, Value, json};

use super::{PRODUCT, VERSION, cef::techniques};
use crate::Shown;

/// The version whose fields are written.
pub const ECS_VERSION: &str = "8.17.0";

/// The event as a document.
pub fn document(event: &Shown) -> Value {
    let mut document = Map::new();
    document.insert("@timestamp".into(), event.timestamp().into());
    document.insert("ecs".into(), json!({ "version": ECS_VERSION }));
    document.insert("event".into(), own(event));
    document.insert(
        "observer".into(),
        json!({ "vendor": PRODUCT, "product": PRODUCT, "type": "gateway", "version": VERSION }),
    );
    if let Some(address) = event.address("src_endpoint.ip") {
        let address = json!({ "ip": address.to_string() });
        document.insert("source".into(), address.clone());
        document.insert("client".into(), address);
    }
    for (field, path) in FIELDS {
        if let Some(value) = event.at(path).filter(|value| value.is_string() || value.is_number()) {
            insert(&mut document, field, value.clone());
        }
    }
    if let Some(version) = event.text("http_request.version") {
        insert(&mut document, "http.version", version.into());
    }
    let rules = event.texts("bartizan.rules");
    if !rules.is_empty() {
        insert(&mut document, "rule.id", json!(rules));
    }
    let techniques = techniques(event);
    if !techniques.is_empty() {
        insert(&mut document, "threat.framework", "MITRE ATT&CK".into());
        insert(&mut document, "threat.technique.id", json!(techniques));
    }
    if let Some(own) = event.at("bartizan") {
        document.insert("bartizan".into(), own.clone());
    }
    Value::Object(document)
}

/// Fields of ECS, and where their values stand in OCSF.
const FIELDS: [(&str, &str); 17] = [
    ("message", "message"),
    ("user.id", "actor.user.uid"),
    ("user.target.id", "user.uid"),
    ("organization.id", "bartizan.organization"),
    ("http.request.id", "metadata.correlation_uid"),
    ("http.request.method", "http_request.http_method"),
    ("http.request.referrer", "http_request.referrer"),
    ("http.response.status_code", "http_response.code"),
    ("url.path", "http_request.url.path"),
    ("url.query", "http_request.url.query_string"),
    ("url.scheme", "http_request.url.scheme"),
    ("url.domain", "http_request.url.hostname"),
    ("user_agent.original", "http_request.user_agent"),
    ("rule.name", "finding_info.title"),
    ("rule.description", "finding_info.desc"),
    ("rule.author", "bartizan.finding.author"),
    ("service.name", "dst_endpoint.svc_name"),
];

/// `event`.
fn own(event: &Shown) -> Value {
    let (kind, category, mut types) = categories(event);
    if event.class() == Class::HttpActivity {
        types.push(match event.decision {
            Decision::Refused | Decision::Challenged => "denied",
            Decision::Allowed | Decision::Observed => "allowed",
        });
    }
    let mut own = json!({
        "id": event.id,
        "kind": kind,
        "category": category,
        "type": types,
        "action": event.kind.as_str(),
        "outcome": match event.outcome {
            Some(Outcome::Success) => "success",
            Some(Outcome::Failure) => "failure",
            None => "unknown",
        },
        "severity": event.severity.number(),
        "module": "bartizan",
        "dataset": "bartizan.events",
    });
    if let (Some(reason), Some(own)) = (event.text("bartizan.reason"), own.as_object_mut()) {
        own.insert("reason".into(), reason.into());
    }
    own
}

/// `event.kind`, `event.category` and `event.type`, by the values that ECS allows.
fn categories(event: &Shown) -> (&'static str, Vec<&'static str>, Vec<&'static str>) {
    match (event.class(), event.kind) {
        (_, Kind::AttackDetected) => ("alert", vec!["web", "intrusion_detection"], vec!["access"]),
        (Class::HttpActivity, _) => ("event", vec!["web"], vec!["access"]),
        (Class::Authentication, Kind::SessionEnded) => {
            ("event", vec!["authentication", "session"], vec!["end"])
        }
        (Class::Authentication, Kind::AuthenticationSucceeded | Kind::AuthenticationFailed) => {
            ("event", vec!["authentication"], vec!["start"])
        }
        (Class::Authentication, Kind::SessionStarted) => {
            ("event", vec!["authentication", "session"], vec!["start"])
        }
        (Class::Authentication, _) => ("event", vec!["authentication"], vec!["info"]),
        (Class::AccountChange, Kind::AccountCreated) => ("event", vec!["iam"], vec!["user", "creation"]),
        (Class::AccountChange, Kind::AccountDeleted) => ("event", vec!["iam"], vec!["user", "deletion"]),
        (Class::AccountChange, _) => ("event", vec!["iam"], vec!["user", "change"]),
        (Class::ApiActivity, _) => ("event", vec!["configuration"], vec!["change"]),
        (Class::DetectionFinding | Class::IncidentFinding, _) => {
            ("alert", vec!["intrusion_detection"], vec!["info"])
        }
    }
}

/// Puts a value at a path; steps are parted by dots. No step of our paths is a value already.
fn insert(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            object.insert(path.into(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                insert(inner, rest, value);
            }
        }
    }
}
