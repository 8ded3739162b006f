//! Request and response bodies on their way through.
//!
//! A request body is streamed, held, or held in front and streamed behind; whichever it is, its size is
//! bounded and a client that sends it too slowly is cut off.

mod client_body;
mod fronted;
mod gathered;
mod paced;

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bartizan_limits::Place;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

pub(crate) use client_body::{ClientBody, Room, Trailers};
pub(crate) use fronted::{Fronted, HoldError};
pub(crate) use paced::{Pace, Paced};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The peer broke off or broke the protocol.
    #[error("the peer ended the body early: {0}")]
    Peer(#[from] hyper::Error),
    /// More bytes than the route admits.
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// Bytes admitted.
        limit: u64,
    },
    /// Fewer bytes than the listener demands.
    #[error("the body came too slowly")]
    TooSlow,
    /// Nothing came for too long.
    #[error("no data for {} s", .0.as_secs())]
    Idle(Duration),
}

/// What is sent upstream as the body of a request.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// No body, or all of it, in memory: may be sent again.
    Held(Option<Bytes>),
    /// A part in memory, the rest still coming.
    Streaming {
        /// The part in memory.
        front: Option<Bytes>,
        /// The rest.
        rest: Paced,
    },
}

impl RequestBody {
    /// A body without bytes.
    pub(crate) const EMPTY: Self = Self::Held(None);

    /// The same body once more, if nothing of it is lost by sending it.
    pub(crate) fn replay(&self) -> Option<Self> {
        match self {
            Self::Held(bytes) => Some(Self::Held(bytes.clone())),
            Self::Streaming { .. } => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Held(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streaming { front, rest } => match front.take() {
                Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
                None => Pin::new(rest).poll_frame(context),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Held(bytes) => bytes.is_none(),
            Self::Streaming { front, rest } => front.is_none() && rest.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Held(bytes) => exactly(bytes.as_ref()),
            Self::Streaming { front, rest } => {
                let front = front.as_ref().map_or(0, |bytes| bytes.len() as u64);
                let mut hint = rest.size_hint();
                if let Some(upper) = hint.upper() {
                    hint.set_upper(upper.saturating_add(front));
                }
                hint.set_lower(hint.lower().saturating_add(front));
                hint
            }
        }
    }
}

/// What the client is sent as the body of a response.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// Made here: a refusal, a preflight.
    Local(Option<Bytes>),
    /// Made here, piece by piece.
    Streamed(mpsc::Receiver<Bytes>),
    /// Streamed from upstream.
    Upstream(crate::upstream::UpstreamBody),
    /// Streamed, with its front in memory.
    Fronted(Fronted),
    /// Any of these, of a request that holds places in concurrency limits until its response has ended.
    Placed { body: Box<Self>, _places: Places },
}

/// Places in concurrency limits.
pub(crate) type Places = Vec<Place>;

impl ResponseBody {
    /// A body without bytes.
    pub(crate) const EMPTY: Self = Self::Local(None);

    /// The same body, keeping these places until it has ended.
    pub(crate) fn keeping(self, places: Places) -> Self {
        if places.is_empty() { self } else { Self::Placed { body: Box::new(self), _places: places } }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Local(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Streamed(pieces) => pieces.poll_recv(context).map(|bytes| Some(Ok(Frame::data(bytes?)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(context),
            Self::Fronted(body) => body.poll_frame(context),
            Self::Placed { body, .. } => Pin::new(&mut **body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Local(bytes) => bytes.is_none(),
            Self::Streamed(_) => false,
            Self::Upstream(body) => body.is_end_stream(),
            Self::Fronted(body) => body.is_end_stream(),
            Self::Placed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Local(bytes) => exactly(bytes.as_ref()),
            Self::Streamed(_) => SizeHint::default(),
            Self::Upstream(body) => body.size_hint(),
            Self::Fronted(body) => body.size_hint(),
            Self::Placed { body, .. } => body.size_hint(),
        }
    }
}

fn exactly(bytes: Option<&Bytes>) -> SizeHint {
    SizeHint::with_exact(bytes.map_or(0, |bytes| bytes.len() as u64))
}
