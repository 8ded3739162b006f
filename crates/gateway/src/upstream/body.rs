//! The body of an upstream's response, and with it what carried it.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{http1::Http1, http2::Place, pool::Carrier, request::Watch, target::Flight, timer::Timer};
use crate::body::BodyError;

/// The body of an upstream's response: data and trailers as they come, an error when none come for too long.
///
/// It holds the connection that it comes from. Read to its end, the connection goes back to the pool; dropped
/// before, an HTTP/1.1 connection is closed and an HTTP/2 stream reset.
pub(crate) struct UpstreamBody {
    incoming: Incoming,
    source: Source,
    /// Counted by the connection itself when that may be upgraded.
    flight: Option<Flight>,
    idle: Idle,
}

/// The longest silence. While the request body is still moving, time starts again: the target may have answered early
/// and be listening.
pub(super) struct Idle {
    limit: Duration,
    upload: Option<Arc<Watch>>,
    /// Whether the timer runs, and how far the upload was when it was set. It is set only once there is something to
    /// wait for.
    armed: Option<u64>,
}

impl Idle {
    pub(super) fn new(limit: Duration, upload: Option<Arc<Watch>>) -> Self {
        Self { limit, upload, armed: None }
    }

    /// Ready when it has lasted too long.
    fn poll(&mut self, timer: &mut Timer, context: &mut Context<'_>) -> Poll<BodyError> {
        loop {
            let uploaded = self.upload.as_ref().map_or(0, |upload| upload.frames());
            let before = *self.armed.get_or_insert_with(|| {
                timer.set(self.limit);
                uploaded
            });
            ready!(timer.poll(context));
            if uploaded == before {
                return Poll::Ready(BodyError::Idle(self.limit));
            }
            self.armed = None;
        }
    }
}

/// Where a body comes from.
pub(super) enum Source {
    Http1(Http1),
    Http2(Place),
    /// A connection with its own task.
    Driven(Timer),
    /// All of it is here and the connection is given back.
    Complete,
}

impl UpstreamBody {
    pub(super) fn new(incoming: Incoming, source: Source, flight: Option<Flight>, idle: Idle) -> Self {
        let mut body = Self { incoming, source, flight, idle };
        if body.incoming.is_end_stream() {
            body.complete();
        }
        body
    }

    /// Gives back what carried the body.
    fn complete(&mut self) {
        let source = std::mem::replace(&mut self.source, Source::Complete);
        if let (Source::Http1(connection), Some(flight)) = (source, &self.flight)
            && connection.is_ready()
        {
            flight.target().pool.put(connection);
        }
    }

    /// Pending until nothing has come for too long.
    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<BodyError> {
        let timer = match &mut self.source {
            Source::Http1(connection) => &mut connection.timer,
            Source::Http2(place) => &mut place.timer,
            Source::Driven(timer) => timer,
            Source::Complete => return Poll::Pending,
        };
        self.idle.poll(timer, context)
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.incoming).poll_frame(context);
        if polled.is_pending()
            && let Source::Http1(connection) = &mut this.source
        {
            connection.drive(context);
            polled = Pin::new(&mut this.incoming).poll_frame(context);
        }
        match polled {
            Poll::Pending => this.poll_idle(context).map(|late| Some(Err(late))),
            Poll::Ready(Some(Ok(frame))) => {
                this.idle.armed = None;
                if this.incoming.is_end_stream() {
                    this.complete();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.source = Source::Complete;
                Poll::Ready(Some(Err(BodyError::Peer(error))))
            }
            Poll::Ready(None) => {
                this.complete();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl From<Carrier> for Source {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Http1(connection) => Self::Http1(connection),
            Carrier::Http2(place) => Self::Http2(place),
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody")
            .field("incoming", &self.incoming)
            .field("flight", &self.flight)
            .finish_non_exhaustive()
    }
}
