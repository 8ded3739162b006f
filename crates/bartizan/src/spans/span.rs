//! The span of one request.

use std::time::SystemTime;

use bartizan_pipeline::{Outcome, Record, Step};
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{Event, SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::command::version::VERSION;

/// The span of the gateway's own hop: it ends with the head of the answer.
pub(super) fn of(record: &Record) -> SpanData {
    let context = record.trace_context;
    let route = record.route.as_ref().map(|route| route.config.path.as_str());
    let name = route.map_or_else(|| record.method.to_string(), |route| format!("{} {route}", record.method));
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(context.trace_id),
            SpanId::from(context.parent_id),
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ),
        parent_span_id: context.caller_id.map_or(SpanId::INVALID, SpanId::from),
        parent_span_is_remote: context.caller_id.is_some(),
        span_kind: SpanKind::Server,
        name: name.into(),
        start_time: record.arrived,
        end_time: record.arrived + record.took,
        attributes: attributes(record, route),
        dropped_attributes_count: 0,
        events: events(record),
        links: SpanLinks::default(),
        status: status(record),
        instrumentation_scope: InstrumentationScope::builder("bartizan").with_version(VERSION).build(),
    }
}

fn attributes(record: &Record, route: Option<&str>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("http.request.method", record.method.to_string()),
        KeyValue::new("url.path", record.path.to_string()),
        KeyValue::new("http.response.status_code", i64::from(record.status.as_u16())),
        KeyValue::new("client.address", record.client.to_string()),
        KeyValue::new("bartizan.request_id", record.id.to_string()),
    ];
    attributes.extend(route.map(|route| KeyValue::new("http.route", route.to_owned())));
    if let Some(identified) = &record.identified {
        attributes.push(KeyValue::new("enduser.id", identified.principal.id.to_string()));
    }
    if let Some(code) = record.code {
        attributes.push(KeyValue::new("bartizan.code", code.as_str()));
        attributes.push(KeyValue::new("error.type", code.as_str()));
    }
    attributes
}

/// One event per stage, at the moment it ended.
fn events(record: &Record) -> SpanEvents {
    let mut events = SpanEvents::default();
    let mut ended = record.arrived;
    for step in record.trace.steps() {
        ended += step.took;
        events.events.push(event(step, ended));
    }
    events
}

fn event(step: &Step, ended: SystemTime) -> Event {
    let outcome = match step.outcome {
        Outcome::Passed => "passed",
        Outcome::Denied => "denied",
        Outcome::Answered => "answered",
    };
    let mut attributes = vec![
        KeyValue::new("bartizan.outcome", outcome),
        KeyValue::new("bartizan.reason", step.reason.as_str().to_owned()),
    ];
    attributes.extend(step.line.number().map(|line| KeyValue::new("bartizan.config_line", i64::from(line))));
    Event::new(step.stage.as_str(), ended, attributes, 0)
}

/// What a client did wrong is no error of a server span.
fn status(record: &Record) -> Status {
    if record.status.is_server_error() {
        Status::error(record.code.map_or("", |code| code.as_str()))
    } else {
        Status::Unset
    }
}
