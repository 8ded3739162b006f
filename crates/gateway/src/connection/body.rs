//! A response body that counts as a request in flight until it has been sent or given up, and that shows, on
//! HTTP/2, how fast the client takes it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::wire::{Flow, InFlight, ResponseFlow};

/// The body of an answer.
#[derive(Debug)]
pub(super) struct AnswerBody<B> {
    body: B,
    in_flight: InFlight,
    pace: Pace,
}

/// Whether anybody watches how fast the client takes it.
#[derive(Debug)]
enum Pace {
    /// Nobody: on HTTP/1.1 the socket shows it.
    Unwatched,
    /// From the first data on: hyper keeps hold of it until the client's window has room.
    OnceItFlows,
    Watched(Arc<ResponseFlow>),
}

impl<B: Body<Data = Bytes> + Unpin> AnswerBody<B> {
    pub(super) fn new(body: B, in_flight: InFlight, is_http2: bool) -> Self {
        Self { body, in_flight, pace: if is_http2 { Pace::OnceItFlows } else { Pace::Unwatched } }
    }

    fn note(&mut self, gave: Option<usize>) {
        if matches!(self.pace, Pace::OnceItFlows) && gave.is_some() {
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

impl<B: Body<Data = Bytes> + Unpin> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
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

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use bartizan_config::Http2Limits;
    use http::{Request, Response};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::{sync::oneshot, time::Instant};

    use super::*;
    use crate::wire::{FlowWatch, Frames, Guard, GuardedStream, Idle, Violation, WireState};

    /// Never ends; has something to give every `pause`.
    struct Endless {
        pause: Option<Duration>,
        sleep: Option<Pin<Box<tokio::time::Sleep>>>,
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if let Some(pause) = self.pause {
                let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                std::task::ready!(sleep.as_mut().poll(context));
                self.sleep = None;
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1000])))))
        }
    }

    /// How a connection ends whose client takes `takes` bytes of an endless response, if within five minutes.
    async fn end_of(takes: usize, pause: Option<Duration>) -> Option<Violation> {
        let wire = Arc::new(WireState::default());
        let (client, server) = tokio::io::duplex(1 << 20);
        let idle = Idle::since(Instant::now(), Duration::from_secs(15));
        let flow = Some(FlowWatch::new(512, Duration::from_secs(10)));
        let guard = Guard::Http2(Frames::new(Http2Limits::default(), u64::MAX));
        let (lease, _released) = oneshot::channel();
        let stream = GuardedStream::new(server, guard, idle, flow, Arc::clone(&wire), lease);
        let state = Arc::clone(&wire);
        let service = hyper::service::service_fn(move |_: Request<hyper::body::Incoming>| {
            let (_, in_flight) = state.start();
            let body = AnswerBody::new(Endless { pause, sleep: None }, in_flight, true);
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        let serving = tokio::spawn(connection);
        let (mut requester, connection) = h2::client::handshake(client).await.unwrap();
        tokio::spawn(connection);
        let (response, _) = requester.send_request(Request::new(()), true).unwrap();
        let mut body = response.await.unwrap().into_body();
        let mut received = 0;
        while received < takes
            && let Some(Ok(data)) = body.data().await
        {
            received += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        let ended = tokio::time::timeout(Duration::from_mins(5), serving).await;
        ended.ok().and_then(|_| wire.breach())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_opens_no_window_is_cut_off() {
        assert_eq!(end_of(0, None).await, Some(Violation::SlowRead));
        assert_eq!(end_of(1 << 20, None).await, Some(Violation::SlowRead));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_whose_response_comes_slowly_is_not() {
        // One event every 9 s fills no window of 64 KiB in 5 minutes.
        assert_eq!(end_of(0, Some(Duration::from_secs(9))).await, None);
    }
}
