//! Log records of OpenTelemetry (`opentelemetry.proto.collector.logs.v1`), in protocol buffers.
//!
//! The messages are the few fields that are written, by their numbers in `opentelemetry-proto` 1.x; the body is the event in
//! the shape of OCSF. Attributes have the names of the semantic conventions; our own begin with `bartizan.`.

use bartizan_events::Severity;
use prost::Message;
use serde_json::Value as Json;

use super::VERSION;
use crate::Shown;

/// The request that takes these events to a collector.
pub fn request(events: &[Shown]) -> Vec<u8> {
    let resource =
        Resource { attributes: vec![text("service.name", "bartizan"), text("service.version", VERSION)] };
    let scope = Scope { name: "bartizan.events".into(), version: VERSION.into() };
    let records = events.iter().map(record).collect();
    let scoped = ScopeLogs { scope: Some(scope), log_records: records };
    ExportRequest { resource_logs: vec![ResourceLogs { resource: Some(resource), scope_logs: vec![scoped] }] }
        .encode_to_vec()
}

/// How many records a collector did not take, and why, as its answer says.
pub(crate) fn rejected(answer: &[u8]) -> Option<(usize, String)> {
    let partial = ExportResponse::decode(answer).ok()?.partial_success?;
    let rejected = usize::try_from(partial.rejected_log_records).ok().filter(|rejected| *rejected > 0)?;
    Some((rejected, partial.error_message))
}

fn record(event: &Shown) -> LogRecord {
    let nanoseconds = event.milliseconds.saturating_mul(1_000_000);
    let mut attributes = vec![
        text("log.record.uid", &event.id),
        text("bartizan.event", event.kind.as_str()),
        text("bartizan.class", event.class().as_str()),
        text("bartizan.decision", event.decision.as_str()),
    ];
    for (name, path) in ATTRIBUTES {
        match event.at(path) {
            Some(Json::String(value)) => attributes.push(text(name, value)),
            Some(Json::Number(number)) => {
                attributes.extend(number.as_i64().map(|number| attribute(name, Value::Int(number))));
            }
            _ => {}
        }
    }
    let (number, level) = severity(event.severity);
    LogRecord {
        time_unix_nano: nanoseconds,
        observed_time_unix_nano: nanoseconds,
        severity_number: number,
        severity_text: level.into(),
        body: Some(any(&event.ocsf)),
        attributes,
        event_name: format!("bartizan.{}", event.kind.as_str()),
    }
}

/// Attributes of the semantic conventions, and where their values stand in OCSF.
const ATTRIBUTES: [(&str, &str); 12] = [
    ("client.address", "src_endpoint.ip"),
    ("user.id", "actor.user.uid"),
    ("http.request.method", "http_request.http_method"),
    ("http.response.status_code", "http_response.code"),
    ("url.path", "http_request.url.path"),
    ("url.query", "http_request.url.query_string"),
    ("url.scheme", "http_request.url.scheme"),
    ("server.address", "http_request.url.hostname"),
    ("user_agent.original", "http_request.user_agent"),
    ("http.route", "bartizan.route"),
    ("bartizan.request_id", "metadata.correlation_uid"),
    ("bartizan.reason", "bartizan.reason"),
];

/// The number and the name, as the data model of logs has them.
const fn severity(severity: Severity) -> (i32, &'static str) {
    match severity {
        Severity::Informational => (9, "INFO"),
        Severity::Low => (10, "INFO2"),
        Severity::Medium => (13, "WARN"),
        Severity::High => (17, "ERROR"),
        Severity::Critical => (21, "FATAL"),
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::Text(value.into()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }) }
}

/// Events have few levels, so this goes no deeper than they do.
fn any(json: &Json) -> AnyValue {
    let value = match json {
        Json::Null => None,
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(number) => Some(
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or_default()), Value::Int),
        ),
        Json::String(text) => Some(Value::Text(text.clone())),
        Json::Array(list) => Some(Value::List(List { values: list.iter().map(any).collect() })),
        Json::Object(object) => {
            let pairs =
                object.iter().map(|(key, value)| KeyValue { key: key.clone(), value: Some(any(value)) });
            Some(Value::Pairs(Pairs { values: pairs.collect() }))
        }
    };
    AnyValue { value }
}

#[derive(Clone, PartialEq, Message)]
struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct LogRecord {
    #[prost(fixed64, tag = "1")]
    time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    severity_number: i32,
    #[prost(string, tag = "3")]
    severity_text: String,
    #[prost(message, optional, tag = "5")]
    body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "11")]
    observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    event_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    List(List),
    #[prost(message, tag = "6")]
    Pairs(Pairs),
}

#[derive(Clone, PartialEq, Message)]
struct List {
    #[prost(message, repeated, tag = "1")]
    values: Vec<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct Pairs {
    #[prost(message, repeated, tag = "1")]
    values: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_log_records: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}
