//! Serves a router on a listener, HTTP/1.1, with a limit on everything a client can hold: connections, time for the
//! TLS handshake and the head of a request, size of the head, and the life of a connection.
//!
//! `axum::serve` sets no timer, so hyper's deadline for the head would not be enforced there. A connection carries
//! one request at a time, so the bound on connections bounds requests too.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::guard::Connection;

/// What clients may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; further ones wait in the listener's backlog.
    pub(crate) connections: usize,
    /// For the TLS handshake, and for the head of each request from the end of the one before.
    pub(crate) head: Duration,
    /// The life of a connection.
    pub(crate) life: Duration,
    /// For requests in flight to finish, once their connection must end.
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            head: Duration::from_secs(20),
            life: Duration::from_mins(10),
            drain: Duration::from_secs(10),
        }
    }
}

const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// After a failed `accept`, usually for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) {
    let server = Server { tls: tls.map(|config| acceptor(&config)), router, limits };
    let places = Arc::new(Semaphore::new(limits.connections));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, peer, place) = next(&listener, &places) => {
                let (server, stopping) = (server.clone(), stopping.clone());
                connections.spawn(async move {
                    server.connection(stream, peer, stopping).await;
                    drop(place);
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    drop(stop);
    // Each connection ends by itself within the same time; those that have not are aborted with the set.
    let _ = timeout(limits.drain, async { while connections.join_next().await.is_some() {} }).await;
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>) {
    // INVARIANT: nobody closes the semaphore.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection to the admin or metrics listener");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn acceptor(config: &ServerConfig) -> TlsAcceptor {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config).into()
}

#[derive(Clone)]
struct Server {
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
}

impl Server {
    async fn connection(self, stream: TcpStream, peer: SocketAddr, stopping: watch::Receiver<()>) {
        let connection = Connection { peer, secure: self.tls.is_some() };
        let served = match &self.tls {
            None => self.http(stream, connection, stopping).await,
            Some(tls) => match timeout(self.limits.head, tls.accept(stream)).await {
                Ok(Ok(stream)) => self.http(stream, connection, stopping).await,
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            },
        };
        if let Err(error) = served {
            tracing::debug!(%peer, error, "a connection to the admin or metrics listener ended early");
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        connection: Connection,
        mut stopping: watch::Receiver<()>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection);
            self.router.clone().oneshot(request.map(Body::new))
        });
        let mut served = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head)
                .max_headers(MAX_HEADERS)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(stream), service)
        );
        tokio::select! {
            result = served.as_mut() => return Ok(result?),
            _ = stopping.changed() => {}
            () = sleep(self.limits.life) => {}
        }
        served.as_mut().graceful_shutdown();
        timeout(self.limits.drain, served).await??;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
