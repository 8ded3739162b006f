//! Holds the request body, or the front of it, as the route says. This is where content is inspected: the body
//! is complete up to its limit before a byte of it reaches the service behind.
//!
//! gRPC is not held by `hold`: it is a conversation, and waiting for its end would end it. `refuse` makes no such
//! exception, and neither does a firewall that refuses, unless the service is said to speak HTTP/2: nothing reaches
//! a route of that kind unread by claiming to be gRPC. And where a signature speaks of the content, all of it is held and
//! verified before anything is forwarded, whatever the route says.

use bartizan_config::{BodyPolicy, Route};
use bartizan_identity::ExpectedContent;
use bytes::Bytes;

use super::{Passed, authenticate};
use crate::{Code, Exchange, HeldBytes, NoRoom, Refusal, Reservation, Stop};

/// Bytes held of a body that the route streams, where a signature speaks of it.
const HELD_OF_STREAMS: usize = 64 * 1024;

/// What there is to do about calls that stream and are held for the firewall.
const HELD_GRPC: &str = "; gRPC is streamed past the firewall only where the upstream says `protocol: http2`";

/// A request body that can be held. Implemented by whoever owns the connection.
pub trait HoldBody: Send {
    /// The length the client declared; `None` when it did not.
    fn declared_length(&self) -> Option<u64>;

    /// Reads until the end or until more than `limit` bytes are there. What was read stays in the body.
    fn hold(&mut self, limit: usize) -> impl Future<Output = Result<Held, BodyFailure>> + Send;

    /// What is held of it.
    fn held(&self) -> Bytes;

    /// Room beside it, for what is made of it: nothing yet, under the same limit.
    fn reserve(&self) -> Reservation;
}

/// The body of a request that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoBody;

impl HoldBody for NoBody {
    fn declared_length(&self) -> Option<u64> {
        Some(0)
    }

    async fn hold(&mut self, _limit: usize) -> Result<Held, BodyFailure> {
        Ok(Held::Whole(0))
    }

    fn held(&self) -> Bytes {
        Bytes::new()
    }

    fn reserve(&self) -> Reservation {
        HeldBytes::new().reserve(u64::MAX)
    }
}

/// How far holding came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The whole body, of this many bytes.
    Whole(usize),
    /// More than the limit; this many bytes so far.
    Front(usize),
}

/// Why a body could not be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFailure {
    /// Slower than the listener's minimum.
    TooSlow,
    /// Broken off or malformed.
    Incomplete,
    /// More than the gateway has memory for at the moment.
    NoRoom,
}

/// How much of the body is held now, and why; `None`: it is streamed.
pub(crate) async fn run(
    exchange: &Exchange,
    body: &mut impl HoldBody,
) -> Result<(Passed, Option<Held>), Stop> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen").into());
    };
    if let Some(expected) = &exchange.expected_content {
        let (passed, length) = prove(exchange, expected, body).await?;
        return Ok((passed, Some(Held::Whole(length))));
    }
    let (config, declared) = (&route.config, body.declared_length());
    if declared == Some(0) {
        return Ok((Passed::at_once("no body", config.line), Some(Held::Whole(0))));
    }
    if declared.is_some_and(|length| length > config.max_body) {
        return Err(too_large().into());
    }
    let inspected = config.waf.as_ref().map_or(0, |waf| waf.max_body);
    let is_grpc = matches!(config.body, BodyPolicy::Hold { .. }) && exchange.is_grpc();
    let limit = match config.body {
        BodyPolicy::Stream => return Ok((Passed::because("streamed", config.line), None)),
        BodyPolicy::Hold { .. } if is_grpc && route.streams_grpc => {
            return Ok((Passed::because("gRPC, streamed", config.line), None));
        }
        BodyPolicy::Refuse { limit } if declared.is_some_and(|length| length > limit as u64) => {
            return Err(too_large().into());
        }
        BodyPolicy::Hold { limit } => limit.max(inspected),
        BodyPolicy::Refuse { limit } => limit,
    };
    // A length that nobody declared is known only now: never hold more than the route admits at all.
    let limit = limit.min(usize::try_from(config.max_body).unwrap_or(usize::MAX));
    match body.hold(limit).await {
        Ok(held @ Held::Whole(length)) => {
            let why = if is_grpc { HELD_GRPC } else { "" };
            Ok((Passed::because(format!("held {length} bytes{why}"), config.line), Some(held)))
        }
        Ok(Held::Front(length))
            if matches!(config.body, BodyPolicy::Refuse { .. }) || length as u64 > config.max_body =>
        {
            Err(too_large().into())
        }
        Ok(held @ Held::Front(length)) => {
            let reason = format!("held the first {length} bytes, streaming the rest");
            Ok((Passed::because(reason, config.line), Some(held)))
        }
        Err(failure) => {
            let mut refusal = failed(failure);
            if is_grpc {
                refusal.reason = format!("{}{HELD_GRPC}", refusal.reason).into();
            }
            Err(refusal.into())
        }
    }
}

/// Holds all of the body, of which something must be known before anybody else may see it. One that is too large to be
/// held is refused; where the route streams, no more is held than where it says nothing.
pub(crate) async fn hold_whole(config: &Route, body: &mut impl HoldBody) -> Result<usize, Refusal> {
    let inspected = config.waf.as_ref().map_or(0, |waf| waf.max_body);
    let limit = match config.body {
        BodyPolicy::Stream => HELD_OF_STREAMS,
        BodyPolicy::Hold { limit } => limit.max(inspected),
        BodyPolicy::Refuse { limit } => limit,
    };
    let limit = limit.min(usize::try_from(config.max_body).unwrap_or(usize::MAX));
    if body.declared_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    match body.hold(limit).await {
        Ok(Held::Whole(length)) => Ok(length),
        Ok(Held::Front(_)) => Err(too_large()),
        Err(failure) => Err(failed(failure)),
    }
}

/// Whether the content is what the caller has signed.
async fn prove(
    exchange: &Exchange,
    expected: &ExpectedContent,
    body: &mut impl HoldBody,
) -> Result<(Passed, usize), Refusal> {
    let Some(route) = &exchange.route else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen"));
    };
    let refused = |error| match &route.selection {
        Some(selection) => authenticate::refusal(&error, selection),
        None => Refusal::new(Code::SecurityCheckFailed, error.to_string()),
    };
    let length = hold_whole(&route.config, body).await?;
    expected.verify(&body.held()).map_err(refused)?;
    Ok((Passed::because(format!("held {length} bytes, as they were signed"), route.config.line), length))
}

fn too_large() -> Refusal {
    Refusal::new(Code::BodyTooLarge, "longer than the route's limit").closing()
}

fn failed(failure: BodyFailure) -> Refusal {
    match failure {
        BodyFailure::TooSlow => Refusal::new(Code::BodyTooSlow, "below the minimum rate").closing(),
        BodyFailure::Incomplete => Refusal::new(Code::BodyIncomplete, "broken off or malformed").closing(),
        BodyFailure::NoRoom => Refusal::overloaded(NoRoom.to_string()).closing(),
    }
}
