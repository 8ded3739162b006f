//! One accepted connection, from its first byte to its last: admission, PROXY header, TLS, which HTTP, requests.
//!
//! Each step has a deadline. What a request is answered with comes from an [`Answer`]; nothing here looks into
//! requests beyond what HTTP/2 leaves unchecked.

mod body;
mod drive;
mod facts;
#[cfg(test)]
pub(crate) mod harness;
mod requests;
mod socket;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bartizan_config::ProxyProtocol;
use rustls::ServerConfig;
use tokio::{
    io,
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use facts::ListenerKind;
pub(crate) use facts::{Answer, ConnectionFacts, TlsFacts};

use crate::{
    admission::{OverLimit, Permit},
    listener::ListenerSettings,
    proxy_protocol::{self, Parsed, ProxyHeaderError},
    wire::{Pace, PacedStream, WireState},
};
use drive::Driver;
use facts::Announced;
use socket::Socket;

/// How HTTP/2 begins (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How long a connection to a listener that stops may take to shake hands, and then to send its first request.
const FIRST_REQUEST_GRACE: Duration = Duration::from_secs(1);

/// Why a connection ended other than by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// It was over a limit.
    #[error("{0}")]
    OverLimit(#[from] OverLimit),
    /// A PROXY header was expected from somebody who may not send one.
    #[error("the peer is not a trusted proxy")]
    UntrustedProxy,
    /// The PROXY header is malformed.
    #[error("{0}")]
    ProxyHeader(#[from] ProxyHeaderError),
    /// The PROXY header, the handshake or the first byte did not come in time.
    #[error("nothing was agreed upon in time")]
    Timeout,
    /// The configuration no longer has a certificate.
    #[error("no certificate is configured")]
    NoCertificate,
    /// Plain HTTP came where TLS was expected.
    #[error("plain HTTP on the HTTPS port")]
    PlainHttp,
    /// The client certificate is valid but cannot be read.
    #[error("the client certificate cannot be read")]
    ClientCertificate,
    /// The socket or the TLS handshake failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// hyper gave up.
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// A connection that was just accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) listener: ListenerKind,
    pub(crate) permit: Permit,
    pub(crate) settings: Arc<ListenerSettings>,
    /// Turns true when the listener stops.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Accepted {
    /// Serves it to its end, upgraded or not.
    pub(crate) async fn serve<A: Answer>(self, answer: Arc<A>) -> Result<(), ConnectionError> {
        let wire = Arc::new(WireState::default());
        let peer = self.peer;
        let ended = self.serve_with(Arc::clone(&wire), answer).await;
        if let Some(violation) = wire.breach() {
            metrics::counter!("bartizan_wire_violations_total", "code" => violation.code()).increment(1);
            tracing::info!(%peer, code = violation.code(), "connection ended: {violation}");
        }
        ended
    }

    async fn serve_with<A: Answer>(
        mut self,
        wire: Arc<WireState>,
        answer: Arc<A>,
    ) -> Result<(), ConnectionError> {
        let settings = Arc::clone(&self.settings);
        let hardening = &settings.hardening;
        let mut limit =
            TimeLimit { deadline: Instant::now() + hardening.handshake_timeout, stop: self.stop.clone() };
        let local = self.stream.local_addr()?;
        let pace = Pace::new(hardening.min_rate, hardening.rate_window);
        let mut socket = Socket::new(PacedStream::new(self.stream, pace, Arc::clone(&wire)));

        let announced = match settings.proxy_protocol {
            ProxyProtocol::Off => Announced::NotAsked,
            ProxyProtocol::Required if !settings.trusts(self.peer.ip()) => {
                return Err(ConnectionError::UntrustedProxy);
            }
            ProxyProtocol::Required => limit.on(announced(&mut socket)).await?,
        };
        let client = announced.client(self.peer);
        if !settings.trusts(client.ip()) {
            self.permit.count(client.ip(), hardening)?;
        }

        let mut facts = ConnectionFacts::new(self.peer, announced, local, self.listener, wire);
        let driver = |facts: ConnectionFacts, since| {
            facts.log();
            Driver { answer, facts: Arc::new(facts), hardening, stop: self.stop, since }
        };
        if self.listener == ListenerKind::Https {
            let config = settings.tls.clone().ok_or(ConnectionError::NoCertificate)?;
            let stream = limit.on(handshake(socket, config)).await?;
            let agreed = TlsFacts::of(stream.get_ref().1)?;
            let is_http2 = agreed.alpn.as_deref() == Some("h2");
            facts.tls = Some(agreed);
            let driver = driver(facts, Instant::now());
            if is_http2 { driver.http2(stream).await? } else { driver.http1(stream).await? }
        } else {
            let since = Instant::now();
            limit.deadline = since + hardening.header_timeout;
            let is_http2 = limit.on(speaks_http2(&mut socket)).await?;
            let driver = driver(facts, since);
            if is_http2 { driver.http2(socket).await? } else { driver.http1(socket).await? }
        }
        Ok(())
    }
}

/// Who the PROXY header says the client is.
async fn announced(socket: &mut Socket) -> Result<Announced, ConnectionError> {
    loop {
        match proxy_protocol::parse(socket.early())? {
            Parsed::Complete { source, length } => {
                socket.consume(length);
                return Ok(source.map_or(Announced::Nobody, Announced::Client));
            }
            Parsed::Incomplete => socket.read_ahead().await?,
        }
    }
}

/// Shakes hands. Somebody who speaks plain HTTP gets no answer, lest the port pass for an HTTP one.
async fn handshake(
    mut socket: Socket,
    config: Arc<ServerConfig>,
) -> Result<TlsStream<Socket>, ConnectionError> {
    if socket.early().is_empty() {
        socket.read_ahead().await?;
    }
    // A handshake record begins with 22, a method with a letter.
    if socket.early().first().is_some_and(u8::is_ascii_alphabetic) {
        return Err(ConnectionError::PlainHttp);
    }
    Ok(TlsAcceptor::from(config).accept(socket).await?)
}

/// Whether the client begins with the preface of HTTP/2: prior knowledge (RFC 9113 §3.3).
async fn speaks_http2(socket: &mut Socket) -> Result<bool, ConnectionError> {
    loop {
        let early = socket.early();
        if early.starts_with(HTTP2_PREFACE) {
            return Ok(true);
        }
        if !early.is_empty() && !HTTP2_PREFACE.starts_with(early) {
            return Ok(false);
        }
        socket.read_ahead().await?;
    }
}

/// How long a step before the first request may take. Once the listener stops it is a moment.
struct TimeLimit {
    deadline: Instant,
    stop: watch::Receiver<bool>,
}

impl TimeLimit {
    async fn on<T>(
        &mut self,
        step: impl Future<Output = Result<T, ConnectionError>>,
    ) -> Result<T, ConnectionError> {
        let listener = &mut self.stop;
        let stopping = async {
            // An error means that the listener is gone.
            let _ = listener.wait_for(|stop| *stop).await;
            sleep(FIRST_REQUEST_GRACE).await;
        };
        tokio::select! {
            biased;
            done = timeout_at(self.deadline, step) => done.unwrap_or(Err(ConnectionError::Timeout)),
            () = stopping => Err(ConnectionError::Timeout),
        }
    }
}

#[cfg(test)]
mod tests;
