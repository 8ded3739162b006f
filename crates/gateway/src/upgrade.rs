//! Upgraded connections (RFC 9110, section 7.8): after a 101 both sides are joined and bytes pass as they come.
//!
//! What the bytes mean is not looked at.

use std::{
    io,
    pin::{Pin, pin},
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use bartizan_identity::Lease;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use metrics::Gauge;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional},
    sync::watch,
    time::Instant,
};

/// Once the gateway drains, a tunnel without traffic for this long is closed: its client can come back to
/// another instance.
const QUIET: Duration = Duration::from_secs(1);

/// How often it is looked whether the caller still counts.
const LOOK: Duration = Duration::from_millis(250);

/// Joins both sides until both have ended, nothing has passed either way for `idle`, or the gateway is gone.
///
/// When one side ends its half, the other may go on (a half-closed TCP connection stays one). `shutdown`
/// turning true means that the gateway drains: from then on a short silence ends the tunnel.
pub(crate) async fn tunnel(
    client: OnUpgrade,
    upstream: OnUpgrade,
    idle: Duration,
    shutdown: watch::Receiver<bool>,
) {
    let _counted = Counted::new();
    let ended = async {
        let (client, upstream) = tokio::time::timeout(idle, async { tokio::try_join!(client, upstream) })
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
            .map_err(io::Error::other)?;
        join(TokioIo::new(client), TokioIo::new(upstream), idle, shutdown).await
    };
    if let Err(error) = ended.await {
        tracing::debug!(%error, "an upgraded connection ended");
    }
}

/// Waits until what a caller was proven by does not count any longer: a token or a session that was revoked or has lapsed.
pub(crate) async fn ended(lease: Option<Lease>) {
    let Some(mut lease) = lease else { return std::future::pending().await };
    while lease.counts(SystemTime::now()).await {
        tokio::time::sleep(LOOK).await;
    }
}

async fn join(
    client: impl AsyncRead + AsyncWrite + Unpin,
    mut upstream: impl AsyncRead + AsyncWrite + Unpin,
    idle: Duration,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let traffic = Traffic { start: Instant::now(), last: AtomicU64::new(0) };
    let mut client = Watched { stream: client, traffic: &traffic };
    let mut copied = pin!(copy_bidirectional(&mut client, &mut upstream));
    let (mut limit, mut draining) = (idle, false);
    loop {
        let end = traffic.last() + limit;
        tokio::select! {
            copied = &mut copied => return copied.map(drop),
            began = shutdown.wait_for(|draining| *draining), if !draining => match began {
                Ok(_) => (limit, draining) = (idle.min(QUIET), true),
                Err(_) => return Ok(()),
            },
            () = tokio::time::sleep_until(end) => {
                if traffic.last() + limit <= Instant::now() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    }
}

/// When bytes last passed. All of them pass the client's stream, so that one alone is watched.
#[derive(Debug)]
struct Traffic {
    start: Instant,
    /// Milliseconds since the start.
    last: AtomicU64,
}

impl Traffic {
    fn note(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// A stream whose traffic is noted.
#[derive(Debug)]
struct Watched<'a, S> {
    stream: S,
    traffic: &'a Traffic,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_ready() {
            self.traffic.note();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if polled.is_ready() {
            self.traffic.note();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Counts a tunnel while it lives.
struct Counted(Gauge);

impl Counted {
    fn new() -> Self {
        let gauge = metrics::gauge!("bartizan_upgraded_connections");
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
