//! A response body that counts as a request in flight until it has been sent or given up, and that shows, on
//! HTTP/2, how fast the client takes it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::{
    body::{BodyError, ResponseBody},
    wire::{Flow, InFlight, ResponseFlow},
};

/// The body of an answer.
#[derive(Debug)]
pub(super) struct AnswerBody {
    body: ResponseBody,
    in_flight: InFlight,
    pace: Pace,
}

/// Whether anybody watches how fast the client takes it.
#[derive(Debug)]
enum Pace {
    /// Nobody: on HTTP/1.1 the socket shows it.
    Unwatched,
    /// From the first data on that is not the last.
    OnceItFlows,
    Watched(Arc<ResponseFlow>),
}

impl AnswerBody {
    pub(super) fn new(body: ResponseBody, in_flight: InFlight, is_http2: bool) -> Self {
        Self { body, in_flight, pace: if is_http2 { Pace::OnceItFlows } else { Pace::Unwatched } }
    }

    fn note(&mut self, gave: Option<usize>) {
        if matches!(self.pace, Pace::OnceItFlows) && gave.is_some() && !self.body.is_end_stream() {
            let flow: &Flow = self.in_flight.flow();
            self.pace = Pace::Watched(flow.watch());
        }
        match (&self.pace, gave) {
            (Pace::Watched(flow), Some(length)) => flow.gave(length),
            (Pace::Watched(flow), None) => flow.had_nothing(),
            _ => {}
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => self.note(None),
            Poll::Ready(Some(Ok(frame))) => self.note(frame.data_ref().map(Bytes::len)),
            Poll::Ready(_) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
