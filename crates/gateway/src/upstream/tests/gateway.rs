//! The least of a gateway in front of an upstream, for what needs a client's body or connection.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Upstream, UpstreamError, WANTS, Wants};
use crate::{
    body::{Pace, Paced, RequestBody, ResponseBody},
    upgrade,
};

/// A running gateway; it ends when dropped.
pub(super) struct Gateway {
    pub(super) address: SocketAddr,
    /// Why requests failed; they are answered with 500.
    pub(super) errors: mpsc::UnboundedReceiver<UpstreamError>,
    pub(super) shutdown: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Front {
    upstream: Arc<Upstream>,
    limits: Limits,
    errors: mpsc::UnboundedSender<UpstreamError>,
    shutdown: watch::Receiver<bool>,
}

/// What clients are held to.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) body: u64,
    /// Bytes per second of a body, and the window they are averaged over.
    pub(super) rate: (u32, Duration),
    pub(super) wants: Wants,
    /// The longest silence in an upgraded connection.
    pub(super) idle: Duration,
}

pub(super) const LIMITS: Limits =
    Limits { body: 1 << 30, rate: (1, super::AMPLE), wants: WANTS, idle: super::AMPLE };

impl Gateway {
    pub(super) async fn start(upstream: Arc<Upstream>, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, errors) = mpsc::unbounded_channel();
        let (shutdown, stopping) = watch::channel(false);
        let front = Front { upstream, limits, errors: sender, shutdown: stopping };
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let front = front.clone();
                let service = service_fn(move |request| {
                    let front = front.clone();
                    async move { Ok::<_, Infallible>(front.forward(request).await) }
                });
                served.spawn(async move {
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
                    // A client that breaks off is part of the tests.
                    let _ = connection.with_upgrades().await;
                });
            }
        });
        Self { address, errors, shutdown, _tasks: tasks }
    }
}

impl Front {
    async fn forward(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let (mut parts, body) = request.into_parts();
        let client = parts.extensions.remove::<hyper::upgrade::OnUpgrade>();
        if !parts.headers.contains_key(header::UPGRADE) {
            parts.headers.remove(header::CONNECTION);
        }
        parts.headers.remove(header::TRANSFER_ENCODING);
        let body = if http_body::Body::is_end_stream(&body) {
            RequestBody::EMPTY
        } else {
            let (rate, window) = self.limits.rate;
            let rest = Paced::new(body, self.limits.body, Pace::at_least(rate, window));
            RequestBody::Streaming { front: None, rest }
        };
        match self.upstream.send(Request::from_parts(parts, body), self.limits.wants).await {
            Ok(mut answered) => {
                if answered.response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    let upstream = hyper::upgrade::on(&mut answered.response);
                    let client = client.expect("the client asked for it");
                    tokio::spawn(upgrade::tunnel(client, upstream, self.limits.idle, self.shutdown.clone()));
                }
                answered.response.map(ResponseBody::Upstream)
            }
            Err(error) => {
                self.errors.send(error).expect("the test listens");
                let mut response = Response::new(ResponseBody::EMPTY);
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
