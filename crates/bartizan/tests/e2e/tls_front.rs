//! TLS in front of a plain server: it ends the handshake, keeps what it learned, and passes the bytes on.

use std::{fmt, net::SocketAddr, sync::Arc};

use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Mutex, mpsc},
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::harness::PATIENCE;

/// Displays itself as its URL, without a slash at the end.
pub(crate) struct TlsFront {
    address: SocketAddr,
    handshakes: Mutex<mpsc::UnboundedReceiver<Handshake>>,
    tasks: AbortHandle,
}

/// What a client said of itself.
#[derive(Debug)]
pub(crate) struct Handshake {
    pub(crate) protocol: Option<String>,
    pub(crate) server_name: Option<String>,
    pub(crate) certificate: Option<CertificateDer<'static>>,
}

impl TlsFront {
    pub(crate) async fn start(config: ServerConfig, behind: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, handshakes) = mpsc::unbounded_channel();
        let tasks = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), behind, sender));
        Self { address, handshakes: Mutex::new(handshakes), tasks: tasks.abort_handle() }
    }

    /// The next handshake that succeeds, or has succeeded already.
    pub(crate) async fn handshake(&self) -> Handshake {
        let mut handshakes = self.handshakes.lock().await;
        timeout(PATIENCE, handshakes.recv()).await.expect("nobody came").unwrap()
    }

    pub(crate) async fn has_seen_nobody(&self) -> bool {
        self.handshakes.lock().await.is_empty()
    }
}

impl fmt::Display for TlsFront {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.address)
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    behind: SocketAddr,
    handshakes: mpsc::UnboundedSender<Handshake>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            Some(_) = connections.join_next() => continue,
        };
        let (acceptor, handshakes) = (acceptor.clone(), handshakes.clone());
        connections.spawn(async move {
            // A client that does not trust us goes away.
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let (_, session) = stream.get_ref();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let _ = handshakes.send(Handshake {
                protocol: session.alpn_protocol().map(text),
                server_name: session.server_name().map(ToOwned::to_owned),
                certificate: session.peer_certificates().and_then(|chain| Some(chain.first()?.clone())),
            });
            let mut behind = TcpStream::connect(behind).await.unwrap();
            let _ = copy_bidirectional(&mut stream, &mut behind).await;
        });
    }
}
