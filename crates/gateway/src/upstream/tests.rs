//! Upstreams against real servers on the loopback interface.

mod backend;
mod bodies;
mod failing;
mod gateway;
mod http2;
mod pooling;
mod reload;
mod secure;
mod spreading;
mod upgrading;

use std::{sync::Arc, time::Duration};

use bartizan_config as config;
use bartizan_model::Line;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;

use self::backend::Backend;
use super::{Answered, Upstream, UpstreamError, Upstreams, Wants};
use crate::body::RequestBody;

/// Long enough for anything that is going to happen on one machine.
const AMPLE: Duration = Duration::from_secs(20);

const WANTS: Wants = Wants { grpc: false, response_timeout: AMPLE, idle_timeout: AMPLE };

/// An upstream of these backends as the configuration would have it by default, but without retries.
fn settings(backends: &[&Backend]) -> config::Upstream {
    config::Upstream {
        name: "orders".parse().expect("a name"),
        line: Line::NONE,
        targets: backends.iter().map(|backend| backend.target()).collect(),
        protocol: config::Protocol::Auto,
        tls: config::UpstreamTls::default(),
        signing: None,
        health: None,
        ejection: config::Ejection { consecutive_failures: 5, base: AMPLE, max_percent: 50 },
        retries: config::Retries { attempts: 0, budget_percent: 20, statuses: vec![502, 503, 504] },
        timeouts: config::UpstreamTimeouts { connect: AMPLE, idle: AMPLE },
        max_connections: 1024,
    }
}

fn upstreams(config: config::Upstream) -> Upstreams {
    Upstreams::new(&[Arc::new(config)], None).expect("the upstream can be built")
}

fn upstream(config: config::Upstream) -> Arc<Upstream> {
    Arc::clone(upstreams(config).get(config::UpstreamIndex(0)))
}

fn request(method: Method, body: &'static str) -> Request<RequestBody> {
    let body = if body.is_empty() { RequestBody::EMPTY } else { RequestBody::Held(Some(Bytes::from(body))) };
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = "/orders?page=2".parse().expect("a path");
    request
}

fn get() -> Request<RequestBody> {
    request(Method::GET, "")
}

/// Sends a request and reads the response to its end.
async fn fetch(
    upstream: &Upstream,
    request: Request<RequestBody>,
) -> Result<(StatusCode, Bytes), UpstreamError> {
    read(upstream.send(request, WANTS).await?).await
}

async fn read(answered: Answered) -> Result<(StatusCode, Bytes), UpstreamError> {
    let status = answered.response.status();
    let body = answered.response.into_body().collect().await.expect("the body is whole");
    Ok((status, body.to_bytes()))
}
