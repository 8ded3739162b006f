//! Routes whose requests are answered in the process, after the same road as all others.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use bartizan_config::Route;
use bartizan_identity::{ClientCertificate, LiveSessions};
use bartizan_pipeline::{Code, Exchange, Outcome, Refusal, Stage};
use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::mpsc;

use crate::{
    arrive::X_REQUEST_ID,
    body::{ClientBody, RequestBody, ResponseBody, Trailers},
    forward::{strip_hop_by_hop, target},
};

/// Answers requests in the process. The body of a request is never streamed.
pub trait LocalService: Send + Sync + 'static {
    /// Answers one request. Its extensions hold the [`Visitor`].
    fn call(&self, request: Request<Bytes>) -> LocalAnswer<'_>;
}

/// What [`LocalService::call`] returns.
pub type LocalAnswer<'a> = Pin<Box<dyn Future<Output = Result<Response<LocalBody>, Infallible>> + Send + 'a>>;

/// The body of an answer.
#[derive(Debug)]
pub enum LocalBody {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece, until the sender is dropped. Whoever sends learns by it that the client is gone.
    Stream(mpsc::Receiver<Bytes>),
}

/// Who asks, as far as the connection and trusted proxies tell.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// The client's address.
    pub address: std::net::IpAddr,
    /// Whether the client speaks TLS.
    pub secure: bool,
    /// The certificate that it has proven to hold.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// The route that was taken.
    pub route: Option<Arc<Route>>,
}

/// The accounts of this gateway: their sessions for the road, their endpoints for the routes that lead there.
#[derive(Clone)]
pub struct AccountsDoor {
    /// What the road asks about sessions.
    pub sessions: Arc<LiveSessions>,
    /// What answers the endpoints.
    pub service: Arc<dyn LocalService>,
}

impl std::fmt::Debug for AccountsDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountsDoor").finish_non_exhaustive()
    }
}

/// Hands a request that has passed to the endpoints of accounts.
pub(crate) async fn answer(
    door: Option<&AccountsDoor>,
    exchange: &mut Exchange,
    body: ClientBody<'_>,
) -> Result<Response<ResponseBody>, Refusal> {
    let answered = hand_over(door, exchange, body).await;
    let (outcome, reason) = match &answered {
        Ok(_) => (Outcome::Answered, "accounts".into()),
        Err(refusal) => (Outcome::Denied, refusal.reason.clone()),
    };
    let line = exchange.route.as_ref().map(|route| route.config.line).unwrap_or_default();
    exchange.mark(Stage::Upstream, outcome, reason, line);
    answered
}

async fn hand_over(
    door: Option<&AccountsDoor>,
    exchange: &mut Exchange,
    body: ClientBody<'_>,
) -> Result<Response<ResponseBody>, Refusal> {
    let Some(door) = door else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "accounts begin with a restart"));
    };
    let RequestBody::Held(body) = body.into_request_body(0, Trailers::Dropped) else {
        return Err(Refusal::new(Code::SecurityCheckFailed, "the body was not held"));
    };
    let mut request = Request::new(body.unwrap_or_default());
    *request.method_mut() = exchange.head.method.clone();
    *request.uri_mut() = target(exchange)?;
    *request.headers_mut() = std::mem::take(&mut exchange.head.headers);
    request.headers_mut().insert(X_REQUEST_ID, exchange.id.header_value());
    let client = &exchange.client;
    let visitor = Visitor {
        address: client.address,
        secure: client.secure,
        certificate: client.certificate.clone(),
        route: exchange.route.as_ref().map(|route| Arc::clone(&route.config)),
    };
    request.extensions_mut().insert(visitor);
    let Ok(mut response) = door.service.call(request).await;
    strip_hop_by_hop(response.headers_mut());
    Ok(response.map(|body| match body {
        LocalBody::Whole(body) => ResponseBody::Local((!body.is_empty()).then_some(body)),
        LocalBody::Stream(pieces) => ResponseBody::Streamed(pieces),
    }))
}
