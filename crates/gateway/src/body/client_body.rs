//! The request body between its arrival and its forwarding: lent to the road, which may hold it.

use std::sync::Arc;

use bartizan_pipeline::{BodyFailure, Held, HeldBytes, HoldBody, NoRoom, Reservation};
use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{BodyError, Pace, Paced, RequestBody, gathered::Gathered};

/// A body that the road may hold and the gateway then forwards.
#[derive(Debug)]
pub(crate) struct ClientBody<'a> {
    front: Option<Bytes>,
    rest: Option<Paced>,
    room: Room<'a>,
}

/// What becomes of the trailers of a body that is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// They pass, but for names that are the gateway's.
    Pass,
    /// The body ends without them.
    Dropped,
}

/// Where bodies are held, and how much of it there is for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room<'a> {
    pub(crate) all_held: &'a Arc<HeldBytes>,
    pub(crate) limit: u64,
}

impl Room<'_> {
    /// Nothing yet, to grow.
    pub(crate) fn reserve(&self) -> Reservation {
        self.all_held.reserve(self.limit)
    }
}

impl<'a> ClientBody<'a> {
    /// A body as it arrives.
    pub(crate) fn new(incoming: Incoming, pace: Pace, room: Room<'a>) -> Self {
        let rest = (!incoming.is_end_stream()).then(|| Paced::new(incoming, u64::MAX, pace));
        Self { front: None, rest, room }
    }

    /// What to send upstream, at most `limit` bytes of it.
    pub(crate) fn into_request_body(self, limit: u64, trailers: Trailers) -> RequestBody {
        match self.rest {
            None => RequestBody::Held(self.front),
            Some(mut rest) => {
                rest.set_limit(limit);
                if trailers == Trailers::Dropped {
                    rest.drop_trailers();
                }
                RequestBody::Streaming { front: self.front, rest }
            }
        }
    }
}

impl HoldBody for ClientBody<'_> {
    fn declared_length(&self) -> Option<u64> {
        let rest = self.rest.as_ref().map_or(Some(0), |rest| rest.size_hint().exact());
        rest.map(|rest| rest.saturating_add(self.held().len() as u64))
    }

    async fn hold(&mut self, limit: usize) -> Result<Held, BodyFailure> {
        if self.rest.is_none() || self.held().len() > limit {
            return Ok(extent(self.held().len(), limit));
        }
        // One byte more tells that a body is longer than the limit.
        let most = self.declared_length().and_then(|length| usize::try_from(length).ok());
        let most = most.unwrap_or(usize::MAX).min(limit.saturating_add(1));
        let mut held = Gathered::new(most, self.room.reserve());
        if let Some(front) = self.front.take() {
            held.push(front).map_err(|NoRoom| BodyFailure::NoRoom)?;
        }
        while let Some(rest) = &mut self.rest {
            match rest.frame().await {
                None => self.rest = None,
                Some(Ok(frame)) => {
                    // Trailers of a held body end here: nothing after the body has been inspected.
                    if let Ok(data) = frame.into_data() {
                        held.push(data).map_err(|NoRoom| BodyFailure::NoRoom)?;
                    }
                    if held.length() > limit {
                        break;
                    }
                }
                Some(Err(BodyError::TooSlow)) => return Err(BodyFailure::TooSlow),
                Some(Err(_)) => return Err(BodyFailure::Incomplete),
            }
        }
        let length = held.length();
        self.front = held.into_bytes();
        Ok(extent(length, limit))
    }

    fn held(&self) -> Bytes {
        self.front.clone().unwrap_or_default()
    }

    fn reserve(&self) -> Reservation {
        self.room.reserve()
    }
}

fn extent(length: usize, limit: usize) -> Held {
    if length > limit { Held::Front(length) } else { Held::Whole(length) }
}
