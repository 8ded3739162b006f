//! The connections of one target: taken, opened, waited for, given back.
//!
//! The way of a request that finds an idle connection or a free stream is one short lock. The rest happens
//! only when a connection must be opened. All connections together never exceed the configured number,
//! upgraded ones included.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bartizan_config as config;
use metrics::Gauge;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{
    connect::{Connector, Offer, Version},
    error::UpstreamError,
    http1::{Http1, Idle},
    http2::{Connections, Place},
    stream::{Slot, Stream},
};

/// What carries an exchange.
pub(super) enum Carrier {
    Http1(Http1),
    Http2(Place),
}

/// The connections of one target.
pub(super) struct Pool {
    connector: Arc<Connector>,
    protocol: config::Protocol,
    secure: bool,
    connect_timeout: Duration,
    http1: Idle,
    http2: Connections,
    negotiated: Negotiated,
    /// One permit per connection that may still be opened.
    slots: Arc<Semaphore>,
    size: usize,
    /// Held by the request that opens an HTTP/2 connection; those that come meanwhile will find room on it.
    opening: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    open: Gauge,
}

impl Pool {
    pub(super) fn new(
        connector: Arc<Connector>,
        target: &config::Target,
        upstream: &config::Upstream,
        open: Gauge,
    ) -> Self {
        let size = upstream.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            connector,
            protocol: upstream.protocol,
            secure: target.tls,
            connect_timeout: upstream.timeouts.connect,
            http1: Idle::default(),
            http2: Connections::default(),
            negotiated: Negotiated::default(),
            slots: Arc::new(Semaphore::new(size)),
            size,
            opening: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
            open,
        }
    }

    /// A connection or a stream for one exchange.
    pub(super) async fn take(&self, grpc: bool) -> Result<Carrier, UpstreamError> {
        let version = self.version(grpc);
        let free = match version {
            Some(Version::Http1) => self.http1.take().map(Carrier::Http1),
            Some(Version::Http2) => self.http2.take().map(Carrier::Http2),
            None => None,
        };
        match (free, version) {
            (Some(carrier), _) => Ok(carrier),
            // Boxed because these are large, seldom and would swell every request's future.
            (None, Some(Version::Http1)) => Box::pin(self.open_or_wait()).await,
            (None, _) => Box::pin(self.open_in_turn(grpc)).await,
        }
    }

    /// A fresh HTTP/1.1 connection for a request that may upgrade it; it never comes back.
    pub(super) async fn open_exclusive(&self) -> Result<Stream, UpstreamError> {
        if self.protocol == config::Protocol::Http2 {
            return Err(UpstreamError::Protocol(
                "an upgrade needs HTTP/1.1, the upstream speaks HTTP/2".into(),
            ));
        }
        let deadline = self.deadline();
        let waiting = self.queue()?;
        let permit = timeout_at(deadline, Arc::clone(&self.slots).acquire_owned()).await;
        let permit = permit.ok().and_then(Result::ok).ok_or(UpstreamError::Saturated)?;
        drop(waiting);
        let (stream, _) = self.connect(Offer::Http1, permit, deadline).await?;
        Ok(stream)
    }

    /// Takes back a connection whose exchange is complete.
    pub(super) fn put(&self, connection: Http1) {
        self.http1.put(connection);
    }

    /// Closes what has been idle for `sweeps` sweeps and what the target has closed.
    pub(super) fn sweep(&self, sweeps: u32) {
        self.http1.sweep(sweeps);
        self.http2.sweep(sweeps);
    }

    /// Connections open at present.
    pub(super) fn connections(&self) -> usize {
        self.size.saturating_sub(self.slots.available_permits())
    }

    /// The version a request will find, unless only a handshake can tell.
    fn version(&self, grpc: bool) -> Option<Version> {
        match self.protocol {
            config::Protocol::Auto if self.secure => self.negotiated.get(),
            config::Protocol::Auto if grpc => Some(Version::Http2),
            config::Protocol::Auto | config::Protocol::Http1 => Some(Version::Http1),
            config::Protocol::Http2 => Some(Version::Http2),
        }
    }

    /// Opens an HTTP/1.1 connection or, if no more may be opened, waits for one to come back.
    async fn open_or_wait(&self) -> Result<Carrier, UpstreamError> {
        let deadline = self.deadline();
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return self.open(Version::Http1, permit, deadline).await;
        }
        let _waiting = self.queue()?;
        let mut returned = self.http1.wait();
        let permit = tokio::select! {
            biased;
            Ok(connection) = &mut returned => return Ok(Carrier::Http1(connection)),
            Ok(permit) = Arc::clone(&self.slots).acquire_owned() => permit,
            () = tokio::time::sleep_until(deadline) => return Err(UpstreamError::Saturated),
        };
        returned.close();
        if let Ok(connection) = returned.try_recv() {
            return Ok(Carrier::Http1(connection));
        }
        self.open(Version::Http1, permit, deadline).await
    }

    /// Opens connections one after the other, so that requests arriving together share the first one.
    async fn open_in_turn(&self, grpc: bool) -> Result<Carrier, UpstreamError> {
        let deadline = self.deadline();
        let waiting = self.queue()?;
        let late = |_| UpstreamError::ConnectTimeout;
        let turn = timeout_at(deadline, self.opening.lock()).await.map_err(late)?;
        if self.version(grpc) == Some(Version::Http1) {
            drop((turn, waiting));
            return match self.http1.take() {
                Some(connection) => Ok(Carrier::Http1(connection)),
                None => self.open_or_wait().await,
            };
        }
        loop {
            if let Some(place) = self.http2.take() {
                return Ok(Carrier::Http2(place));
            }
            tokio::select! {
                biased;
                Ok(permit) = Arc::clone(&self.slots).acquire_owned() => {
                    return self.open(Version::Http2, permit, deadline).await;
                }
                () = self.http2.freed.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Err(UpstreamError::Saturated),
            }
        }
    }

    /// Opens a connection, which speaks `expected` in the clear and what was negotiated over TLS.
    async fn open(
        &self,
        expected: Version,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<Carrier, UpstreamError> {
        let (stream, version) = self.connect(Offer::Configured(expected), permit, deadline).await?;
        self.negotiated.set(version);
        let opened = async {
            match version {
                Version::Http1 => Http1::open(stream).await.map(Carrier::Http1).map_err(io::Error::other),
                Version::Http2 => self.http2.open(stream).await.map(Carrier::Http2),
            }
        };
        let opened = timeout_at(deadline, opened).await.map_err(io::Error::from).flatten();
        opened.map_err(|error| match version {
            // A guess, because the request claims to be gRPC: that it is wrong says nothing about the target.
            Version::Http2 if self.protocol == config::Protocol::Auto && !self.secure => {
                UpstreamError::Protocol(format!("no HTTP/2 for gRPC: {error}").into())
            }
            _ => unconnected(error),
        })
    }

    async fn connect(
        &self,
        offer: Offer,
        permit: OwnedSemaphorePermit,
        deadline: Instant,
    ) -> Result<(Stream, Version), UpstreamError> {
        let slot = Slot::new(permit, &self.open);
        let (socket, version) = self.connector.connect(offer, deadline).await.map_err(unconnected)?;
        Ok((Stream::new(socket, Some(slot)), version))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.connect_timeout
    }

    /// Joins those who wait for a connection, unless they are too many.
    fn queue(&self) -> Result<Waiting<'_>, UpstreamError> {
        let waiting = Waiting(&self.waiting);
        // The guard is made first: dropping it takes back the count of the one turned away.
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.size.max(WAITING_AT_LEAST) {
            return Err(UpstreamError::Saturated);
        }
        Ok(waiting)
    }
}

fn unconnected(error: io::Error) -> UpstreamError {
    match error.kind() {
        io::ErrorKind::TimedOut => UpstreamError::ConnectTimeout,
        _ => UpstreamError::Unavailable(error),
    }
}

/// As many requests as there are connections may wait for one, and never fewer than this.
const WAITING_AT_LEAST: usize = 128;

/// A request that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the last TLS handshake yielded.
#[derive(Default)]
struct Negotiated(AtomicU8);

impl Negotiated {
    fn get(&self) -> Option<Version> {
        match self.0.load(Ordering::Relaxed) {
            1 => Some(Version::Http1),
            2 => Some(Version::Http2),
            _ => None,
        }
    }

    fn set(&self, version: Version) {
        let known = match version {
            Version::Http1 => 1,
            Version::Http2 => 2,
        };
        self.0.store(known, Ordering::Relaxed);
    }
}
