//! What is known about a connection before its first request, and who answers its requests.

use std::{net::SocketAddr, sync::Arc};

use bartizan_identity::ClientCertificate;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use rustls::{ProtocolVersion, ServerConnection};

use super::ConnectionError;
use crate::{body::ResponseBody, tls, wire::WireState};

/// Answers the requests of connections.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers request `number` of `connection`, counted from 1.
    ///
    /// The first thing to ask is `connection.wire.violation(number)`: if there is one, the request is to be
    /// refused with it, and what `request` says is not what the client sent.
    fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Arc<ConnectionFacts>,
        number: u64,
    ) -> impl Future<Output = Response<ResponseBody>> + Send;
}

/// What is known about a connection.
#[derive(Debug)]
pub(crate) struct ConnectionFacts {
    /// Who opened the connection.
    pub(crate) peer: SocketAddr,
    /// On whose behalf: what the PROXY header says, else the peer.
    pub(crate) client: SocketAddr,
    /// Whether `client`, where it is a trusted proxy, is believed about whom it forwards for. A PROXY header that names
    /// nobody leaves the proxy as the client, but what follows may be anybody's bytes that it has not looked at.
    pub(crate) may_forward: bool,
    /// This end of the connection.
    pub(crate) local: SocketAddr,
    /// The address of `client` as a header value, made once for all requests.
    pub(crate) client_address: HeaderValue,
    /// Where it came in.
    pub(crate) listener: ListenerKind,
    /// What the TLS handshake agreed upon.
    pub(crate) tls: Option<TlsFacts>,
    /// What the guard saw.
    pub(crate) wire: Arc<WireState>,
}

impl ConnectionFacts {
    /// Of a connection that has not spoken TLS yet.
    pub(super) fn new(
        peer: SocketAddr,
        announced: Announced,
        local: SocketAddr,
        listener: ListenerKind,
        wire: Arc<WireState>,
    ) -> Self {
        let client = announced.client(peer);
        let may_forward = announced != Announced::Nobody;
        let address = client.ip().to_canonical().to_string();
        // INVARIANT: digits, letters, dots and colons are always a header value.
        let client_address =
            HeaderValue::try_from(address).unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self { peer, client, may_forward, local, client_address, listener, tls: None, wire }
    }

    /// Says that the connection stands, for who debugs.
    pub(super) fn log(&self) {
        let tls = self.tls.as_ref();
        tracing::debug!(
            peer = %self.peer,
            client = %self.client,
            listener = self.listener.as_str(),
            tls = tls.map(|tls| tls.version),
            server_name = tls.and_then(|tls| tls.server_name.as_deref()),
            alpn = tls.and_then(|tls| tls.alpn.as_deref()),
            "connection established"
        );
    }
}

/// Whom the PROXY header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    /// There is none.
    NotAsked,
    /// Nobody: the proxy speaks for itself (`LOCAL`), or for somebody it does not know (`UNKNOWN`, `UNSPEC`).
    Nobody,
    /// The client.
    Client(SocketAddr),
}

impl Announced {
    /// On whose behalf `peer` has opened the connection.
    pub(super) fn client(self, peer: SocketAddr) -> SocketAddr {
        match self {
            Self::Client(client) => client,
            Self::NotAsked | Self::Nobody => peer,
        }
    }
}

/// What a TLS handshake agreed upon.
#[derive(Debug)]
pub(crate) struct TlsFacts {
    /// `TLSv1.2` or `TLSv1.3`.
    pub(crate) version: &'static str,
    /// The server name the client asked for (SNI).
    pub(crate) server_name: Option<Box<str>>,
    /// The protocol agreed upon (ALPN).
    pub(crate) alpn: Option<Box<str>>,
    /// The client's certificate, its chain verified.
    pub(crate) client_certificate: Option<Arc<ClientCertificate>>,
}

impl TlsFacts {
    /// Of a handshake that is complete.
    pub(super) fn of(connection: &ServerConnection) -> Result<Self, ConnectionError> {
        let client_certificate = match connection.peer_certificates().and_then(<[_]>::first) {
            None => None,
            Some(certificate) => {
                let names =
                    tls::read_client_certificate(certificate).ok_or(ConnectionError::ClientCertificate)?;
                Some(Arc::new(names))
            }
        };
        let alpn = connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into());
        Ok(Self {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            server_name: connection.server_name().map(Into::into),
            alpn,
            client_certificate,
        })
    }
}

/// The proxy listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// TLS.
    Https,
    /// In the clear.
    Http,
    /// In the clear, to send clients to `Https`.
    Redirect,
}

impl ListenerKind {
    /// Its name in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Redirect => "redirect",
        }
    }
}
