//! Listeners: accept, serve, and stop without losing anybody.
//!
//! On stop the backlog of the kernel is taken in before the socket is closed, requests in flight are finished,
//! idle connections are closed, and what is left after the drain time is cut off.

mod activation;
mod socket;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use bartizan_config::{Hardening, ProxyProtocol};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub use activation::ActivatedSockets;
pub use socket::listen;

use crate::{
    GatewayError,
    admission::{Admission, OverLimit},
    connection::{Accepted, Answer, ConnectionError, ListenerKind},
};

/// How long to wait when the process is out of file descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What a reload may change about a listener; read once per connection.
#[derive(Debug)]
pub(crate) struct ListenerSettings {
    /// Limits and timeouts.
    pub(crate) hardening: Hardening,
    /// Whether connections start with a PROXY header.
    pub(crate) proxy_protocol: ProxyProtocol,
    /// Whose PROXY header is believed, and who is not counted per address.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// What the HTTPS listener presents.
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    /// How long requests in flight may take to finish after a signal to stop.
    pub(crate) drain: Duration,
}

impl ListenerSettings {
    /// Whether `address` is a trusted proxy.
    pub(crate) fn trusts(&self, address: std::net::IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

/// A proxy listener that holds its address.
#[derive(Debug)]
pub(crate) struct BoundListener {
    kind: ListenerKind,
    socket: TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    /// Takes over a listening socket: one of [`listen`], or one of [`ActivatedSockets`]. Needs a tokio runtime.
    pub(crate) fn new(kind: ListenerKind, socket: std::net::TcpListener) -> Result<Self, GatewayError> {
        let unspecified = SocketAddr::from(([0, 0, 0, 0], 0));
        let failed = |source| GatewayError::Listen { address: unspecified, source };
        let address = socket.local_addr().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let socket = TcpListener::from_std(socket).map_err(failed)?;
        Ok(Self { kind, socket, address })
    }

    /// Where it listens, with the real port.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` turns true, then drains. Returns when every connection has ended.
    pub(crate) async fn serve<A: Answer>(
        self,
        settings: Arc<ArcSwap<ListenerSettings>>,
        admission: Arc<Admission>,
        answer: Arc<A>,
        stop: watch::Receiver<bool>,
    ) {
        let mut stopped = stop.clone();
        let mut acceptor =
            Acceptor { kind: self.kind, settings, admission, answer, stop, connections: JoinSet::new() };
        loop {
            tokio::select! {
                () = until(&mut stopped) => break,
                Some(_) = acceptor.connections.join_next() => {}
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => acceptor.spawn(stream, peer),
                    Err(error) => acceptor.failed(&error).await,
                },
            }
        }
        acceptor.take_backlog(self.socket);
        acceptor.drain().await;
    }
}

struct Acceptor<A> {
    kind: ListenerKind,
    settings: Arc<ArcSwap<ListenerSettings>>,
    admission: Arc<Admission>,
    answer: Arc<A>,
    stop: watch::Receiver<bool>,
    connections: JoinSet<()>,
}

impl<A: Answer> Acceptor<A> {
    fn spawn(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (kind, settings) = (self.kind, self.settings.load_full());
        metrics::counter!("bartizan_connections_total", "listener" => kind.as_str()).increment(1);
        let permit = match self.admission.enter(&settings.hardening) {
            Ok(permit) => permit,
            Err(limit) => return refuse(limit, peer),
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "the connection was gone before it was accepted");
            return;
        }
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let accepted = Accepted { stream, peer, listener: kind, permit, settings, stop: self.stop.clone() };
        let answer = Arc::clone(&self.answer);
        let open = OpenConnection::new(kind);
        self.connections.spawn(async move {
            let ended = accepted.serve(answer).await;
            drop(open);
            match ended {
                Ok(()) => {}
                Err(ConnectionError::OverLimit(limit)) => refuse(limit, peer),
                Err(error) => {
                    tracing::debug!(%peer, listener = kind.as_str(), %error, "the connection ended early");
                }
            }
        });
    }

    /// Without file descriptors or memory an accept fails at once, again and again: wait until some are free.
    async fn failed(&self, error: &io::Error) {
        metrics::counter!("bartizan_accept_errors_total", "listener" => self.kind.as_str()).increment(1);
        if !is_passing(error) {
            tracing::warn!(listener = self.kind.as_str(), %error, "cannot accept connections");
            tokio::time::sleep(BACK_OFF).await;
        }
    }

    /// Whoever the kernel has connected already is served; then the socket is closed.
    fn take_backlog(&mut self, socket: TcpListener) {
        let Ok(socket) = socket.into_std() else { return };
        for (stream, peer) in waiting(|| socket.accept()) {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.spawn(stream, peer);
            }
        }
    }

    async fn drain(mut self) {
        let drain = self.settings.load().drain;
        let all_ended = async { while self.connections.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, all_ended).await.is_err() {
            let left = self.connections.len();
            tracing::warn!(
                listener = self.kind.as_str(),
                left,
                "connections cut off at the end of the drain time"
            );
            self.connections.shutdown().await;
        }
    }
}

/// What `accept` has to give without waiting. A connection that was gone before it was accepted does not end it.
fn waiting<T>(mut accept: impl FnMut() -> io::Result<T>) -> impl Iterator<Item = T> {
    std::iter::from_fn(move || {
        loop {
            match accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) if is_passing(&error) => {}
                Err(_) => return None,
            }
        }
    })
}

/// Whether the next accept may succeed at once: accept(2) also reports what happened to the connection it took.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

async fn until(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

fn refuse(limit: OverLimit, peer: SocketAddr) {
    metrics::counter!("bartizan_connections_refused_total", "reason" => limit.as_str()).increment(1);
    tracing::debug!(%peer, reason = limit.as_str(), "connection refused");
}

/// Counts an open connection in the gauge until dropped.
struct OpenConnection(metrics::Gauge);

impl OpenConnection {
    fn new(kind: ListenerKind) -> Self {
        let gauge = metrics::gauge!("bartizan_connections", "listener" => kind.as_str());
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests;
