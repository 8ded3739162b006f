//! The stream that hyper reads and writes: a socket, or TLS over one, behind its guard.

use std::{
    convert::Infallible,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
    time::Instant,
};

use super::{
    FlowWatch, WireState,
    deadline::{Deadline, Idle},
    inbound::{Guard, Inbound, Next},
};

/// How long an idle connection has at most to close in order after it was told to.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// How long a connection that ends early goes on reading, so that the client gets the answer before a reset.
const LINGER: Duration = Duration::from_secs(2);
/// HTTP/2 answers some frames of the client by itself; what it writes for that is no longer.
const LARGEST_AUTOMATIC_ANSWER: usize = 64;

/// Whoever gave this away learns when it is dropped, and ends the stream by dropping the receiver.
pub(crate) type Lease = oneshot::Sender<Infallible>;

/// A stream that passes on only what keeps to the rules, in time.
#[derive(Debug)]
pub(crate) struct GuardedStream<S> {
    stream: S,
    inbound: Inbound,
    wire: Arc<WireState>,
    idle: Idle,
    flow: Option<FlowWatch>,
    lease: Lease,
    /// Whether everything written has been flushed.
    flushed: bool,
    /// How often HTTP/2 has written some of a response: it may go on after the response has been handed over.
    responded: u64,
    linger: Linger,
}

#[derive(Debug, Default)]
struct Linger {
    deadline: Deadline,
    /// Until when to read on; set once the writing side is shut down.
    until: Option<Instant>,
}

impl<S> GuardedStream<S> {
    /// Guards `stream`. `idle` says how long the client may let us wait for a request, `flow` how slowly it may
    /// take responses of HTTP/2.
    pub(crate) fn new(
        stream: S,
        guard: Guard,
        idle: Idle,
        flow: Option<FlowWatch>,
        wire: Arc<WireState>,
        lease: Lease,
    ) -> Self {
        let inbound = Inbound::new(guard, Arc::clone(&wire));
        Self {
            stream,
            inbound,
            wire,
            idle,
            flow,
            lease,
            flushed: true,
            responded: 0,
            linger: Linger::default(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> GuardedStream<S> {
    /// Nothing came: has the client run out of time? `Ready` if there is something to do about it.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(flow) = &mut self.flow
            && let Err(violation) = flow.poll(self.wire.flow(), context)
        {
            self.wire.record(violation);
            self.say_farewell(context);
            return Poll::Ready(Err(violation.into()));
        }
        let is_busy = !self.flushed || self.wire.is_busy();
        let progress = self.wire.finished() + self.responded;
        ready!(self.idle.poll(is_busy, progress, context));
        if self.inbound.expire() {
            return Poll::Ready(Ok(()));
        }
        if self.wire.is_close_wanted() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        // The connection is closed in order by whoever drives it, right after this poll.
        self.wire.want_close();
        self.idle.grant(CLOSE_GRACE);
        self.idle.poll(is_busy, progress, context).map(Ok)
    }

    /// Whether the one who gave the lease wants the stream to end.
    fn poll_revoked<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.lease.poll_closed(context).map(|()| Err(io::ErrorKind::ConnectionAborted.into()))
    }

    fn note_written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.flushed = false;
        if written.is_pending() {
            return self.poll_revoked(context);
        }
        if let (Poll::Ready(Ok(length)), Guard::Http2(frames)) = (&written, &mut self.inbound.guard) {
            frames.sent(*length);
            self.responded += u64::from(*length > LARGEST_AUTOMATIC_ANSWER);
        }
        written
    }

    /// Tells an HTTP/2 client why it is cut off. Only on a frame boundary, which is where h2 leaves the stream
    /// after a flush; as much as goes out at once.
    fn say_farewell(&mut self, context: &mut Context<'_>) {
        if let Guard::Http2(frames) = &self.inbound.guard
            && self.flushed
        {
            let farewell = frames.farewell();
            let _ = Pin::new(&mut self.stream).poll_write(context, &farewell);
            let _ = Pin::new(&mut self.stream).poll_flush(context);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if buffer.remaining() == 0 || this.inbound.hand_out(buffer) {
                return Poll::Ready(Ok(()));
            }
            match this.inbound.next() {
                Next::HandOut => continue,
                Next::Wait => return Poll::Pending,
                Next::Fail(violation) => {
                    this.say_farewell(context);
                    return Poll::Ready(Err(violation.into()));
                }
                Next::ReadThrough => {
                    return match Pin::new(&mut this.stream).poll_read(context, buffer) {
                        Poll::Pending => this.poll_revoked(context),
                        ready @ Poll::Ready(_) => ready,
                    };
                }
                Next::Read => {}
            }
            let before = buffer.filled().len();
            match Pin::new(&mut this.stream).poll_read(context, buffer)? {
                Poll::Pending => ready!(this.poll_silence(context))?,
                Poll::Ready(()) if buffer.filled().len() == before => return Poll::Ready(Ok(())),
                Poll::Ready(()) => {
                    this.inbound.judge(buffer, before);
                    if buffer.filled().len() > before {
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    /// Shuts down the writing side, then reads on for a moment if the client may still be sending: closing with
    /// unread bytes makes the kernel send a reset, which can overtake the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let until = if let Some(until) = this.linger.until {
            until
        } else {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            *this.linger.until.insert(Instant::now() + LINGER)
        };
        if !this.inbound.is_cut_short() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        loop {
            let mut scratch = ReadBuf::new(&mut scratch);
            if this.linger.deadline.poll(until, context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut scratch)) {
                Ok(()) if !scratch.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
