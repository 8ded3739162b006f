//! The services behind the gateway: connection pools, balancing, health, retries.
//!
//! [`Upstream::send`] is the way in. It picks a target ([`balance`]), takes a connection ([`pool`]), sends, and
//! decides what a failure means ([`retry`], [`ejection`]). It spawns nothing per request; HTTP/1.1 connections
//! are driven by the task that uses them ([`http1`]).
//!
//! Built on `hyper::client::conn` because hyper-util's pooled client keeps a single HTTP/2 connection per
//! target, which long-lived gRPC streams use up.

mod balance;
mod body;
mod connect;
mod ejection;
mod error;
mod exclusive;
mod figures;
mod health;
mod http1;
mod http2;
mod patience;
mod pool;
mod request;
mod retry;
mod signing;
mod status;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod timer;
mod tls;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_config as config;
use bartizan_identity::RequestSigner;
use http::{Request, Response, header};
use rustls_pki_types::ServerName;
use tokio::{task::AbortHandle, time::MissedTickBehavior};

pub use self::status::{TargetStatus, UpstreamStatus};
pub(crate) use self::{body::UpstreamBody, error::UpstreamError, target::Target};
use self::{
    connect::Connector,
    ejection::Ejector,
    request::Outgoing,
    retry::Retries,
    target::{Errand, Failed},
    tls::{ClientTls, PemFiles},
};
use crate::{body::RequestBody, error::GatewayError};

/// Every upstream of a configuration.
#[derive(Debug)]
pub(crate) struct Upstreams(Vec<Arc<Upstream>>);

impl Upstreams {
    /// Builds the upstreams of a configuration. One that has not changed, nor any of its certificate files,
    /// is taken over from `previous` with its connections and what is known of its health.
    ///
    /// Reads the certificate files; must be called inside a runtime, for health checks run as tasks.
    pub(crate) fn new(
        config: &[Arc<config::Upstream>],
        previous: Option<&Self>,
    ) -> Result<Self, GatewayError> {
        let build = |config: &Arc<config::Upstream>| {
            let files = PemFiles::read(config)?;
            let same =
                |old: &&Arc<Upstream>| *old.config == **config && old.fingerprint == files.fingerprint();
            match previous.and_then(|previous| previous.0.iter().find(same)) {
                Some(old) => Ok(Arc::clone(old)),
                None => Upstream::new(config, &files).map(Arc::new),
            }
        };
        config.iter().map(build).collect::<Result<_, _>>().map(Self)
    }

    /// The upstream that a route names.
    pub(crate) fn get(&self, index: config::UpstreamIndex) -> &Arc<Upstream> {
        // INVARIANT: an index comes from the configuration that this was built from.
        &self.0[index.0]
    }

    /// How they all are doing.
    pub(crate) fn status(&self) -> Vec<UpstreamStatus> {
        self.0.iter().map(|upstream| upstream.status()).collect()
    }
}

/// A service and the state of its targets.
#[derive(Debug)]
pub(crate) struct Upstream {
    config: Arc<config::Upstream>,
    fingerprint: [u8; 32],
    targets: Vec<Arc<Target>>,
    ejector: Ejector,
    /// Signs what is sent, where the configuration says so.
    signer: Option<RequestSigner>,
    retries: Retries,
    /// Health checks and the sweeping of idle connections; they end with the upstream.
    tasks: Vec<AbortHandle>,
}

/// What a request needs of its upstream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wants {
    /// Whether it is gRPC, which gets HTTP/2 even where that is not negotiated.
    pub(crate) grpc: bool,
    /// The longest wait for the response head; a request body still moving prolongs it.
    pub(crate) response_timeout: Duration,
    /// The longest silence in the response body.
    pub(crate) idle_timeout: Duration,
}

/// A response and how it came about.
#[derive(Debug)]
pub(crate) struct Answered {
    /// The response.
    pub(crate) response: Response<UpstreamBody>,
    /// Who gave it.
    pub(crate) target: Arc<Target>,
    /// How often the request was sent, this answer's attempt included.
    pub(crate) attempts: u32,
}

impl Upstream {
    fn new(config: &Arc<config::Upstream>, files: &PemFiles) -> Result<Self, GatewayError> {
        let secure = config.targets.iter().any(|target| target.tls);
        let tls = secure.then(|| ClientTls::new(config, files).map(Arc::new)).transpose()?;
        let build = |target| build_target(config, target, tls.as_ref()).map(Arc::new);
        let targets: Vec<Arc<Target>> = config.targets.iter().map(build).collect::<Result<_, _>>()?;
        Ok(Self {
            fingerprint: files.fingerprint(),
            ejector: Ejector::new(config.ejection.clone()),
            signer: config
                .signing
                .as_ref()
                .map(|signing| signing::signer(&config.name, signing))
                .transpose()?,
            retries: Retries::new(&config.retries, config.name.as_str()),
            tasks: start_tasks(config, &targets),
            targets,
            config: Arc::clone(config),
        })
    }

    /// Sends a request and yields the head of its response, the body still coming.
    ///
    /// The request has origin-form in its URI, no hop-by-hop fields except those of an upgrade and `te:
    /// trailers`, and a `Host` if that is to be preserved. A request with an `Upgrade` field gets a connection
    /// of its own; its 101 carries hyper's `OnUpgrade`.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
        wants: Wants,
    ) -> Result<Answered, UpstreamError> {
        self.retries.arrived();
        let errand = Errand {
            wants,
            host: request.headers().get(header::HOST).cloned(),
            upgrade: request.headers().contains_key(header::UPGRADE),
            signer: self.signer.as_ref(),
        };
        // In a box, because it moves through every step below.
        let mut request = Box::new(request.map(Outgoing::new));
        let (mut attempts, mut avoid) = (0, None);
        loop {
            attempts += 1;
            let (place, target) = self.pick(avoid)?;
            let more = self.retries.remain_after(attempts);
            let copy = if more && !errand.upgrade { retry::Copy::of(&request) } else { None };
            request = match target.attempt(request, &errand).await {
                Ok(response) => {
                    let status = response.status();
                    self.judge(target, !matches!(status.as_u16(), 502..=504));
                    match copy {
                        Some(copy) if self.retries.retries_status(status) && self.retries.spend() => {
                            Box::new(copy.into_request())
                        }
                        _ => return Ok(Answered { response, target: Arc::clone(target), attempts }),
                    }
                }
                Err(failed) => {
                    if failed.blames_target {
                        self.judge(target, false);
                    }
                    self.once_more(failed, copy, more)?
                }
            };
            avoid = Some(place);
        }
    }

    /// The target for the next attempt and its place in the list.
    fn pick(&self, avoid: Option<usize>) -> Result<(usize, &Arc<Target>), UpstreamError> {
        let target = |place: usize| self.targets.get(place);
        let place = balance::pick(
            self.targets.len(),
            avoid,
            |place| target(place).is_some_and(|target| self.is_available(target)),
            |place| target(place).map_or(0, |target| target.in_flight()),
            balance::random,
        );
        // INVARIANT: a configured upstream has targets.
        let none = || UpstreamError::Unavailable(io::Error::other("the upstream has no targets"));
        target(place).map(|target| (place, target)).ok_or_else(none)
    }

    fn is_available(&self, target: &Target) -> bool {
        target.is_healthy() && !self.ejector.is_ejected(&target.standing)
    }

    /// Takes note of how an attempt went and ejects a target that fails too often.
    fn judge(&self, target: &Target, success: bool) {
        if success {
            return Ejector::succeeded(&target.standing);
        }
        let all = self.targets.iter().map(|target| &target.standing);
        if let Some(length) = self.ejector.failed(&target.standing, all) {
            target.figures.ejections.increment(1);
            let seconds = length.as_secs();
            tracing::warn!(upstream = %self.config.name, %target, seconds, "target ejected after failures in a row");
        }
    }

    /// The request for another attempt after a failed one, if there may be one: what was never sent may go to
    /// another target, what was sent may be sent again if it is idempotent and did not time out.
    fn once_more(
        &self,
        failed: Failed,
        copy: Option<retry::Copy>,
        more: bool,
    ) -> Result<Box<Request<Outgoing>>, UpstreamError> {
        let request = match (failed.unsent, copy) {
            (Some(unsent), _) if self.targets.len() > 1 => unsent,
            (None, Some(copy)) if retry::retries_error(&failed.error) => Box::new(copy.into_request()),
            _ => return Err(failed.error),
        };
        if more && self.retries.spend() { Ok(request) } else { Err(failed.error) }
    }

    fn status(&self) -> UpstreamStatus {
        let targets = self.targets.iter().map(|target| TargetStatus {
            address: target.to_string(),
            healthy: target.is_healthy(),
            ejected_until: self.ejector.remaining(&target.standing).map(from_now),
            in_flight: target.in_flight(),
            connections: target.pool.connections(),
            requests: target.requests(),
            failures: target.failures(),
        });
        UpstreamStatus { name: self.config.name.to_string(), targets: targets.collect() }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

fn build_target(
    config: &config::Upstream,
    target: &config::Target,
    tls: Option<&Arc<ClientTls>>,
) -> Result<Target, GatewayError> {
    let tls = match tls.filter(|_| target.tls) {
        Some(tls) => {
            let name = config.tls.server_name.as_ref().unwrap_or(&target.host);
            let unusable =
                |_| rustls::Error::General(format!("`{name}` is neither a host name nor an address"));
            Some((Arc::clone(tls), ServerName::try_from(name.clone()).map_err(unusable)?))
        }
        None => None,
    };
    Ok(Target::new(target, config, Connector::new(target, tls)))
}

/// Health checks per target and one task that sweeps idle connections.
fn start_tasks(config: &Arc<config::Upstream>, targets: &[Arc<Target>]) -> Vec<AbortHandle> {
    let mut tasks = vec![tokio::spawn(sweep(targets.to_vec(), config.timeouts.idle)).abort_handle()];
    if let Some(rule) = &config.health {
        tasks.extend(targets.iter().map(|target| {
            tokio::spawn(health::watch(Arc::clone(target), Arc::clone(config), rule.clone())).abort_handle()
        }));
    }
    tasks
}

/// Closes idle connections; a connection is idle for at most a quarter longer than it may be.
async fn sweep(targets: Vec<Arc<Target>>, idle: Duration) {
    let period = (idle / 4).clamp(Duration::from_millis(10), Duration::from_secs(5));
    let sweeps = u32::try_from(idle.as_millis().div_ceil(period.as_millis())).unwrap_or(u32::MAX);
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        for target in &targets {
            target.pool.sweep(sweeps);
        }
    }
}

fn from_now(duration: Duration) -> u64 {
    let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + duration;
    u64::try_from(then.as_millis()).unwrap_or(u64::MAX)
}
