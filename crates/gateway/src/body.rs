//! Request and response bodies on their way through.
//!
//! A request body is streamed, held, or held in front and streamed behind; whichever it is, its size is
//! bounded and a client that sends it too slowly is cut off.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

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
    /// Fewer bytes per second than the listener demands.
    #[error("the body came slower than {bytes_per_second} bytes per second")]
    TooSlow {
        /// Bytes demanded.
        bytes_per_second: u32,
    },
    /// Nothing came for too long.
    #[error("no data for {} s", .0.as_secs())]
    Idle(Duration),
}

/// The slowest a body may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Bytes per second, averaged over `window`.
    pub(crate) bytes_per_second: u32,
    /// What the average is taken over.
    pub(crate) window: Duration,
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

    /// The same body once more, if nothing of it has been lost by sending it.
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

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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
            Self::Held(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
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

/// A client's body with a size limit and a pace.
#[derive(Debug)]
pub(crate) struct Paced {
    incoming: Incoming,
    limit: u64,
    left: u64,
    pace: Pace,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    end: Pin<Box<Sleep>>,
    received: u64,
}

impl Paced {
    pub(crate) fn new(incoming: Incoming, limit: u64, pace: Pace) -> Self {
        Self { incoming, limit, left: limit, pace, window: None }
    }

    /// Whether the window that ends now saw enough bytes; starts the next one if so.
    fn keeps_pace(&mut self, context: &mut Context<'_>) -> bool {
        let (pace, now) = (self.pace, Instant::now());
        let window = self
            .window
            .get_or_insert_with(|| Window { end: Box::pin(tokio::time::sleep(pace.window)), received: 0 });
        while window.end.as_mut().poll(context).is_ready() {
            let demanded = u64::from(pace.bytes_per_second) * pace.window.as_secs().max(1);
            if window.received < demanded {
                return false;
            }
            window.received = 0;
            window.end.as_mut().reset(now + pace.window);
        }
        true
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.incoming).poll_frame(context);
        if polled.is_pending() && !this.keeps_pace(context) {
            return Poll::Ready(Some(Err(BodyError::TooSlow { bytes_per_second: this.pace.bytes_per_second })));
        }
        let Some(frame) = ready!(polled).transpose()? else { return Poll::Ready(None) };
        if let Some(data) = frame.data_ref() {
            let length = data.len() as u64;
            match this.left.checked_sub(length) {
                Some(left) => this.left = left,
                None => return Poll::Ready(Some(Err(BodyError::TooLarge { limit: this.limit }))),
            }
            if let Some(window) = &mut this.window {
                window.received += length;
            }
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// What the client is sent as the body of a response.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    /// Made here: a refusal, a preflight.
    Local(Option<Bytes>),
    /// Streamed from upstream.
    Upstream(crate::upstream::UpstreamBody),
}

impl ResponseBody {
    /// A body without bytes.
    pub(crate) const EMPTY: Self = Self::Local(None);
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Local(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Upstream(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Local(bytes) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Local(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Upstream(body) => body.size_hint(),
        }
    }
}
