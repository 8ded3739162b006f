//! From what the connection brings to an exchange at the start of the road.

use std::sync::Arc;

use bartizan_config::Config;
use bartizan_model::{Line, RequestId, TraceContext};
use bartizan_pipeline::{ClientFacts, Code, Exchange, HeldBytes, Outcome, Refusal, Stage};
use http::{HeaderName, Method, Request, Uri, request::Parts};
use hyper::body::Incoming;

use crate::{
    body::{ClientBody, Pace, Room},
    connection::ConnectionFacts,
    forwarded::Forwarded,
    tls::client_certificate,
    wire::Violation,
};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The exchange of a request, and its body, which counts towards `all_held` while it is held.
pub(crate) fn exchange<'a>(
    request: Request<Incoming>,
    connection: &ConnectionFacts,
    config: &Config,
    all_held: &'a Arc<HeldBytes>,
) -> (Exchange, ClientBody<'a>) {
    let (head, incoming) = request.into_parts();
    let id = head.headers.get(X_REQUEST_ID).and_then(|value| RequestId::try_from(value).ok());
    let trace_context = only_value(&head, &TRACEPARENT).and_then(|value| TraceContext::try_from(value).ok());
    let exchange = Exchange::new(
        id.unwrap_or_else(RequestId::generate),
        trace_context.map_or_else(TraceContext::start, TraceContext::next_hop),
        client(&head, connection, config),
        head,
    );
    let hardening = &config.hardening;
    let pace = Pace::at_least(hardening.min_rate, hardening.rate_window);
    let room = Room { all_held, limit: hardening.max_held_bytes };
    (exchange, ClientBody::new(incoming, pace, room))
}

/// The refusal of a request that the wire guard did not let through. The exchange holds a stand-in, which must not pass
/// for what the client sent: `- *` stands for "not read".
pub(crate) fn refuse_malformed(exchange: &mut Exchange, violation: Violation) -> Refusal {
    exchange.head.method = Method::from_bytes(b"-").unwrap_or_default();
    exchange.head.uri = Uri::from_static("*");
    let code = match violation.status().as_u16() {
        408 => Code::RequestTimeout,
        414 => Code::UriTooLong,
        431 => Code::HeadersTooLarge,
        505 => Code::VersionNotSupported,
        _ => Code::MalformedRequest,
    };
    let refusal = Refusal::new(code, violation.to_string()).closing();
    exchange.mark(Stage::Protocol, Outcome::Denied, refusal.reason.clone(), Line::NONE);
    refusal
}

fn client(head: &Parts, connection: &ConnectionFacts, config: &Config) -> ClientFacts {
    let peer = connection.client.ip();
    let forwarded = if connection.may_forward {
        Forwarded::read(&head.headers, peer, &config.listen.trusted_proxies)
    } else {
        None
    };
    let tls = connection.tls.as_ref();
    ClientFacts {
        address: forwarded.map_or(peer.to_canonical(), |forwarded| forwarded.address),
        peer: connection.client,
        local: connection.local,
        secure: forwarded.and_then(|forwarded| forwarded.secure).unwrap_or(tls.is_some()),
        is_disputed: forwarded.is_some_and(|forwarded| forwarded.is_disputed),
        certificate: match forwarded {
            Some(_) => {
                client_certificate::behind_proxy(&head.headers, config.listen.client_cert).map(Arc::new)
            }
            None if connection.may_forward => tls.and_then(|tls| tls.client_certificate.clone()),
            // The proxy's own, or that of somebody it does not know.
            None => None,
        },
    }
}

fn only_value<'h>(head: &'h Parts, name: &HeaderName) -> Option<&'h http::HeaderValue> {
    let mut values = head.headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { None } else { first }
}
