//! One request through the data plane, top to bottom: arrive, decide, forward, depart.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bartizan_config::Destination;
use bartizan_pipeline::{Exchange, HeldBytes, Records, Verdict};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::watch;

use crate::{
    arrive,
    body::ResponseBody,
    connection::{Answer, ConnectionFacts},
    depart::Departure,
    forward::Forwarder,
    gateway::Generation,
    local,
};

/// Answers the requests of the proxy listeners.
#[derive(Debug)]
pub(crate) struct Service {
    generation: Arc<ArcSwap<Generation>>,
    records: Arc<Records>,
    held: Arc<HeldBytes>,
    shutdown: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(
        generation: Arc<ArcSwap<Generation>>,
        records: Arc<Records>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self { generation, records, held: HeldBytes::new(), shutdown }
    }
}

impl Answer for Service {
    async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<ConnectionFacts>,
        number: u64,
    ) -> Response<ResponseBody> {
        let generation = self.generation.load_full();
        let (mut exchange, mut body) = arrive::exchange(request, connection, &generation.config, &self.held);
        let verdict = match connection.wire.violation(number) {
            Some(violation) => Verdict::Deny(arrive::refuse_malformed(&mut exchange, violation)),
            None => generation.pipeline.decide(&mut exchange, &mut body).await,
        };
        let departure = Departure::prepare(&exchange, &verdict);
        let answer = match verdict {
            Verdict::Pass if leads_to_accounts(&exchange) => {
                local::answer(generation.accounts.as_ref(), &mut exchange, body).await
            }
            Verdict::Pass => {
                let (held, shutdown) = (&self.held, &self.shutdown);
                let forwarder = Forwarder { generation: &generation, connection, shutdown, held };
                forwarder.forward(&mut exchange, body, departure.nonce()).await
            }
            Verdict::Deny(refusal) => Err(refusal),
            Verdict::Answer(preflight) => {
                let mut response = Response::new(ResponseBody::EMPTY);
                *response.status_mut() = StatusCode::NO_CONTENT;
                *response.headers_mut() = preflight.headers;
                Ok(response)
            }
        };
        departure.depart(exchange, answer, &generation, &self.records)
    }
}

fn leads_to_accounts(exchange: &Exchange) -> bool {
    exchange.route.as_ref().is_some_and(|route| route.config.destination == Destination::Accounts)
}
