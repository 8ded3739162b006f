//! HTTP/1.1 connections to a target and the stack of idle ones.
//!
//! A connection has no task of its own: whoever uses it drives it, first the request that waits for its
//! answer, then the response body. That keeps both sockets of a proxied request in one task and saves two
//! wake-ups across tasks per message. Idle connections are looked at when they are taken and when they are
//! swept, so a close by the target is noticed then.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http1::{Builder, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use super::{
    patience::{Patience, Unanswered},
    request::Outgoing,
    stream::Stream,
    timer::Timer,
};

/// What hyper may read or write at once; also the longest response head. Without it a download whose client does
/// not read would fill 400 KiB.
const BUFFER: usize = 64 * 1024;

type Driven = Connection<TokioIo<Stream>, Outgoing>;

/// A connection that does one exchange at a time.
pub(super) struct Http1 {
    sender: SendRequest<Outgoing>,
    /// `None` once it is closed.
    connection: Option<Box<Driven>>,
    pub(super) timer: Timer,
    /// Whether it has carried an exchange before.
    pub(super) reused: bool,
    swept_before: u32,
}

impl Http1 {
    pub(super) async fn open(stream: Stream) -> hyper::Result<Self> {
        let (sender, connection) =
            Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
        // Set anew by each exchange.
        let timer = Timer::new(Duration::from_mins(1));
        Ok(Self { sender, connection: Some(Box::new(connection)), timer, reused: false, swept_before: 0 })
    }

    /// Sends a request and drives the connection until the head of its response is there.
    pub(super) async fn send(
        &mut self,
        request: Box<Request<Outgoing>>,
        timeout: Duration,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut patience = Patience::new(&request, timeout, &mut self.timer);
        let mut answer = pin!(self.sender.try_send_request(*request));
        poll_fn(|context| {
            drive(&mut self.connection, context);
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer.map_err(|error| patience.broken(error)));
            }
            patience.poll_end(&mut self.timer, context).map(Err)
        })
        .await
    }

    /// Lets the connection read and write what it can.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        drive(&mut self.connection, context);
    }

    /// Whether it is open and has nothing left to read or write of its last exchange.
    pub(super) fn is_ready(&self) -> bool {
        self.connection.is_some() && self.sender.is_ready()
    }
}

fn drive(connection: &mut Option<Box<Driven>>, context: &mut Context<'_>) {
    if let Some(open) = connection
        && Pin::new(open.as_mut()).poll(context).is_ready()
    {
        // Dropping it is what hands a request that was never written back to its sender.
        *connection = None;
    }
}

/// The idle connections of a target; the one used last is taken first, so that the others grow old and close.
#[derive(Default)]
pub(super) struct Idle {
    stack: Mutex<Stack>,
    sweeps: AtomicU32,
}

#[derive(Default)]
struct Stack {
    connections: Vec<Http1>,
    /// Requests that wait for a connection because no more may be opened.
    waiting: VecDeque<oneshot::Sender<Http1>>,
}

impl Idle {
    pub(super) fn take(&self) -> Option<Http1> {
        self.stack().connections.pop()
    }

    /// Gives a connection to whoever has waited longest, or keeps it.
    pub(super) fn put(&self, mut connection: Http1) {
        connection.reused = true;
        connection.swept_before = self.sweeps.load(Ordering::Relaxed);
        let mut stack = self.stack();
        while let Some(waiting) = stack.waiting.pop_front() {
            match waiting.send(connection) {
                Ok(()) => return,
                Err(returned) => connection = returned,
            }
        }
        stack.connections.push(connection);
    }

    /// A place in the queue for the next connection that is put back. Callers bound their number.
    pub(super) fn wait(&self) -> oneshot::Receiver<Http1> {
        let (sender, receiver) = oneshot::channel();
        let mut stack = self.stack();
        stack.waiting.retain(|waiting| !waiting.is_closed());
        match stack.connections.pop() {
            Some(connection) => drop(sender.send(connection)),
            None => stack.waiting.push_back(sender),
        }
        receiver
    }

    /// Closes connections that have been idle for `sweeps` sweeps or that the target has closed.
    pub(super) fn sweep(&self, sweeps: u32) {
        let now = self.sweeps.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let mut context = Context::from_waker(Waker::noop());
        self.stack().connections.retain_mut(|connection| {
            connection.drive(&mut context);
            connection.is_ready() && now.wrapping_sub(connection.swept_before) <= sweeps
        });
    }

    fn stack(&self) -> MutexGuard<'_, Stack> {
        self.stack.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
