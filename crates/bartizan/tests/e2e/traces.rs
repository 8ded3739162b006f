//! OpenTelemetry: every request becomes a span that a collector understands, in its caller's trace.

use std::{convert::Infallible, net::SocketAddr};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span, span::SpanKind},
};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use crate::{
    harness::{Gateway, PATIENCE},
    upstream::Upstream,
};

/// An OTLP/HTTP collector that keeps what it is sent.
struct Collector {
    address: SocketAddr,
    received: mpsc::UnboundedReceiver<ResourceSpans>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, (sender, received)) = (listener.local_addr().unwrap(), mpsc::unbounded_channel());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let sender = sender.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let sender = sender.clone();
                    async move {
                        assert_eq!(request.uri().path(), "/v1/traces");
                        assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        let message = ExportTraceServiceRequest::decode(body).unwrap();
                        // The story may have ended.
                        message.resource_spans.into_iter().for_each(|spans| drop(sender.send(spans)));
                        Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, received }
    }

    /// The next spans of one batch.
    async fn spans(&mut self) -> (Vec<KeyValue>, Vec<Span>) {
        let spans = timeout(PATIENCE, self.received.recv()).await.expect("no span arrived").unwrap();
        let all = spans.scope_spans.into_iter().flat_map(|scope| scope.spans).collect();
        (spans.resource.unwrap().attributes, all)
    }
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> &'a str {
    let attribute = attributes.iter().find(|attribute| attribute.key == key);
    match attribute.and_then(|attribute| attribute.value.as_ref()?.value.as_ref()) {
        Some(Value::StringValue(text)) => text,
        other => panic!("`{key}`: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_is_a_span_of_its_callers_trace() {
    let (upstream, mut collector) = (Upstream::start().await, Collector::start().await);
    let gateway = Gateway::start(&format!(
        "telemetry: {{ otlp: \"http://{}\" }}\nroutes: [{{ path: /orders/**, to: \"{upstream}\", auth: none }}]\n",
        collector.address
    ))
    .await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = gateway.client().get(gateway.url("/orders/7?token=secret")).header("traceparent", trace);
    let answer = request.send().await.unwrap();
    let sent_on = upstream.received().await.headers["traceparent"].to_str().unwrap().to_owned();

    let (resource, spans) = collector.spans().await;
    assert_eq!(text(&resource, "service.name"), "bartizan");
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(hexadecimal(&span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hexadecimal(&span.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(sent_on, format!("00-{}-{}-01", hexadecimal(&span.trace_id), hexadecimal(&span.span_id)));
    assert_eq!((span.name.as_str(), span.kind()), ("GET /orders/**", SpanKind::Server));
    assert_eq!(text(&span.attributes, "url.path"), "/orders/7");
    assert_eq!(text(&span.attributes, "bartizan.request_id"), answer.headers()["x-request-id"]);
    assert!(span.end_time_unix_nano > span.start_time_unix_nano);
    let stages: Vec<_> = span.events.iter().map(|event| event.name.as_str()).collect();
    assert!(stages.starts_with(&["protocol", "route", "reputation"]), "{stages:?}");
    assert!(!format!("{span:?}").contains("secret"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_refusal_says_why_and_the_last_spans_are_sent_at_the_end() {
    let mut collector = Collector::start().await;
    let gateway = Gateway::start(&format!(
        "telemetry: {{ otlp: \"http://{}\" }}\nroutes: [{{ path: /a, to: \"http://127.0.0.1:1\", auth: none }}]\n",
        collector.address
    ))
    .await;
    assert_eq!(gateway.get("/b").await.status(), 404);
    gateway.stop().await;
    let (_, spans) = collector.spans().await;
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(span.name, "GET");
    assert_eq!(span.parent_span_id, Vec::<u8>::new(), "the trace starts here");
    assert_eq!(text(&span.attributes, "bartizan.code"), "route_not_found");
    let last = span.events.last().unwrap();
    assert_eq!((last.name.as_str(), text(&last.attributes, "bartizan.outcome")), ("route", "denied"));
}

#[tokio::test]
async fn a_reload_switches_the_export_on_and_off() {
    let (upstream, mut collector) = (Upstream::start().await, Collector::start().await);
    let routes = format!("routes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\n");
    let gateway = Gateway::start(&routes).await;
    gateway.get("/before").await;
    gateway.rewrite(&format!("telemetry: {{ otlp: \"http://{}\" }}\n{routes}", collector.address));
    gateway.cli(["reload"]).await.succeeded();
    gateway.get("/during").await;
    let (_, spans) = collector.spans().await;
    let paths: Vec<_> = spans.iter().map(|span| text(&span.attributes, "url.path")).collect();
    assert_eq!(paths, ["/during"]);
    gateway.rewrite(&routes);
    gateway.cli(["reload"]).await.succeeded();
    gateway.get("/after").await;
    gateway.stop().await;
    assert!(collector.received.try_recv().is_err());
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_once_and_costs_no_request() {
    let upstream = Upstream::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gateway = Gateway::start(&format!(
        "telemetry: {{ otlp: \"http://{nobody}\" }}\nroutes: [{{ path: /**, to: \"{upstream}\", auth: none }}]\n"
    ))
    .await;
    assert_eq!(gateway.get("/").await.status(), 200);
    gateway.log(|line| line["message"].as_str().is_some_and(|text| text.contains("spans"))).await;
    assert!(gateway.metric("bartizan_spans_dropped_total").await >= 1.0);
    gateway.stop().await;
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
