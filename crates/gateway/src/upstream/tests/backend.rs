//! A service to forward to, which counts what reaches it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bartizan_config as config;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

pub(super) type Reply = Response<BoxBody<Bytes, Infallible>>;

/// How a backend speaks.
#[derive(Clone, Default)]
pub(super) struct Speaking {
    /// HTTP/2 in the clear; over TLS, ALPN decides.
    pub(super) http2: bool,
    pub(super) max_streams: Option<u32>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

/// A running service; it ends when dropped.
pub(super) struct Backend {
    address: SocketAddr,
    host: String,
    tls: bool,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    /// Ends what it holds when dropped.
    tasks: JoinSet<()>,
}

impl Backend {
    /// HTTP/1.1 in the clear.
    pub(super) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        Self::speaking(Speaking::default(), answer).await
    }

    pub(super) async fn speaking<F, R>(speaking: Speaking, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let tls = speaking.tls.is_some();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        let answer = move |request| {
            counted.fetch_add(1, Ordering::SeqCst);
            answer(request)
        };
        let mut backend = Self::raw(move |socket, _| serve(socket, speaking.clone(), answer.clone())).await;
        backend.tls = tls;
        backend.requests = requests;
        backend
    }

    /// Does with each connection what `serve` does; connections are numbered from 0.
    pub(super) async fn raw<F, R>(serve: F) -> Self
    where
        F: Fn(TcpStream, usize) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                served.spawn(serve(socket, counted.fetch_add(1, Ordering::SeqCst)));
            }
        });
        Self {
            address,
            host: "127.0.0.1".to_owned(),
            tls: false,
            connections,
            requests: Arc::default(),
            tasks,
        }
    }

    /// A port where nobody listens.
    pub(super) async fn nobody() -> Self {
        let mut backend = Self::raw(|_, _| async {}).await;
        backend.tasks.shutdown().await;
        backend
    }

    pub(super) fn named(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(super) fn target(&self) -> config::Target {
        config::Target { tls: self.tls, host: self.host.clone(), port: self.address.port() }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests received so far.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

pub(super) fn text(text: impl Into<Bytes>) -> Reply {
    Response::new(Full::new(text.into()).boxed())
}

pub(super) fn status(status: u16) -> Reply {
    let mut reply = Response::new(Empty::new().boxed());
    *reply.status_mut() = StatusCode::from_u16(status).expect("a status");
    reply
}

async fn serve<F, R>(socket: TcpStream, speaking: Speaking, answer: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let Some(tls) = &speaking.tls else {
        return converse(socket, speaking.http2, speaking.max_streams, answer).await;
    };
    // A refused handshake is the client's to report.
    if let Ok(stream) = TlsAcceptor::from(Arc::clone(tls)).accept(socket).await {
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        converse(stream, http2, speaking.max_streams, answer).await;
    }
}

async fn converse<S, F, R>(stream: S, http2: bool, max_streams: Option<u32>, answer: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Reply> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let stream = TokioIo::new(stream);
    // How a connection ends is for the test to see from the other side.
    let _ = if http2 {
        let mut server = http2::Builder::new(TokioExecutor::new());
        server.max_concurrent_streams(max_streams).serve_connection(stream, service).await
    } else {
        http1::Builder::new().half_close(true).serve_connection(stream, service).with_upgrades().await
    };
}

/// A body of prepared frames.
pub(super) struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    ends: bool,
}

impl Frames {
    pub(super) fn new(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Self {
        Self { frames: frames.into_iter().collect(), ends: true }
    }

    /// One piece of data and then nothing, not even an end.
    pub(super) fn then_silence(data: Bytes) -> Self {
        Self { frames: VecDeque::from([Frame::data(data)]), ends: false }
    }
}

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
