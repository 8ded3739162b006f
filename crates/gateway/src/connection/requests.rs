//! The service that hyper calls: numbers requests, asks for the answer, and knows which one is the last.
//!
//! The guard judges heads of HTTP/1.1 only. Those of HTTP/2, which no two servers read differently, are held to the
//! same limits by the first stage of the road.

use std::{convert::Infallible, sync::Arc};

use bartizan_config::Hardening;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::{body::Incoming, service::Service};

use super::{Answer, ConnectionFacts, body::AnswerBody};
use crate::body::ResponseBody;

/// Answers the requests of one connection.
pub(super) fn service<A: Answer>(
    answer: Arc<A>,
    facts: Arc<ConnectionFacts>,
    hardening: &Hardening,
) -> impl Service<
    Request<Incoming>,
    Response = Response<AnswerBody<ResponseBody>>,
    Error = Infallible,
    Future: Send + 'static,
> + 'static {
    let last = hardening.max_requests_per_connection;
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let (answer, facts) = (Arc::clone(&answer), Arc::clone(&facts));
        let (number, in_flight) = facts.wire.start();
        let is_last = number >= last;
        if is_last {
            facts.wire.want_close();
        }
        let is_http2 = request.version() == Version::HTTP_2;
        async move {
            let mut response = answer.answer(request, &facts, number).await;
            if is_last && !is_http2 {
                // Several requests may be answered before anybody looks whether to close.
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| AnswerBody::new(body, in_flight, is_http2)))
        }
    })
}
