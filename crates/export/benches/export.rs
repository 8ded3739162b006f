//! How many events a second are made into what receivers read, and are written down for them.
//!
//! A batch of 500 refused requests, as the writer of events hands them over. `spool` includes the disk (`fdatasync`).

#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::time::SystemTime;

use bartizan_config::{Config, Source, SyslogFacility, SyslogFormat};
use bartizan_events::{Decision, Details, Event, HttpDetails, Kind, Tap};
use bartizan_export::{
    Exports, Plan, Shown,
    format::{ecs, otlp, syslog::Header},
};
use divan::{Bencher, counter::ItemsCount};

const BATCH: usize = 500;

fn main() {
    divan::main();
}

fn batch() -> Vec<Event> {
    let made = |index: usize| {
        let http = HttpDetails {
            method: "GET".into(),
            path: format!("/orders/{index}"),
            query: "id=1%27%20or%201=1".into(),
            host: "shop.test".into(),
            secure: true,
            version: "1.1".into(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".into(),
            status: Some(403),
            latency: Some(2),
            ..HttpDetails::default()
        };
        let details = Details { http: Some(Box::new(http)), score: Some(15), ..Details::default() };
        Event {
            address: Some([192, 0, 2, 7].into()),
            route: Some("/orders/**".into()),
            request: Some("01J9ZQ4T7M8N6P5R3S2V1W0XYZ".into()),
            rules: vec!["942100".into(), "949110".into()],
            details,
            ..Event::new(Kind::AttackDetected, SystemTime::now(), Decision::Refused, "the firewall objects")
        }
    };
    (0..BATCH).map(made).collect()
}

fn shown() -> Vec<Shown> {
    batch().iter().map(|event| Shown::new(event, false)).collect()
}

#[divan::bench]
fn shape(bencher: Bencher<'_, '_>) {
    let events = batch();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench(|| events.iter().map(|event| Shown::new(event, false)).collect::<Vec<_>>());
}

#[divan::bench(args = [SyslogFormat::Json, SyslogFormat::Cef, SyslogFormat::Leef])]
fn syslog(bencher: Bencher<'_, '_>, format: SyslogFormat) {
    let (events, header) = (shown(), Header::new(SyslogFacility::Local0, format));
    bencher.counter(ItemsCount::new(BATCH)).bench(|| {
        let mut frames = Vec::new();
        for event in &events {
            header.frame(event, &mut frames);
        }
        frames
    });
}

#[divan::bench]
fn elastic(bencher: Bencher<'_, '_>) {
    let events = shown();
    bencher
        .counter(ItemsCount::new(BATCH))
        .bench(|| events.iter().map(|event| ecs::document(event).to_string()).collect::<Vec<_>>());
}

#[divan::bench]
fn opentelemetry(bencher: Bencher<'_, '_>) {
    let events = shown();
    bencher.counter(ItemsCount::new(BATCH)).bench(|| otlp::request(&events));
}

/// Through the tap into the spools of `exports` receivers, none of which answers.
#[divan::bench(args = [1, 4])]
fn spool(bencher: Bencher<'_, '_>, exports: usize) {
    let folder = tempfile::tempdir().expect("a directory");
    let one = |index| format!("  e{index}: {{ syslog: {{ to: \"tcp://127.0.0.1:1\" }}, spool: 1GiB }}\n");
    let listed: String = (0..exports).map(one).collect();
    let document = format!(
        "version: 1\nlisten: {{ http: \"127.0.0.1:0\" }}\nexports:\n{listed}routes: [{{ path: /**, to: \"http://127.0.0.1:1\", auth: none }}]\n"
    );
    let config = Config::parse(&document, &Source::text(folder.path())).expect("a configuration").config;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    let plan = Plan::new(&config.exports).expect("a plan");
    let running = Exports::start(folder.path().join("exports"), plan).expect("a directory");
    let events = batch();
    bencher.counter(ItemsCount::new(BATCH)).bench(|| running.take(&events));
}
