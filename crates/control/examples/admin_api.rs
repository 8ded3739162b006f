//! temporary
use bartizan_control::*;
use bartizan_model::*;
use bartizan_pipeline::*;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

struct Fixed;
impl System for Fixed {
    fn status(&self) -> Status {
        let now = SystemTime::now().into();
        Status {
            version: "0.1.0".into(),
            started: now,
            uptime_seconds: 3,
            ready: true,
            draining: false,
            configuration: ConfigurationStatus {
                revision: "abc".into(),
                path: None,
                loaded_at: now,
                last_failure: None,
            },
            listeners: vec![bartizan_control::Listener {
                kind: ListenerKind::Admin,
                address: "127.0.0.1:1".into(),
            }],
        }
    }
    fn reload(&self) -> ReloadFuture<'_> {
        Box::pin(async { Ok(Reloaded { revision: "abc".into(), changed: false, warnings: vec![] }) })
    }
    fn upstreams(&self) -> Vec<UpstreamStatus> {
        vec![UpstreamStatus {
            name: "orders".into(),
            targets: vec![TargetStatus {
                url: "http://o".into(),
                health: TargetHealth::Healthy,
                requests_in_flight: 0,
            }],
        }]
    }
    fn metrics(&self) -> String {
        "# TYPE bartizan_up gauge\nbartizan_up 1\n".into()
    }
}

#[tokio::main]
async fn main() {
    let records = Arc::new(Records::with_capacity(10));
    let head = http::Request::builder().uri("/a?b").body(()).unwrap().into_parts().0;
    let client = ClientFacts {
        address: "127.0.0.1".parse().unwrap(),
        peer: "127.0.0.1:1".parse().unwrap(),
        secure: false,
        certificate: None,
    };
    let mut exchange = Exchange::new("known".parse().unwrap(), TraceContext::start(), client, head);
    exchange.trace.push(Step {
        stage: Stage::Route,
        outcome: Outcome::Passed,
        reason: "x".into(),
        line: Line::new(3),
        took: Duration::from_micros(3),
    });
    records.push(Arc::new(Record::of(exchange, http::StatusCode::OK, None)));
    let token = AdminToken::create_or_read("/tmp/st-token".as_ref()).unwrap();
    let control = Control::new(Arc::new(Fixed), records, Arc::default(), token);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    std::fs::write("/tmp/st-addr", listener.local_addr().unwrap().to_string()).unwrap();
    control.serve(listener, None, std::future::pending()).await;
}
