//! HTTP/2 connections to a target and the streams on them.
//!
//! A target may limit the streams on one connection (RFC 9113, section 5.1.2) to fewer than there are
//! requests, long-lived gRPC calls above all, so there are several connections and each request takes a place
//! on the least busy one.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, Connection, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Notify;

use super::{
    patience::{Patience, Unanswered},
    request::Outgoing,
    stream::Stream,
    timer::Timer,
};

/// More streams than this on one connection share one congestion window too thinly, whatever the target says.
const STREAMS_AT_MOST: usize = 250;
/// What may be under way of one response before it is read, and of all of them on a connection: responses that
/// nobody reads must not hold up the others.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
/// A connection is asked for a sign of life this often.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// And has this long to give it.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest response header section, uncompressed.
const HEADERS_AT_MOST: u32 = 64 * 1024;

/// A connection that does many exchanges at a time.
struct Http2 {
    sender: SendRequest<Outgoing>,
    streams: AtomicUsize,
    limit: Arc<AtomicUsize>,
    freed: Arc<Notify>,
    swept_before: AtomicU32,
}

/// A place on a connection, given back when dropped.
pub(super) struct Place {
    connection: Arc<Http2>,
    pub(super) timer: Timer,
    /// Whether the connection has carried an exchange before.
    pub(super) reused: bool,
}

impl Place {
    /// Sends a request and waits for the head of its response.
    pub(super) async fn send(
        &mut self,
        request: Box<Request<Outgoing>>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut patience = Patience::new(&request, timeout, &mut self.timer);
        let mut answer = pin!(self.connection.sender.clone().try_send_request(*request));
        poll_fn(|context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(answer.map_err(|error| patience.broken(error))),
            Poll::Pending => patience.poll_end(&mut self.timer, context).map(Err),
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.streams.fetch_sub(1, Ordering::AcqRel);
        self.connection.freed.notify_one();
    }
}

/// The connections of a target.
#[derive(Default)]
pub(super) struct Connections {
    list: Mutex<Vec<Arc<Http2>>>,
    /// Rung whenever a place becomes free.
    pub(super) freed: Arc<Notify>,
    sweeps: AtomicU32,
}

impl Connections {
    /// A place on the least busy connection, unless all are full.
    pub(super) fn take(&self) -> Option<Place> {
        let mut list = self.list();
        list.retain(|connection| !connection.sender.is_closed());
        let free = |connection: &&Arc<Http2>| {
            connection.streams.load(Ordering::Acquire) < connection.limit.load(Ordering::Relaxed)
        };
        let connection =
            list.iter().filter(free).min_by_key(|connection| connection.streams.load(Ordering::Relaxed))?;
        Some(occupy(connection, true))
    }

    /// Speaks HTTP/2 on a fresh stream and takes the first place on it.
    pub(super) async fn open(&self, stream: Stream) -> io::Result<Place> {
        let (sender, mut connection) = handshake(stream).await.map_err(io::Error::other)?;
        let limit = Arc::new(AtomicUsize::new(first_limit(&mut connection).await?));
        tokio::spawn(drive(connection, Arc::clone(&limit)));
        let connection = Arc::new(Http2 {
            sender,
            streams: AtomicUsize::new(0),
            limit,
            freed: Arc::clone(&self.freed),
            swept_before: AtomicU32::new(self.sweeps.load(Ordering::Relaxed)),
        });
        let place = occupy(&connection, false);
        self.list().push(connection);
        Ok(place)
    }

    /// Closes connections that have been without streams for `sweeps` sweeps.
    pub(super) fn sweep(&self, sweeps: u32) {
        let now = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.list().retain(|connection| {
            if connection.streams.load(Ordering::Acquire) > 0 {
                connection.swept_before.store(now, Ordering::Relaxed);
            }
            let idle = now.wrapping_sub(connection.swept_before.load(Ordering::Relaxed));
            !connection.sender.is_closed() && idle <= sweeps
        });
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Http2>>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Driven = Connection<TokioIo<Stream>, Outgoing, TokioExecutor>;

async fn handshake(stream: Stream) -> hyper::Result<(SendRequest<Outgoing>, Driven)> {
    Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        // None until the target's SETTINGS say how many: see `first_limit`.
        .initial_max_send_streams(0)
        .max_header_list_size(HEADERS_AT_MOST)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
}

/// Waits for the target's SETTINGS, the first thing it sends (RFC 9113, section 3.4), which say how many
/// streams it takes: to guess too high would park a request behind streams that may never end. hyper has no
/// event for it, so it is asked. Callers bound the time.
async fn first_limit(connection: &mut Driven) -> io::Result<usize> {
    let mut look = tokio::time::interval(Duration::from_millis(1));
    loop {
        tokio::select! {
            ended = &mut *connection => {
                return Err(ended.map_or_else(io::Error::other, |()| io::ErrorKind::ConnectionReset.into()));
            }
            _ = look.tick() => {}
        }
        match connection.current_max_send_streams() {
            0 => {}
            limit => return Ok(limit.min(STREAMS_AT_MOST)),
        }
    }
}

/// Runs a connection to its end and keeps its limit up to date.
async fn drive(mut connection: Driven, limit: Arc<AtomicUsize>) {
    let ended = poll_fn(|context| {
        let polled = Pin::new(&mut connection).poll(context);
        limit.store(connection.current_max_send_streams().min(STREAMS_AT_MOST), Ordering::Relaxed);
        polled
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "an HTTP/2 connection to an upstream ended");
    }
}

fn occupy(connection: &Arc<Http2>, reused: bool) -> Place {
    connection.streams.fetch_add(1, Ordering::AcqRel);
    // Set anew by each exchange.
    Place { connection: Arc::clone(connection), timer: Timer::new(Duration::from_mins(1)), reused }
}
