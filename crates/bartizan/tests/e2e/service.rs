//! A server behind the gateway that answers as the story says, where [`Upstream`](crate::upstream::Upstream)
//! does not do.

use std::{
    convert::Infallible,
    fmt,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

use crate::upstream::Body;

/// How a [`Service`] speaks HTTP.
pub(crate) type Protocols = auto::Builder<TokioExecutor>;

/// Displays itself as its URL, without a slash at the end.
pub(crate) struct Service {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    tasks: AbortHandle,
}

impl Service {
    /// Speaks HTTP/1.1 and HTTP/2 in the clear.
    pub(crate) async fn start<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::speaking(auto::Builder::new(TokioExecutor::new()), answer).await
    }

    /// Speaks as it is told.
    pub(crate) async fn speaking<F, A>(protocols: Protocols, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), protocols, answer)
    }

    /// The same on a listener of the story's own.
    pub(crate) fn on<F, A>(listener: TcpListener, protocols: Protocols, answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Response<Body>> + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let tasks = tokio::spawn(serve(listener, protocols, answer, Arc::clone(&connections))).abort_handle();
        Self { address, connections, tasks }
    }

    /// How many connections were opened so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

async fn serve<F, A>(listener: TcpListener, protocols: Protocols, answer: F, count: Arc<AtomicUsize>)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted.unwrap(),
            Some(_) = connections.join_next() => continue,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let (protocols, answer) = (protocols.clone(), answer.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            // Connections end as the gateway likes.
            let _ = protocols.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
