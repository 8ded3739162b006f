//! A syslog server over TCP, in clear (RFC 6587) or over TLS (RFC 5425).
//!
//! Syslog acknowledges nothing: what was written to a connection that breaks right behind it may be lost on the way. So the
//! batch that was written last is written again to the next connection, if that is needed within a minute; the server
//! recognises doubles by `uid`.

use std::{fmt, io, time::Duration};

use bartizan_config::SyslogReceiver;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::TlsConnector;

use super::{Refused, Sent, tls};
use crate::{ExportError, Shown, format::syslog::Header};

/// How long it is not known whether what was written has arrived.
const DOUBTFUL: Duration = Duration::from_mins(1);
/// A server that does not accept our certificate says so only behind the handshake (RFC 8446, section 4.4.2.4).
const SETTLING: Duration = Duration::from_millis(300);
/// What a server may say, which is nothing, before it is taken for something else.
const MOST_SAID: usize = 4096;

/// A connection to a syslog server.
pub(crate) struct Syslog {
    header: Header,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    timeout: Duration,
    connection: Option<Box<dyn Stream>>,
    /// What was written last, and when.
    last: Option<(Instant, Vec<u8>)>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, connection, .. } = self;
        let is_connected = connection.is_some();
        f.debug_struct("Syslog")
            .field("host", host)
            .field("port", port)
            .field("is_connected", &is_connected)
            .finish_non_exhaustive()
    }
}

impl Syslog {
    pub(super) fn new(settings: &SyslogReceiver, timeout: Duration) -> Result<Self, ExportError> {
        let SyslogReceiver { host, port, tls, format, facility } = settings;
        let connector = |tls| {
            let name = ServerName::try_from(host.clone());
            let name = name.map_err(|_| ExportError::ServerName(host.clone()))?;
            Ok::<_, ExportError>((TlsConnector::from(tls::client(tls)?), name))
        };
        Ok(Self {
            header: Header::new(*facility, *format),
            host: host.clone(),
            port: *port,
            tls: tls.as_ref().map(connector).transpose()?,
            timeout,
            connection: None,
            last: None,
        })
    }

    pub(super) async fn send(&mut self, events: &[Shown]) -> Result<Sent, Refused> {
        let mut frames = Vec::with_capacity(events.len() * 1024);
        for event in events {
            self.header.frame(event, &mut frames);
        }
        let Self { host, port, .. } = self;
        let server = format!("{host}:{port}");
        let written = match timeout(self.timeout, self.write(&frames)).await {
            Ok(written) => written.map_err(|error| Refused::now(format!("{server}: {error}"))),
            Err(_) => Err(Refused::now(format!("{server} takes nothing within {:?}", self.timeout))),
        };
        if written.is_err() {
            self.connection = None;
        }
        written?;
        self.last = Some((Instant::now(), frames));
        Ok(Sent { answer: format!("written to {server}; syslog acknowledges nothing"), ..Sent::default() })
    }

    async fn write(&mut self, frames: &[u8]) -> io::Result<()> {
        let mut connection = match self.open_connection().await {
            Some(connection) => connection,
            None => self.next_connection().await?,
        };
        connection.write_all(frames).await?;
        connection.flush().await?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection so far, if the server has not closed it.
    async fn open_connection(&mut self) -> Option<Box<dyn Stream>> {
        let mut connection = self.connection.take()?;
        is_open(&mut connection, Duration::ZERO).await.then_some(connection)
    }

    /// Another one, over which what may have been lost has gone already.
    async fn next_connection(&self) -> io::Result<Box<dyn Stream>> {
        let mut connection = self.connect().await?;
        if let Some((_, frames)) = self.last.as_ref().filter(|(at, _)| at.elapsed() < DOUBTFUL) {
            connection.write_all(frames).await?;
        }
        Ok(connection)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let mut stream: Box<dyn Stream> = Box::new(connector.connect(name.clone(), stream).await?);
        if is_open(&mut stream, SETTLING).await {
            Ok(stream)
        } else {
            let reason = "the server has closed the connection right after the TLS handshake: does it want another \
                          client certificate?";
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, reason))
        }
    }
}

/// Whether the server has not closed the connection within this time.
async fn is_open(stream: &mut Box<dyn Stream>, within: Duration) -> bool {
    let mut said = [0; MOST_SAID];
    // A server has nothing to say. What it says all the same is of no interest; its end is.
    !matches!(timeout(within, stream.read(&mut said)).await, Ok(Ok(0) | Err(_)))
}
