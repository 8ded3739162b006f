//! What the data plane counts per request. Handles are made once per route: nothing is looked up on the road.

use std::time::Duration;

use bartizan_config::Route;
use bartizan_pipeline::{Exchange, Refusal};
use http::StatusCode;
use metrics::{Counter, Histogram, counter, histogram};

use crate::gateway::Generation;

/// The meters of one route.
#[derive(Debug)]
pub(crate) struct RouteMetrics {
    /// By the first digit of the status, 1 to 5.
    answers: [Counter; 5],
    seconds: Histogram,
}

impl RouteMetrics {
    pub(crate) fn new(route: &Route) -> Self {
        let path = route.path.as_str().to_owned();
        let answers = ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .map(|status| counter!("bartizan_requests_total", "route" => path.clone(), "status" => status));
        Self { answers, seconds: histogram!("bartizan_request_duration_seconds", "route" => path) }
    }

    fn count(&self, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(answers) = self.answers.get(class) {
            answers.increment(1);
        }
        self.seconds.record(took);
    }
}

/// Counts an answer of a route.
pub(crate) fn count_answer(exchange: &Exchange, status: StatusCode, generation: &Generation) {
    let route = exchange.route.as_ref().and_then(|route| generation.metrics.get(route.index.0));
    if let Some(route) = route {
        route.count(status, exchange.started.elapsed());
    }
}

/// Counts a refusal by the stage that refused and its code.
pub(crate) fn count_refusal(exchange: &Exchange, refusal: &Refusal) {
    let stage = exchange.trace.steps().last().map_or("protocol", |step| step.stage.as_str());
    counter!("bartizan_refusals_total", "stage" => stage, "code" => refusal.code.as_str()).increment(1);
}
