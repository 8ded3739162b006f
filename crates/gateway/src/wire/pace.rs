//! The slow-read defence: a peer that takes a response too slowly is cut off.
//!
//! It counts the bytes that the socket takes, below TLS. A window opens when a write has to wait and closes when
//! one goes through whole, so a connection that never waits never arms a timer. Bytes beyond what a window
//! demands count for the next ones, and what was taken before counts for the first ones, because a socket asks for
//! more only when a third of its buffer is free: to an honest client at 8 KiB/s that can take most of a minute.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{self, AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

use super::{Violation, WireState, deadline::Deadline};

/// How many windows' worth of bytes may be taken in advance.
pub(super) const WINDOWS_IN_ADVANCE: u64 = 5;

/// The slowest a peer may take what is written.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    demand: u64,
    deadline: Deadline,
    stall: Option<Stall>,
}

#[derive(Debug)]
struct Stall {
    /// The end of the current window.
    end: Instant,
    /// Bytes taken that have not been counted for a window yet.
    taken: u64,
}

impl Pace {
    /// At least `bytes_per_second`, averaged over `window`.
    pub(crate) fn new(bytes_per_second: u32, window: Duration) -> Self {
        let demand = (f64::from(bytes_per_second) * window.as_secs_f64()).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive, and far below 2^53"
        )]
        Self { window, demand: demand as u64, deadline: Deadline::default(), stall: None }
    }

    /// A write took `taken` of `offered` bytes.
    fn took(&mut self, taken: usize, offered: usize) {
        if taken >= offered {
            self.stall = None;
        } else if let Some(stall) = &mut self.stall {
            stall.taken = (stall.taken + taken as u64).min(self.demand * (1 + WINDOWS_IN_ADVANCE));
        }
    }

    /// A write has to wait: an error once it has waited too long.
    fn wait(&mut self, context: &mut Context<'_>) -> Result<(), Violation> {
        let window = self.window;
        let stall = self.stall.get_or_insert_with(|| Stall {
            end: Instant::now() + window,
            taken: self.demand * WINDOWS_IN_ADVANCE,
        });
        while self.deadline.poll(stall.end, context).is_ready() {
            stall.taken = stall.taken.checked_sub(self.demand).ok_or(Violation::SlowRead)?;
            stall.end = Instant::now() + window;
        }
        Ok(())
    }
}

/// A socket whose writes must keep pace.
#[derive(Debug)]
pub(crate) struct PacedStream {
    stream: TcpStream,
    pace: Pace,
    wire: Arc<WireState>,
}

impl PacedStream {
    /// Watches the writes to `stream`.
    pub(crate) fn new(stream: TcpStream, pace: Pace, wire: Arc<WireState>) -> Self {
        Self { stream, pace, wire }
    }

    fn judge(
        &mut self,
        written: Poll<io::Result<usize>>,
        offered: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(taken)) => self.pace.took(*taken, offered),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                if let Err(violation) = self.pace.wait(context) {
                    self.wire.record(violation);
                    // Closed over bytes that nobody takes, the socket would stay in the kernel for minutes.
                    let _ = self.stream.set_zero_linger();
                    return Poll::Ready(Err(violation.into()));
                }
            }
        }
        written
    }
}

impl AsyncRead for PacedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for PacedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(written, bytes.len(), context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(written, slices.iter().map(|slice| slice.len()).sum(), context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    /// Writes without end, more at a time than fits; returns once the peer has been too slow.
    async fn write(mut stream: DuplexStream) -> Violation {
        let mut pace = Pace::new(100, WINDOW);
        poll_fn(|context| {
            loop {
                match Pin::new(&mut stream).poll_write(context, &[0; 4096]) {
                    Poll::Ready(Ok(taken)) => pace.took(taken, 4096),
                    Poll::Ready(Err(_)) => return Poll::Pending,
                    Poll::Pending => return pace.wait(context).map_or_else(Poll::Ready, |()| Poll::Pending),
                }
            }
        })
        .await
    }

    /// What a peer that behaves as `takes` says has earned by the time it is done.
    async fn write_to(takes: impl AsyncFnOnce(DuplexStream)) -> Option<Violation> {
        let (peer, server) = io::duplex(1024);
        tokio::select! {
            biased;
            violation = write(server) => Some(violation),
            () = takes(peer) => None,
        }
    }

    async fn take(peer: &mut DuplexStream, length: usize) {
        // The peer may have been cut off: the verdict says so.
        let _ = peer.read_exact(&mut vec![0; length]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_once_nothing_is_left_in_advance() {
        let began = Instant::now();
        let verdict = write_to(async |peer| {
            tokio::time::sleep(WINDOW * 10).await;
            drop(peer);
        });
        assert_eq!(verdict.await, Some(Violation::SlowRead));
        assert_eq!(began.elapsed().as_secs(), (WINDOW * 6).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_just_enough_is_left_alone() {
        for (each, every, expected) in [(600, 4, None), (600, 11, Some(Violation::SlowRead)), (1200, 9, None)]
        {
            let verdict = write_to(async |mut peer| {
                for _ in 0..20 {
                    tokio::time::sleep(Duration::from_secs(every)).await;
                    take(&mut peer, each).await;
                }
            });
            assert_eq!(verdict.await, expected, "{each} bytes every {every} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_early_counts_for_a_while() {
        for (windows, expected) in [(4_u32, None), (8, Some(Violation::SlowRead))] {
            let verdict = write_to(async |mut peer| {
                take(&mut peer, 100_000).await;
                tokio::time::sleep(WINDOW * windows).await;
                take(&mut peer, 100_000).await;
            });
            assert_eq!(verdict.await, expected, "a pause of {windows} windows");
        }
    }
}
