//! How long a request waits for the head of its response, and what to make of it when none comes.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Request;
use hyper::client::conn::TrySendError;

use super::{
    error::UpstreamError,
    request::{Outgoing, Watch},
    timer::Timer,
};

/// A request that got no response.
pub(super) struct Unanswered {
    pub(super) error: UpstreamError,
    /// The request itself, when nothing of it was ever written.
    pub(super) unsent: Option<Box<Request<Outgoing>>>,
}

/// The wait for one response head. While the request body is still moving, time starts again.
pub(super) struct Patience {
    timeout: Duration,
    body: Option<Arc<Watch>>,
    frames: u64,
}

impl Patience {
    pub(super) fn new(request: &Request<Outgoing>, timeout: Duration, timer: &mut Timer) -> Self {
        timer.set(timeout);
        Self { timeout, body: request.body().watch(), frames: 0 }
    }

    /// Ready when it is at an end.
    pub(super) fn poll_end(&mut self, timer: &mut Timer, context: &mut Context<'_>) -> Poll<Unanswered> {
        loop {
            ready!(timer.poll(context));
            let frames = self.body.as_ref().map_or(0, |body| body.frames());
            if frames == self.frames {
                return Poll::Ready(Unanswered { error: UpstreamError::ResponseTimeout, unsent: None });
            }
            self.frames = frames;
            timer.set(self.timeout);
        }
    }

    /// Finds out who is to blame for a broken exchange.
    pub(super) fn broken(&self, mut error: TrySendError<Request<Outgoing>>) -> Unanswered {
        let unsent = error.take_message().map(Box::new);
        let error = match self.body.as_ref().and_then(|body| body.failure()) {
            Some(failure) => UpstreamError::RequestBody(failure),
            None => UpstreamError::Protocol(error.into_error().into()),
        };
        Unanswered { error, unsent }
    }
}
