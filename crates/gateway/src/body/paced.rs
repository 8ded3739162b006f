//! A client's body with a size limit and a pace: the defence against bodies that never end.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use super::BodyError;
use crate::forward::strip_trailers;

/// Silence allowed in a conversation, which may be long-lived and quiet.
const CONVERSATION_IDLE: Duration = Duration::from_mins(5);

/// The slowest a body may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Bytes demanded in every window.
    bytes: u64,
    window: Duration,
}

impl Pace {
    /// At least `bytes_per_second`, averaged over `window`.
    pub(crate) fn at_least(bytes_per_second: u32, window: Duration) -> Self {
        let milliseconds = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        Self { bytes: u64::from(bytes_per_second).saturating_mul(milliseconds) / 1000, window }
    }

    /// No silence longer than five minutes: for conversations, which are slow by nature.
    const CONVERSATION: Self = Self { bytes: 1, window: CONVERSATION_IDLE };
}

/// A client's body that is cut off when it grows too long or comes too slowly.
///
/// The clock runs only while we wait for the client: an upstream that takes its time is not the client's fault.
#[derive(Debug)]
pub(crate) struct Paced {
    incoming: Incoming,
    limit: u64,
    received: u64,
    drops_trailers: bool,
    /// What is demanded of bodies that are no conversation.
    demanded: Pace,
    pace: Pace,
    window: Option<Window>,
}

/// Armed when the client first lets us wait.
#[derive(Debug)]
struct Window {
    end: Pin<Box<Sleep>>,
    received: u64,
}

impl Paced {
    /// At most `limit` bytes of `incoming`, no slower than `pace`.
    pub(crate) fn new(incoming: Incoming, limit: u64, pace: Pace) -> Self {
        Self { incoming, limit, received: 0, drops_trailers: false, demanded: pace, pace, window: None }
    }

    /// Says whether it is one half of a conversation, and judges it as one from here on.
    pub(crate) fn converse(&mut self, is_conversation: bool) {
        let pace = if is_conversation { Pace::CONVERSATION } else { self.demanded };
        if pace != self.pace {
            self.pace = pace;
            self.window = None;
        }
    }

    /// Changes the limit; what has been received counts.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Lets the body end without trailers: where a firewall refuses, nothing may follow that its rules do not see.
    pub(crate) fn drop_trailers(&mut self) {
        self.drops_trailers = true;
    }

    /// Whether the client may take longer. Starts a new window when the last one ended with enough bytes.
    fn keeps_pace(&mut self, context: &mut Context<'_>) -> bool {
        let pace = self.pace;
        let window = self
            .window
            .get_or_insert_with(|| Window { end: Box::pin(tokio::time::sleep(pace.window)), received: 0 });
        while window.end.as_mut().poll(context).is_ready() {
            if window.received < pace.bytes {
                return false;
            }
            window.received = 0;
            window.end.as_mut().reset(Instant::now() + pace.window);
        }
        true
    }

    /// Counts what came. A window that ended while nobody waited says nothing about the client.
    fn count(&mut self, length: u64) -> Result<(), BodyError> {
        self.received = self.received.saturating_add(length);
        if let Some(window) = &mut self.window {
            if window.end.deadline() <= Instant::now() {
                self.window = None;
            } else {
                window.received += length;
            }
        }
        if self.received > self.limit { Err(BodyError::TooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_pending() && !self.keeps_pace(context) {
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        }
        let Some(mut frame) = ready!(polled).transpose()? else { return Poll::Ready(None) };
        if let Some(trailers) = frame.trailers_mut() {
            if self.drops_trailers {
                return Poll::Ready(None);
            }
            strip_trailers(trailers);
        }
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        Poll::Ready(Some(self.count(length).map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
