//! OpenTelemetry: one server span per request, with its stages as events, sent to an OTLP/HTTP collector.
//!
//! Spans are made from the records of finished requests, away from the road: a bounded queue takes them, one task
//! sends them in batches. When the collector is slow or not there, spans are dropped and counted; requests never
//! wait. A caller that does not record its trace (`traceparent` without the sampled flag) is not recorded here.
//!
//! Names of attributes are those of the OpenTelemetry semantic conventions for HTTP; the gateway's own start with
//! `bartizan.`.

mod span;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use arc_swap::ArcSwapOption;
use bartizan_pipeline::{Record, Records};
use metrics::{Counter, counter};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SpanExporter as _};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use crate::command::version::VERSION;

/// Records that wait to be sent.
const QUEUE: usize = 4096;
/// Spans sent at once.
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the last spans may take at the end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The export of spans, on or off. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Spans {
    queue: Arc<ArcSwapOption<mpsc::Sender<Arc<Record>>>>,
    export: Arc<Mutex<Option<Export>>>,
}

#[derive(Debug)]
struct Export {
    collector: String,
    task: JoinHandle<()>,
}

impl Spans {
    /// Watches `records`; exports nothing yet.
    pub(crate) fn observing(records: &Records) -> Self {
        let queue: Arc<ArcSwapOption<mpsc::Sender<_>>> = Arc::default();
        let (sender, dropped) = (Arc::clone(&queue), dropped());
        records.observe(move |record| {
            if let Some(sender) = sender.load().as_deref().filter(|_| record.trace_context.sampled)
                && sender.try_send(Arc::clone(record)).is_err()
            {
                dropped.increment(1);
            }
        });
        Self { queue, export: Arc::default() }
    }

    /// Exports to `collector` from now on; `None` exports nothing. What waits for another collector is still sent.
    pub(crate) fn export_to(&self, collector: Option<&str>) -> Result<()> {
        let mut export = self.export.lock().unwrap_or_else(PoisonError::into_inner);
        if export.as_ref().map(|export| export.collector.as_str()) == collector {
            return Ok(());
        }
        let next = collector
            .map(|collector| Ok::<_, anyhow::Error>((collector, exporter(collector)?)))
            .transpose()?;
        let Some((collector, exporter)) = next else {
            self.queue.store(None);
            *export = None;
            return Ok(());
        };
        let (sender, records) = mpsc::channel(QUEUE);
        let task = tokio::spawn(send_all(records, exporter));
        self.queue.store(Some(Arc::new(sender)));
        *export = Some(Export { collector: collector.into(), task });
        Ok(())
    }

    /// Sends what waits and stops.
    pub(crate) async fn finish(&self) {
        self.queue.store(None);
        let export = self.export.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Export { task, collector }) = export
            && timeout(FAREWELL, task).await.is_err()
        {
            tracing::warn!(collector, "the last spans could not be sent in time");
        }
    }
}

fn dropped() -> Counter {
    counter!("bartizan_spans_dropped_total")
}

/// OTLP over HTTP, in protocol buffers.
fn exporter(collector: &str) -> Result<SpanExporter> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .build()
        .context("cannot prepare to send spans")?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
        .with_timeout(PATIENCE)
        .build()
        .with_context(|| format!("`telemetry.otlp` cannot be used: `{collector}`"))?;
    let version = opentelemetry::KeyValue::new("service.version", VERSION);
    exporter.set_resource(&Resource::builder().with_service_name("bartizan").with_attribute(version).build());
    Ok(exporter)
}

/// Sends batches until nobody records any more and the queue is empty.
async fn send_all(mut records: mpsc::Receiver<Arc<Record>>, exporter: SpanExporter) {
    let (mut batch, mut failing, dropped) = (Vec::with_capacity(BATCH), false, dropped());
    while fill(&mut batch, &mut records).await {
        let count = batch.len();
        let spans = batch.drain(..).map(|record| span::of(&record)).collect();
        match exporter.export(spans).await {
            Ok(()) if failing => {
                failing = false;
                tracing::info!("the collector takes spans again");
            }
            Ok(()) => {}
            Err(error) => {
                dropped.increment(u64::try_from(count).unwrap_or(u64::MAX));
                if !failing {
                    tracing::warn!(%error, "the collector does not take spans: they are dropped");
                }
                failing = true;
            }
        }
    }
}

/// Waits for a record, then a little for more. False at the end.
async fn fill(batch: &mut Vec<Arc<Record>>, records: &mut mpsc::Receiver<Arc<Record>>) -> bool {
    if records.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = Instant::now() + DELAY;
    while batch.len() < BATCH {
        match timeout_at(until, records.recv_many(batch, BATCH - batch.len())).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    true
}

#[cfg(test)]
mod tests;
