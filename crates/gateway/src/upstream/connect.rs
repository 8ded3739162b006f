//! From a target's name to a stream that is ready for HTTP: name resolution, TCP, TLS.

use std::{io, net::SocketAddr, sync::Arc};

use bartizan_config as config;
use rustls_pki_types::ServerName;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{stream::Socket, tls::ClientTls};

/// The HTTP version that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// What is offered to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// What the `protocol` setting says; in the clear, this version.
    Configured(Version),
    /// HTTP/1.1 whatever else could be spoken.
    Http1,
}

/// How one target is reached.
#[derive(Debug)]
pub(super) struct Connector {
    target: config::Target,
    tls: Option<(Arc<ClientTls>, ServerName<'static>)>,
}

impl Connector {
    /// A connector; `tls` must be given for a target that speaks it.
    pub(super) fn new(target: &config::Target, tls: Option<(Arc<ClientTls>, ServerName<'static>)>) -> Self {
        Self { target: target.clone(), tls }
    }

    /// Connects within the deadline, which failing is an error of kind [`io::ErrorKind::TimedOut`].
    pub(super) async fn connect(&self, offer: Offer, deadline: Instant) -> io::Result<(Socket, Version)> {
        let socket = self.connect_tcp(deadline).await?;
        socket.set_nodelay(true)?;
        match &self.tls {
            Some((tls, name)) => timeout_at(deadline, secure(tls, name, offer, socket)).await?,
            None => match offer {
                Offer::Configured(version) => Ok((Socket::Plain(socket), version)),
                Offer::Http1 => Ok((Socket::Plain(socket), Version::Http1)),
            },
        }
    }

    /// Tries the addresses in turn, each for its share of the time left, so that a dead first address leaves
    /// some for the next.
    async fn connect_tcp(&self, deadline: Instant) -> io::Result<TcpStream> {
        let lookup = tokio::net::lookup_host((self.target.host.as_str(), self.target.port));
        let addresses: Vec<SocketAddr> = timeout_at(deadline, lookup).await??.collect();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => failure = error,
                Err(elapsed) => failure = elapsed.into(),
            }
        }
        Err(failure)
    }
}

async fn secure(
    tls: &ClientTls,
    name: &ServerName<'static>,
    offer: Offer,
    socket: TcpStream,
) -> io::Result<(Socket, Version)> {
    let config = match offer {
        Offer::Configured(_) => &tls.configured,
        Offer::Http1 => &tls.http1,
    };
    let only_http2 = matches!(config.alpn_protocols.as_slice(), [only] if only == b"h2");
    let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), socket).await?;
    let version = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Version::Http2,
        // A server that does not know ALPN may still have been told to speak HTTP/2.
        None if only_http2 => Version::Http2,
        _ => Version::Http1,
    };
    Ok((Socket::Tls(Box::new(stream)), version))
}
