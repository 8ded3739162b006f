//! Runs hyper on a connection until it ends, and closes it in order when it should.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bartizan_config::Hardening;
use hyper::{
    rt::{Sleep, Timer},
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{oneshot, watch},
    time::Instant,
};

use super::{Answer, ConnectionFacts, FIRST_REQUEST_GRACE, requests::service};
use crate::wire::{Deadline, FlowWatch, Frames, Framing, Guard, GuardedStream, Idle, WireState};

/// hyper holds this many header fields without an allocation.
const FIELDS_ON_STACK: usize = 100;
/// What hyper may read or write at once on HTTP/1.1.
const HTTP1_BUFFER: usize = 64 * 1024;
/// What a client may send on one HTTP/2 stream, and on all of a connection, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What is buffered of one response on HTTP/2.
const STREAM_SEND_BUFFER: usize = 128 * 1024;
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// What a connection is driven with.
pub(super) struct Driver<'a, A> {
    pub(super) answer: Arc<A>,
    pub(super) facts: Arc<ConnectionFacts>,
    pub(super) hardening: &'a Hardening,
    pub(super) stop: watch::Receiver<bool>,
    /// Since when a request is awaited.
    pub(super) since: Instant,
}

impl<A: Answer> Driver<'_, A> {
    /// Speaks HTTP/1.1. Returns when the connection has ended, upgraded or not.
    pub(super) async fn http1<S>(self, stream: S) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http1::Builder::new();
        builder.timer(GuardKeepsTime::default()).header_read_timeout(self.hardening.header_timeout);
        builder.max_buf_size(HTTP1_BUFFER.max(self.hardening.max_header_bytes));
        if self.hardening.max_header_count > FIELDS_ON_STACK {
            builder.max_headers(self.hardening.max_header_count);
        }
        let service = service(Arc::clone(&self.answer), Arc::clone(&self.facts), self.hardening);
        let guard = Guard::Http1(Framing::new(self.hardening.into()));
        let (stream, released) = self.guard(stream, guard);
        let connection = builder.serve_connection(stream, service).with_upgrades();
        let ended =
            drive(connection, http1::UpgradeableConnection::graceful_shutdown, self.closer(true)).await;
        // An upgraded stream lives on elsewhere. Nothing is ever sent: it is dropped with the stream.
        let _ = released.await;
        ended
    }

    /// Speaks HTTP/2.
    pub(super) async fn http2<S>(self, stream: S) -> hyper::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.hardening.http2;
        let resets = usize::try_from(limits.resets).unwrap_or(usize::MAX);
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.concurrent_streams)
            .max_header_list_size(header_list_size(self.hardening))
            .max_pending_accept_reset_streams(resets)
            .max_local_error_reset_streams(resets)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(STREAM_SEND_BUFFER)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT);
        let service = service(Arc::clone(&self.answer), Arc::clone(&self.facts), self.hardening);
        // Each stream is a task, and its future moves several times on the way there: boxed, it moves once.
        let service = service_fn(move |request| Box::pin(service.call(request)));
        let guard = Guard::Http2(Frames::new(limits.clone(), self.hardening.max_requests_per_connection));
        let (stream, _released) = self.guard(stream, guard);
        let connection = builder.serve_connection(stream, service);
        drive(connection, http2::Connection::graceful_shutdown, self.closer(false)).await
    }

    fn guard<S>(&self, stream: S, guard: Guard) -> (TokioIo<GuardedStream<S>>, oneshot::Receiver<Infallible>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (lease, released) = oneshot::channel();
        let idle = Idle::since(self.since, self.hardening.header_timeout);
        let flow = match &guard {
            Guard::Http1(_) => None,
            Guard::Http2(_) => Some(FlowWatch::new(self.hardening.min_rate, self.hardening.rate_window)),
        };
        let stream = GuardedStream::new(stream, guard, idle, flow, Arc::clone(&self.facts.wire), lease);
        (TokioIo::new(stream), released)
    }

    fn closer(&self, awaits_first_request: bool) -> Closer {
        let (flag, mut stop) = (self.stop.clone(), self.stop.clone());
        let stopped = async move {
            if stop.wait_for(|stop| *stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        Closer {
            wire: Arc::clone(&self.facts.wire),
            flag,
            stopped: Box::pin(tokio::task::unconstrained(stopped)),
            watched_by: None,
            is_stopping: false,
            awaits_first_request,
            grace: Deadline::default(),
            grace_ends: None,
        }
    }
}

/// A timer that never goes off.
///
/// hyper would arm one timer a request; the guard arms one a connection. But only with a header timeout does
/// hyper read again as soon as a response has been sent, which is when the guard begins to count.
#[derive(Debug, Clone)]
struct GuardKeepsTime(std::time::Instant);

impl Default for GuardKeepsTime {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Timer for GuardKeepsTime {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Never)
    }

    fn sleep_until(&self, _: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Never)
    }

    fn now(&self) -> std::time::Instant {
        self.0
    }
}

struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Never {}

/// Polls `connection` to its end, and has it closed in order once `closer` says so.
async fn drive<C>(connection: C, close: impl Fn(Pin<&mut C>), mut closer: Closer) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut is_closing = false;
    poll_fn(move |context| {
        loop {
            if !is_closing && closer.wants_close(context) {
                is_closing = true;
                close(connection.as_mut());
            }
            if let Poll::Ready(ended) = connection.as_mut().poll(context) {
                return Poll::Ready(ended);
            }
            if is_closing || !closer.wants_close(context) {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Decides when a connection is to be closed in order.
struct Closer {
    wire: Arc<WireState>,
    flag: watch::Receiver<bool>,
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// Whom `stopped` wakes.
    watched_by: Option<Waker>,
    is_stopping: bool,
    /// A request that is already on its way to a stopping HTTP/1.1 listener must be answered; HTTP/2 says so
    /// itself.
    awaits_first_request: bool,
    grace: Deadline,
    grace_ends: Option<Instant>,
}

impl Closer {
    fn wants_close(&mut self, context: &mut Context<'_>) -> bool {
        if self.wire.is_close_wanted() {
            return true;
        }
        self.is_stopping = self.is_stopping || self.poll_stopped(context);
        if !self.is_stopping {
            return false;
        }
        if !self.awaits_first_request || self.wire.has_started() {
            return true;
        }
        let ends = *self.grace_ends.get_or_insert_with(|| Instant::now() + FIRST_REQUEST_GRACE);
        self.grace.poll(ends, context).is_ready()
    }

    /// Asks the flag, which is one atomic load, rather than the future, which takes a lock, whenever the future
    /// is known to wake this task.
    fn poll_stopped(&mut self, context: &mut Context<'_>) -> bool {
        let is_watched = self.watched_by.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if is_watched && !self.flag.has_changed().unwrap_or(false) {
            return false;
        }
        self.watched_by = Some(context.waker().clone());
        self.stopped.as_mut().poll(context).is_ready()
    }
}

/// What h2 unpacks of a header list, as RFC 9113 (section 6.5.2) measures it. Beyond, h2 answers 431 by itself,
/// without a word or a trace: only what is far over our own limits is left to it.
fn header_list_size(hardening: &Hardening) -> u32 {
    const OVERHEAD: usize = 32;
    let overhead = hardening.max_header_count.saturating_mul(OVERHEAD);
    let size = hardening.max_header_bytes.saturating_add(hardening.max_uri_bytes).saturating_mul(2);
    u32::try_from(size.saturating_add(overhead)).unwrap_or(u32::MAX)
}
