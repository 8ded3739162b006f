//! The request body between its arrival and its forwarding: lent to the road, which may hold it.

use std::sync::Arc;

use bartizan_pipeline::{BodyFailure, Held, HeldBytes, HoldBody, NoRoom, Reservation};
use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{BodyError, Pace, Paced, RequestBody};

/// A body that the road may hold and the gateway then forwards.
#[derive(Debug)]
pub(crate) struct ClientBody<'a> {
    front: Option<Bytes>,
    rest: Option<Paced>,
    room: Room<'a>,
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
    pub(crate) fn into_request_body(self, limit: u64) -> RequestBody {
        match self.rest {
            None => RequestBody::Held(self.front),
            Some(mut rest) => {
                rest.set_limit(limit);
                RequestBody::Streaming { front: self.front, rest }
            }
        }
    }
}

impl HoldBody for ClientBody<'_> {
    fn declared_length(&self) -> Option<u64> {
        self.rest.as_ref().map_or(Some(0), |rest| rest.size_hint().exact())
    }

    async fn hold(&mut self, limit: usize) -> Result<Held, BodyFailure> {
        let mut held = Gathered::default();
        let mut reservation = self.room.reserve();
        while let Some(rest) = &mut self.rest {
            match rest.frame().await {
                None => self.rest = None,
                Some(Ok(frame)) => {
                    // Trailers of a held body end here: nothing after the body has been inspected.
                    if let Ok(data) = frame.into_data() {
                        reservation.grow(data.len()).map_err(|NoRoom| BodyFailure::NoRoom)?;
                        held.push(data);
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
        self.front = held.into_bytes().map(|bytes| reservation.keep(bytes));
        Ok(if length > limit { Held::Front(length) } else { Held::Whole(length) })
    }

    fn held(&self) -> Bytes {
        self.front.clone().unwrap_or_default()
    }

    fn reserve(&self) -> Reservation {
        self.room.reserve()
    }
}

/// Bytes in one piece; the usual single chunk is kept without a copy.
#[derive(Debug, Default)]
pub(super) enum Gathered {
    #[default]
    Nothing,
    One(Bytes),
    Many(BytesMut),
}

impl Gathered {
    pub(super) fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        *self = match std::mem::take(self) {
            Self::Nothing => Self::One(data),
            Self::One(first) => {
                let mut all = BytesMut::with_capacity((first.len() + data.len()) * 2);
                all.extend_from_slice(&first);
                all.extend_from_slice(&data);
                Self::Many(all)
            }
            Self::Many(mut all) => {
                all.extend_from_slice(&data);
                Self::Many(all)
            }
        };
    }

    pub(super) fn length(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(data) => data.len(),
            Self::Many(all) => all.len(),
        }
    }

    pub(super) fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::One(data) => Some(data),
            Self::Many(all) => Some(all.freeze()),
        }
    }
}
