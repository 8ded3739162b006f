//! The service that hyper calls: numbers requests, checks what HTTP/2 leaves unchecked, asks for the answer.

use std::{convert::Infallible, sync::Arc};

use bartizan_config::Hardening;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::{body::Incoming, service::Service};

use super::{Answer, ConnectionFacts, body::AnswerBody};
use crate::{
    body::ResponseBody,
    wire::{Violation, request_head::HeadLimits},
};

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
    let limits = HeadLimits::from(hardening);
    let last = hardening.max_requests_per_connection;
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let (answer, facts) = (Arc::clone(&answer), Arc::clone(&facts));
        let (number, in_flight) = facts.wire.start();
        let is_last = number >= last;
        if is_last {
            facts.wire.want_close();
        }
        let is_http2 = request.version() == Version::HTTP_2;
        if is_http2 && let Err(violation) = check(&request, &limits) {
            facts.wire.refuse(number, violation);
        }
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

/// The limits that the guard applies to heads of HTTP/1.1, applied to a request of HTTP/2.
fn check<B>(request: &Request<B>, limits: &HeadLimits) -> Result<(), Violation> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.max_target {
        return Err(Violation::TargetTooLong);
    }
    if request.headers().len() > limits.max_fields {
        return Err(Violation::TooManyFields);
    }
    if limits.refuse_underscores && request.headers().keys().any(|name| name.as_str().contains('_')) {
        return Err(Violation::Underscore);
    }
    Ok(())
}
