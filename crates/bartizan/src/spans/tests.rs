use std::time::SystemTime;

use bartizan_model::TraceContext;
use bartizan_pipeline::{Asked, LimitAccount, Trace};
use http::{Method, StatusCode};

use super::*;

fn record(sampled: bool) -> Arc<Record> {
    Arc::new(Record {
        id: "a-request".parse().unwrap(),
        trace_context: TraceContext { sampled, ..TraceContext::start() },
        arrived: SystemTime::now(),
        took: Duration::from_millis(2),
        client: [192, 0, 2, 1].into(),
        secure: false,
        method: Method::GET,
        path: "/".into(),
        asked: Asked::default(),
        route: None,
        identified: None,
        moved: false,
        status: StatusCode::OK,
        code: None,
        trace: Trace::default(),
        judged: None,
        limits: LimitAccount::default(),
        inspected: None,
    })
}

#[tokio::test]
async fn a_collector_that_does_not_answer_costs_spans_and_no_request() {
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let records = Records::with_capacity(1);
    let spans = Spans::observing(&records);
    spans.export_to(Some(&format!("http://{}", collector.local_addr().unwrap()))).unwrap();
    // Nobody waits here, whatever the collector does.
    for _ in 0..3 * QUEUE {
        records.push(record(true));
    }
    let queue = spans.queue.load_full().unwrap();
    assert_eq!(queue.capacity(), 0, "the queue is full and stays as long as it is");
    spans.export_to(None).unwrap();
    assert!(spans.queue.load().is_none());
}

#[tokio::test]
async fn what_the_caller_does_not_record_is_not_recorded_here() {
    let records = Records::with_capacity(1);
    let spans = Spans::observing(&records);
    spans.export_to(Some("http://127.0.0.1:1")).unwrap();
    let queue = spans.queue.load_full().unwrap();
    records.push(record(false));
    assert_eq!(queue.capacity(), QUEUE);
    records.push(record(true));
    assert_eq!(queue.capacity(), QUEUE - 1);
}

#[tokio::test]
async fn a_collector_that_stays_the_same_keeps_its_queue() {
    let spans = Spans::observing(&Records::with_capacity(1));
    let queue = || spans.queue.load_full();
    spans.export_to(Some("http://127.0.0.1:1")).unwrap();
    let first = queue().unwrap();
    spans.export_to(Some("http://127.0.0.1:1")).unwrap();
    assert!(Arc::ptr_eq(&first, &queue().unwrap()));
    spans.export_to(Some("http://127.0.0.1:2")).unwrap();
    assert!(!Arc::ptr_eq(&first, &queue().unwrap()));
}
