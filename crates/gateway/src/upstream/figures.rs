//! The metrics of one target. Handles are made once, so that a request formats no label.

use metrics::{Counter, Gauge};

use super::error::Outcome;

#[derive(Clone)]
pub(super) struct Figures {
    requests: [Counter; Outcome::ALL.len()],
    pub(super) ejections: Counter,
    pub(super) connections: Gauge,
    pub(super) healthy: Gauge,
}

impl Figures {
    pub(super) fn new(upstream: &str, target: &str) -> Self {
        let labels = || vec![("upstream", upstream.to_owned()), ("target", target.to_owned())];
        let figures = Self {
            requests: Outcome::ALL.map(|outcome| {
                let mut labels = labels();
                labels.push(("outcome", outcome.label().to_owned()));
                metrics::counter!("bartizan_upstream_requests_total", &labels)
            }),
            ejections: metrics::counter!("bartizan_upstream_ejections_total", &labels()),
            connections: metrics::gauge!("bartizan_upstream_connections", &labels()),
            healthy: metrics::gauge!("bartizan_upstream_healthy", &labels()),
        };
        figures.healthy.set(1);
        figures
    }

    pub(super) fn count(&self, outcome: Outcome) {
        // `Outcome::ALL` lists the variants in their order.
        if let Some(counter) = self.requests.get(outcome as usize) {
            counter.increment(1);
        }
    }
}
