//! A real HTTP server behind the gateway: it answers by path and keeps what it received.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, channel::Channel, combinators::BoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use crate::harness::PATIENCE;

pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// A server that speaks HTTP/1.1 and HTTP/2 in the clear.
///
/// | path | answer |
/// |---|---|
/// | `/status/503` | that status |
/// | `/gate/…` | once [`Upstream::open_gate`] was called |
/// | `/drip` | the body `first`, then `last` once the gate is open |
/// | other | 200 and `hello from upstream` |
///
/// Displays itself as its URL, without a slash at the end.
pub(crate) struct Upstream {
    address: SocketAddr,
    received: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    gate: watch::Sender<bool>,
    tasks: AbortHandle,
}

/// A request as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same on a listener of the story's own.
    pub(crate) fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let (gate, open) = watch::channel(false);
        let tasks = tokio::spawn(serve(listener, Behaviour { received: sender, gate: open })).abort_handle();
        Self { address, received: tokio::sync::Mutex::new(received), gate, tasks }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request that arrives, or has arrived already.
    pub(crate) async fn received(&self) -> Received {
        let mut received = self.received.lock().await;
        timeout(PATIENCE, received.recv()).await.expect("no request arrived").unwrap()
    }

    /// Whether every request that arrived so far has been looked at.
    pub(crate) async fn has_received_nothing(&self) -> bool {
        self.received.lock().await.is_empty()
    }

    /// Lets the paths that wait answer.
    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

#[derive(Clone)]
struct Behaviour {
    received: mpsc::UnboundedSender<Received>,
    gate: watch::Receiver<bool>,
}

/// Ends its connections when it ends itself.
async fn serve(listener: TcpListener, behaviour: Behaviour) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            Some(_) = connections.join_next() => continue,
        };
        let behaviour = Arc::new(Mutex::new(behaviour.clone()));
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let behaviour = behaviour.lock().unwrap().clone();
                async move { Ok::<_, Infallible>(behaviour.answer(request).await) }
            });
            // Connections end as the gateway likes.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

impl Behaviour {
    async fn answer(mut self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let path = head.uri.path().to_owned();
        // The story may have ended.
        let _ =
            self.received.send(Received { method: head.method, uri: head.uri, headers: head.headers, body });
        if path.starts_with("/gate") {
            self.wait().await;
        } else if path == "/drip" {
            return self.drip();
        }
        let mut response = text("hello from upstream");
        if let Some(status) = path.strip_prefix("/status/") {
            *response.status_mut() = status.parse().unwrap();
        }
        response
    }

    fn drip(mut self) -> Response<Body> {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            let first = sender.send_data("first".into()).await;
            self.wait().await;
            if first.is_ok() {
                let _ = sender.send_data("last".into()).await;
            }
        });
        Response::new(body.boxed())
    }

    async fn wait(&mut self) {
        let _ = timeout(PATIENCE + Duration::from_secs(5), self.gate.wait_for(|open| *open)).await;
    }
}

/// A text to answer with.
pub(crate) fn text(text: &'static str) -> Response<Body> {
    Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed())
}
