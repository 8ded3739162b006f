//! One target: its connections, its standing, its figures, and the attempt to get an answer from it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bartizan_config as config;
use bartizan_identity::RequestSigner;
use http::{HeaderValue, Request, Response, StatusCode, uri::Authority, uri::Scheme};
use hyper::body::Incoming;

use super::{
    Wants,
    body::{Idle, Source, UpstreamBody},
    connect::{Connector, Version},
    ejection::Standing,
    error::{Outcome, UpstreamError},
    exclusive,
    figures::Figures,
    patience::Unanswered,
    pool::{Carrier, Pool},
    request::{Addressee, Outgoing, Watch, shape},
    signing::sign,
};

/// One target of an upstream.
pub(crate) struct Target {
    label: Arc<str>,
    addressee: Addressee,
    pub(super) connector: Arc<Connector>,
    pub(super) pool: Pool,
    pub(super) standing: Standing,
    /// What active health checks say; `true` without them.
    healthy: AtomicBool,
    in_flight: AtomicUsize,
    requests: AtomicU64,
    failures: AtomicU64,
    pub(super) figures: Figures,
}

/// What every attempt at the same request has in common.
pub(super) struct Errand<'a> {
    pub(super) wants: Wants,
    /// The client's `Host`, if it is to be preserved.
    pub(super) host: Option<HeaderValue>,
    /// Whether the request asks for an upgrade.
    pub(super) upgrade: bool,
    /// Signs it, each time anew.
    pub(super) signer: Option<&'a RequestSigner>,
}

/// An attempt that brought no response.
pub(super) struct Failed {
    pub(super) error: UpstreamError,
    /// The request itself, when nothing of it was ever written.
    pub(super) unsent: Option<Box<Request<Outgoing>>>,
    /// Whether it counts against the target.
    pub(super) blames_target: bool,
}

impl Target {
    pub(super) fn new(target: &config::Target, upstream: &config::Upstream, connector: Connector) -> Self {
        let label: Arc<str> = target.to_string().into();
        let figures = Figures::new(upstream.name.as_str(), &label);
        let connector = Arc::new(connector);
        Self {
            addressee: addressee(target),
            pool: Pool::new(Arc::clone(&connector), target, upstream, figures.connections.clone()),
            connector,
            label,
            standing: Standing::default(),
            healthy: AtomicBool::new(true),
            in_flight: AtomicUsize::new(0),
            requests: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            figures,
        }
    }

    /// Its URL, as logs and metrics name it.
    pub(crate) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    /// Sends a request once and waits for the head of its response.
    pub(super) async fn attempt(
        self: &Arc<Self>,
        request: Box<Request<Outgoing>>,
        errand: &Errand<'_>,
    ) -> Result<Response<UpstreamBody>, Failed> {
        let flight = Flight::new(self);
        let result = if errand.upgrade {
            Box::pin(self.upgrade(flight, request, errand)).await
        } else {
            self.exchange(flight, request, errand).await
        };
        self.count(&result);
        result
    }

    /// Exchanges a request for a response on a pooled connection. One that turns out to be closed before
    /// anything was written on it is replaced, whatever the method.
    async fn exchange(
        self: &Arc<Self>,
        flight: Flight,
        mut request: Box<Request<Outgoing>>,
        errand: &Errand<'_>,
    ) -> Result<Response<UpstreamBody>, Failed> {
        loop {
            let mut carrier = match self.pool.take(errand.wants.grpc).await {
                Ok(carrier) => carrier,
                Err(error) => return Err(Failed::before_sending(error, request)),
            };
            shape(&mut request, carrier.version(), errand.host.as_ref(), &self.addressee);
            sign(&mut request, errand.signer, &self.addressee)?;
            // Only here is it known to be gRPC rather than to be called so: that exists over HTTP/2 alone.
            request.body_mut().converse(errand.wants.grpc && carrier.version() == Version::Http2);
            let (reused, upload) = (carrier.is_reused(), request.body().watch());
            match carrier.send(request, &errand.wants).await {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    let error = UpstreamError::Protocol("101 to a request that asked for no upgrade".into());
                    return Err(Failed { error, unsent: None, blames_target: true });
                }
                Ok(response) => {
                    return Ok(finish(response, carrier.into(), Some(flight), upload, &errand.wants));
                }
                Err(Unanswered { unsent: Some(unsent), .. }) if reused => request = unsent,
                Err(unanswered) => return Err(Failed::after_sending(unanswered, reused)),
            }
        }
    }

    /// Sends a request on a connection of its own, which a 101 turns over to the caller.
    async fn upgrade(
        &self,
        flight: Flight,
        mut request: Box<Request<Outgoing>>,
        errand: &Errand<'_>,
    ) -> Result<Response<UpstreamBody>, Failed> {
        let mut stream = match self.pool.open_exclusive().await {
            Ok(stream) => stream,
            Err(error) => return Err(Failed::before_sending(error, request)),
        };
        stream.carry(flight);
        shape(&mut request, Version::Http1, errand.host.as_ref(), &self.addressee);
        sign(&mut request, errand.signer, &self.addressee)?;
        let upload = request.body().watch();
        match exclusive::send(stream, request, &errand.wants).await {
            Ok((response, timer)) => Ok(finish(response, Source::Driven(timer), None, upload, &errand.wants)),
            Err(unanswered) => Err(Failed::after_sending(unanswered, false)),
        }
    }

    fn count(&self, result: &Result<Response<UpstreamBody>, Failed>) {
        let outcome = match result {
            Ok(response) if response.status().is_server_error() => Outcome::ServerError,
            Ok(_) => Outcome::Answered,
            Err(failed) => failed.error.outcome(),
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.figures.count(outcome);
        if !matches!(outcome, Outcome::Answered | Outcome::RequestBody) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes in or takes out; says whether that is news.
    pub(super) fn set_healthy(&self, healthy: bool) -> bool {
        self.figures.healthy.set(f64::from(healthy));
        self.healthy.swap(healthy, Ordering::Relaxed) != healthy
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn addressee(&self) -> &Addressee {
        &self.addressee
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.label).finish()
    }
}

impl Failed {
    /// That a target does not speak what only the client asked for is no failure of the target.
    fn before_sending(error: UpstreamError, request: Box<Request<Outgoing>>) -> Self {
        let blames_target = !matches!(error, UpstreamError::Saturated | UpstreamError::Protocol(_));
        Self { error, unsent: Some(request), blames_target }
    }

    /// That a target closes an idle connection just when a request arrives on it is no failure of the target.
    fn after_sending(unanswered: Unanswered, reused: bool) -> Self {
        let blames_target = match unanswered.error {
            UpstreamError::RequestBody(_) => false,
            UpstreamError::Protocol(_) => !reused,
            _ => true,
        };
        Self { error: unanswered.error, unsent: unanswered.unsent, blames_target }
    }
}

/// A request in flight to a target, until its response body has ended or its upgraded connection has closed.
#[derive(Debug)]
pub(super) struct Flight(Arc<Target>);

impl Flight {
    fn new(target: &Arc<Target>) -> Self {
        target.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(target))
    }

    pub(super) fn target(&self) -> &Arc<Target> {
        &self.0
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn finish(
    response: Response<Incoming>,
    source: Source,
    flight: Option<Flight>,
    upload: Option<Arc<Watch>>,
    wants: &Wants,
) -> Response<UpstreamBody> {
    response
        .map(|incoming| UpstreamBody::new(incoming, source, flight, Idle::new(wants.idle_timeout, upload)))
}

/// The name as it stands in `Host` and `:authority`: without the port that the scheme implies.
fn addressee(target: &config::Target) -> Addressee {
    let (scheme, implied) = if target.tls { (Scheme::HTTPS, 443) } else { (Scheme::HTTP, 80) };
    let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
    let host = if target.port == implied { host } else { format!("{host}:{}", target.port) };
    // INVARIANT: the configuration admits only host names and addresses, which both of these take.
    Addressee {
        scheme,
        authority: host.parse().unwrap_or_else(|_| Authority::from_static("upstream.invalid")),
        host: HeaderValue::try_from(host).unwrap_or_else(|_| HeaderValue::from_static("upstream.invalid")),
    }
}

impl Carrier {
    fn version(&self) -> Version {
        match self {
            Self::Http1(_) => Version::Http1,
            Self::Http2(_) => Version::Http2,
        }
    }

    fn is_reused(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.reused,
            Self::Http2(place) => place.reused,
        }
    }

    async fn send(
        &mut self,
        request: Box<Request<Outgoing>>,
        wants: &Wants,
    ) -> Result<Response<Incoming>, Unanswered> {
        match self {
            Self::Http1(connection) => connection.send(request, wants.response_timeout).await,
            Self::Http2(place) => place.send(request, wants.response_timeout).await,
        }
    }
}
