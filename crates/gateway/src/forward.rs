//! Forwards a request that has passed, and takes the service's answer back.

mod inspect;
mod request_headers;

pub(crate) use request_headers::{strip_hop_by_hop, strip_trailers};

use std::sync::Arc;

use bartizan_config::WafMode;
use bartizan_identity::Lease;
use bartizan_pipeline::{Code, Exchange, HeldBytes, Nonce, Outcome, Reason, Refusal, Stage};
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, header,
    uri::{Parts as UriParts, PathAndQuery},
};
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;

use crate::{
    body::{BodyError, ClientBody, Places, ResponseBody, Trailers},
    connection::ConnectionFacts,
    gateway::Generation,
    upgrade,
    upstream::{Answered, UpstreamBody, UpstreamError, Wants},
};

/// What forwarding needs to know besides the request.
#[derive(Debug)]
pub(crate) struct Forwarder<'g> {
    pub(crate) generation: &'g Generation,
    pub(crate) connection: &'g ConnectionFacts,
    pub(crate) shutdown: &'g watch::Receiver<bool>,
    pub(crate) held: &'g Arc<HeldBytes>,
}

impl Forwarder<'_> {
    /// Sends the request upstream. The headers move along, so they are gone from the exchange afterwards.
    pub(crate) async fn forward(
        &self,
        exchange: &mut Exchange,
        body: ClientBody<'_>,
        nonce: Option<&Nonce>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let result = self.send(exchange, body, nonce).await;
        let (outcome, reason) = match &result {
            Ok((_, reason)) => (Outcome::Passed, reason.clone()),
            Err(refusal) => (Outcome::Denied, refusal.reason.clone()),
        };
        let line = exchange.route.as_ref().map(|route| route.config.line).unwrap_or_default();
        exchange.mark(Stage::Upstream, outcome, reason, line);
        let (response, _) = result?;
        self.inspect(exchange, response).await
    }

    async fn send(
        &self,
        exchange: &mut Exchange,
        body: ClientBody<'_>,
        nonce: Option<&Nonce>,
    ) -> Result<(Response<ResponseBody>, Reason), Refusal> {
        let Some(route) = exchange.route.clone() else {
            return Err(Refusal::new(Code::SecurityCheckFailed, "no route was chosen"));
        };
        let route = &route.config;
        let wants = Wants {
            grpc: exchange.is_grpc(),
            response_timeout: route.timeouts.response,
            idle_timeout: route.timeouts.idle,
        };
        let upgrading = Upgrading::take(exchange);
        let protocol = upgrading.as_ref().map(|upgrading| &upgrading.protocol);
        let refuses = route.waf.as_ref().is_some_and(|waf| waf.mode == WafMode::Block);
        let trailers = if refuses { Trailers::Dropped } else { Trailers::Pass };
        let mut request = Request::new(body.into_request_body(route.max_body, trailers));
        *request.method_mut() = exchange.head.method.clone();
        *request.uri_mut() = target(exchange)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() =
            request_headers::prepare(exchange, &self.connection.client_address, protocol, nonce)?;
        if let Some(accounts) = &self.generation.config.accounts {
            request_headers::withhold_session(request.headers_mut(), &accounts.sessions);
        }
        if exchange.inspection.as_ref().is_some_and(|inspection| inspection.wants_response()) {
            // Rules read no compression.
            request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let Some(upstream) = route.destination.upstream() else {
            return Err(Refusal::new(Code::SecurityCheckFailed, "the route leads to no upstream"));
        };
        let upstream = self.generation.upstreams.get(upstream);
        let Answered { mut response, target, attempts } =
            upstream.send(request, wants).await.map_err(|error| refusal(&error))?;
        match upgrading {
            Some(upgrading) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                // From here on it is no HTTP.
                exchange.inspection = None;
                let places = exchange.limited.take_places();
                let lease = exchange.identified.as_ref().map(|identified| identified.lease());
                let held = (places, lease);
                let switched = upgrading.switch(&mut response, self, route.timeouts.idle, held)?;
                return Ok((switched, format!("{target} switched protocols").into()));
            }
            _ if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                return Err(Refusal::new(Code::UpstreamFailed, "the upstream switched protocols unasked"));
            }
            _ => {}
        }
        strip_hop_by_hop(response.headers_mut());
        *response.version_mut() = Version::default();
        let reason = match attempts {
            1 => Reason::from(target.label()),
            _ => format!("{target}, attempt {attempts}").into(),
        };
        Ok((response.map(ResponseBody::Upstream), reason))
    }
}

/// A client that asked to switch protocols.
#[derive(Debug)]
struct Upgrading {
    client: OnUpgrade,
    protocol: HeaderValue,
}

impl Upgrading {
    fn take(exchange: &mut Exchange) -> Option<Self> {
        let protocol = exchange.head.headers.get(header::UPGRADE)?.clone();
        let client = exchange.head.extensions.remove::<OnUpgrade>()?;
        Some(Self { client, protocol })
    }

    /// Joins both sides, if the upstream switched to what was asked for.
    fn switch(
        self,
        response: &mut Response<UpstreamBody>,
        forwarder: &Forwarder<'_>,
        idle: std::time::Duration,
        (places, lease): (Places, Option<Lease>),
    ) -> Result<Response<ResponseBody>, Refusal> {
        let agreed = response.headers().get(header::UPGRADE);
        if !agreed.is_some_and(|agreed| agreed.as_bytes().eq_ignore_ascii_case(self.protocol.as_bytes())) {
            return Err(Refusal::new(Code::UpstreamFailed, "the upstream switched to another protocol"));
        }
        let upstream = hyper::upgrade::on(&mut *response);
        forwarder.connection.wire.upgraded();
        let tunnel = upgrade::tunnel(self.client, upstream, idle, forwarder.shutdown.clone());
        // What is limited in number is so until the tunnel ends.
        tokio::spawn(async move {
            let _places = places;
            tokio::select! {
                () = tunnel => {}
                () = upgrade::ended(lease) => {
                    tracing::debug!("an upgraded connection ended with what its caller was proven by");
                }
            }
        });
        let mut switched = Response::new(ResponseBody::EMPTY);
        *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *switched.headers_mut() = upgrade_headers(std::mem::take(response.headers_mut()), self.protocol);
        Ok(switched)
    }
}

fn upgrade_headers(mut headers: HeaderMap, protocol: HeaderValue) -> HeaderMap {
    strip_hop_by_hop(&mut headers);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol);
    headers
}

/// The normal path, without the route's prefix, and the query as it came.
pub(crate) fn target(exchange: &Exchange) -> Result<Uri, Refusal> {
    let received = &exchange.head.uri;
    let path = exchange.path.forwarded(received.path());
    let prefix = exchange.route.as_ref().and_then(|route| route.config.strip_prefix.as_ref());
    let stripped = prefix.map_or(path, |prefix| without_prefix(path, prefix.segments().len()));
    let unchanged = received.path_and_query().filter(|_| stripped == received.path());
    let path_and_query = match (unchanged, received.query()) {
        (Some(unchanged), _) => Ok(unchanged.clone()),
        (None, Some(query)) => PathAndQuery::try_from(format!("{stripped}?{query}")),
        (None, None) => PathAndQuery::try_from(stripped),
    };
    let unusable = |_| Refusal::new(Code::MalformedRequest, "the target cannot be forwarded");
    let mut parts = UriParts::default();
    parts.path_and_query = Some(path_and_query.map_err(unusable)?);
    Uri::from_parts(parts).map_err(|_| Refusal::new(Code::MalformedRequest, "the target cannot be forwarded"))
}

/// `path` from its segment number `count` on. The route has matched, so that many segments are there.
fn without_prefix(path: &str, count: usize) -> &str {
    let slash = path.match_indices('/').nth(count).map(|(at, _)| at);
    slash.and_then(|at| path.get(at..)).unwrap_or("/")
}

/// What the caller is told when the upstream fails, and whose failure it was.
fn refusal(error: &UpstreamError) -> Refusal {
    let reason = error.to_string();
    match error {
        UpstreamError::Unavailable(_) | UpstreamError::Saturated => {
            Refusal::new(Code::UpstreamUnavailable, reason)
                .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        }
        UpstreamError::ConnectTimeout | UpstreamError::ResponseTimeout => {
            Refusal::new(Code::UpstreamTimeout, reason)
        }
        UpstreamError::Protocol(_) => Refusal::new(Code::UpstreamFailed, reason),
        UpstreamError::RequestBody(failure) => match failure {
            BodyError::TooLarge { .. } => Refusal::new(Code::BodyTooLarge, reason).closing(),
            BodyError::TooSlow | BodyError::Idle(_) => Refusal::new(Code::BodyTooSlow, reason).closing(),
            BodyError::Peer(_) => Refusal::new(Code::BodyIncomplete, reason).closing(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_taken_off_by_segments() {
        let cases = [
            ("/api/orders/1", 1, "/orders/1"),
            ("/api/orders/", 1, "/orders/"),
            ("/api", 1, "/"),
            ("/api/", 1, "/"),
            ("/a/b/c", 2, "/c"),
            ("/a/b/c", 0, "/a/b/c"),
        ];
        for (path, segments, expected) in cases {
            assert_eq!(without_prefix(path, segments), expected, "{path} without {segments}");
        }
    }
}
