//! Holds the request body, or the front of it, as the route says. This is where content is inspected: the body
//! is complete up to its limit before a byte of it reaches the service behind.
//!
//! gRPC is not held by `hold`: it is a conversation, and waiting for its end would end it. `refuse` makes no such
//! exception, so nothing reaches a route of that kind unread by claiming to be gRPC.

use bartizan_config::BodyPolicy;
use bytes::Bytes;

use super::Passed;
use crate::{Code, Exchange, NoRoom, Refusal, Reservation, Stop};

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
    let (config, declared) = (&route.config, body.declared_length());
    let too_large = || Refusal::new(Code::BodyTooLarge, "longer than the route's limit").closing();
    if declared == Some(0) {
        return Ok((Passed::at_once("no body", config.line), Some(Held::Whole(0))));
    }
    if declared.is_some_and(|length| length > config.max_body) {
        return Err(too_large().into());
    }
    let inspected = config.waf.as_ref().map_or(0, |waf| waf.max_body);
    let limit = match config.body {
        BodyPolicy::Stream => return Ok((Passed::because("streamed", config.line), None)),
        // Where rules look at bodies, none gets round them by claiming to be gRPC to a service that cannot speak it.
        BodyPolicy::Hold { .. } if exchange.is_grpc() && (config.waf.is_none() || route.speaks_grpc) => {
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
            Ok((Passed::because(format!("held {length} bytes"), config.line), Some(held)))
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
        Err(BodyFailure::TooSlow) => {
            Err(Refusal::new(Code::BodyTooSlow, "below the minimum rate").closing().into())
        }
        Err(BodyFailure::Incomplete) => {
            Err(Refusal::new(Code::BodyIncomplete, "broken off or malformed").closing().into())
        }
        Err(BodyFailure::NoRoom) => Err(Refusal::overloaded(NoRoom.to_string()).closing().into()),
    }
}
