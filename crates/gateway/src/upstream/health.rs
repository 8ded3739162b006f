//! Active health: every target is asked for a path now and then; some failures in a row take it out, some
//! successes bring it back.
//!
//! A check opens a connection of its own, so that it also finds out whether new connections are accepted.

use std::{io, sync::Arc, time::Duration};

use bartizan_config as config;
use http::{Request, StatusCode, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, timeout};

use super::{
    balance::random,
    connect::{Offer, Version},
    request::{Outgoing, shape},
    stream::Stream,
    target::Target,
};
use crate::body::RequestBody;

/// Watches a target until the task is aborted.
pub(super) async fn watch(target: Arc<Target>, upstream: Arc<config::Upstream>, rule: config::ActiveHealth) {
    let Ok(path) = rule.path.parse::<Uri>() else {
        tracing::error!(upstream = %upstream.name, path = rule.path, "the health path is not a path; not checking");
        return;
    };
    let version = match upstream.protocol {
        config::Protocol::Http2 => Version::Http2,
        config::Protocol::Auto | config::Protocol::Http1 => Version::Http1,
    };
    let mut tally = Tally::default();
    loop {
        let result = match timeout(rule.timeout, check(&target, &path, version, rule.timeout)).await {
            Ok(result) => result,
            Err(elapsed) => Err(elapsed.into()),
        };
        if let Some(healthy) = tally.add(result.is_ok(), &rule)
            && target.set_healthy(healthy)
        {
            match result {
                Ok(()) => tracing::info!(upstream = %upstream.name, %target, "target is healthy again"),
                Err(error) => {
                    tracing::warn!(upstream = %upstream.name, %target, %error, "target is unhealthy");
                }
            }
        }
        tokio::time::sleep(jittered(rule.interval)).await;
    }
}

/// Results in a row.
#[derive(Debug, Default)]
struct Tally {
    successes: u32,
    failures: u32,
}

impl Tally {
    /// What a result means for the target, if it is enough to mean something.
    fn add(&mut self, success: bool, rule: &config::ActiveHealth) -> Option<bool> {
        let (counted, other, enough) = if success {
            (&mut self.successes, &mut self.failures, rule.healthy_after)
        } else {
            (&mut self.failures, &mut self.successes, rule.unhealthy_after)
        };
        *other = 0;
        *counted = counted.saturating_add(1);
        (*counted >= enough).then_some(success)
    }
}

/// Fails unless the target answers with 2xx or 3xx.
async fn check(target: &Target, path: &Uri, version: Version, limit: Duration) -> io::Result<()> {
    let mut request = Request::new(Outgoing::new(RequestBody::EMPTY));
    *request.uri_mut() = path.clone();
    request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static("bartizan-health"));
    let offer = Offer::Configured(version);
    let (socket, version) = target.connector.connect(offer, Instant::now() + limit).await?;
    shape(&mut request, version, None, target.addressee());
    let status =
        ask(TokioIo::new(Stream::new(socket, None)), version, request).await.map_err(io::Error::other)?;
    if status.is_success() || status.is_redirection() {
        return Ok(());
    }
    Err(io::Error::other(format!("answered {status}")))
}

/// Sends one request on a fresh connection, which closes when this is done.
async fn ask(
    stream: TokioIo<Stream>,
    version: Version,
    request: Request<Outgoing>,
) -> hyper::Result<StatusCode> {
    match version {
        Version::Http1 => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
            let answer = sender.send_request(request);
            tokio::select! {
                answer = answer => Ok(answer?.status()),
                Err(error) = connection => Err(error),
            }
        }
        Version::Http2 => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
            let answer = sender.send_request(request);
            tokio::select! {
                answer = answer => Ok(answer?.status()),
                Err(error) = connection => Err(error),
            }
        }
    }
}

/// Within a tenth of the interval, so that gateways started together do not check together.
fn jittered(interval: Duration) -> Duration {
    let tenth = interval / 10;
    let share = u32::try_from(random() >> 32).unwrap_or(u32::MAX);
    interval.saturating_sub(tenth) + (tenth * 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
}
