//! The road as a whole: who is stopped where, with which code, and what the trace says.

use std::{net::SocketAddr, sync::Arc, time::SystemTime};

use bartizan_config::{Config, Source};
use bartizan_model::{RequestId, TraceContext};
use bartizan_reputation::{AddressLists, Entry, Standing};
use bytes::Bytes;
use http::Request;

use crate::{
    BodyFailure, ClientFacts, Exchange, Held, HeldBytes, HoldBody, Outcome, Pipeline, Reservation, Verdict,
};

/// A configuration with these routes, one upstream `u` and one API key, `shop_0123456789abcdef0123456789abcdef`,
/// that may `orders:read`.
pub(crate) fn config(routes: &str) -> Config {
    let text = format!(
        "
version: 1
listen: {{ http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }}
identity:
  partners:
    api_key:
      keys:
        - name: acme
          hash: \"sha256:{KEY_HASH}\"
          permissions: [orders:read]
upstreams:
  u: {{ targets: [\"http://127.0.0.1:1\"] }}
routes:{routes}
"
    );
    match Config::parse(&text, &Source::text("")) {
        Ok(loaded) => loaded.config,
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn pipeline(config: &Config) -> Pipeline {
    Pipeline::new(config, Arc::default(), None).unwrap()
}

pub(crate) const KEY: &str = "shop_0123456789abcdef0123456789abcdef";
const KEY_HASH: &str = "512f8d84e6393b07155c3a1daff43277d25ce3794ff4a196115635e79290dfa4";

pub(crate) fn exchange(request: http::request::Builder) -> Exchange {
    let (head, ()) = request.body(()).unwrap().into_parts();
    let peer: SocketAddr = "198.51.100.7:40000".parse().unwrap();
    let client = ClientFacts {
        address: peer.ip(),
        peer,
        local: peer,
        secure: false,
        is_disputed: false,
        certificate: None,
    };
    Exchange::new(RequestId::generate(), TraceContext::start(), client, head)
}

/// A body of this many bytes whose length nobody declared.
pub(crate) struct Body(pub(crate) usize);

impl HoldBody for Body {
    fn held(&self) -> Bytes {
        Bytes::new()
    }

    fn reserve(&self) -> Reservation {
        HeldBytes::new().reserve(u64::MAX)
    }

    fn declared_length(&self) -> Option<u64> {
        (self.0 == 0).then_some(0)
    }

    async fn hold(&mut self, limit: usize) -> Result<Held, BodyFailure> {
        Ok(if self.0 > limit { Held::Front(limit + 1) } else { Held::Whole(self.0) })
    }
}

/// The verdict and its last step, in short.
async fn decide(pipeline: &Pipeline, request: http::request::Builder, body: usize) -> String {
    let mut exchange = exchange(request);
    let verdict = pipeline.decide(&mut exchange, &mut Body(body)).await;
    let last = exchange.trace.steps().last().unwrap();
    match verdict {
        Verdict::Pass => format!("pass: {}", last.reason),
        Verdict::Answer(preflight) => format!("answer: {} headers", preflight.headers.len()),
        Verdict::Deny(refusal) => {
            assert_eq!(last.outcome, Outcome::Denied);
            format!("{}: {}", last.stage, refusal.code.as_str())
        }
    }
}

pub(crate) fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", "shop.test")
}

#[tokio::test]
async fn every_stage_stops_what_is_its_to_stop() {
    let pipeline = pipeline(&config(
        "
  - { path: /public/**, to: u, auth: none, upgrade: [websocket] }
  - { path: /orders/**, to: u, auth: partners, require: [orders:read] }
  - { path: /invoices/**, to: u, auth: partners, require: [invoices:read] }
  - { path: /admin/**, to: u, auth: partners, mfa: required }
  - { path: /small, to: u, auth: none, body: { policy: refuse, hold: 1KiB } }
  - { path: /large, to: u, auth: none, body: { policy: hold, hold: 1KiB } }
  - { path: /least, to: u, auth: none, body: { max: 1KiB } }
  - { path: /app, to: u, auth: none, cors: [\"https://app.test\"] }",
    ));
    let key = |path| get(path).header("x-api-key", KEY);
    let cross = |origin| {
        Request::options("/app")
            .header("host", "shop.test")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
    };
    let cases = [
        (get("/public/a"), 0, "pass: no body"),
        (Request::get("/public/a"), 0, "protocol: malformed_request"),
        (get("/public/a").header("host", "other.test"), 0, "protocol: malformed_request"),
        (
            Request::get("http://other.test/public").header("host", "shop.test"),
            0,
            "protocol: malformed_request",
        ),
        (Request::get("http://shop.test/public").header("host", "shop.test"), 0, "pass: no body"),
        (Request::get("/public").header("host", "a b"), 0, "protocol: malformed_request"),
        (Request::get("/public").header("host", "root@shop.test"), 0, "protocol: malformed_request"),
        (get("/public/a").header("x_user_id", "1"), 0, "protocol: malformed_request"),
        (get("/public/%2fadmin"), 0, "protocol: malformed_request"),
        (get("/public/caf\u{e9}"), 0, "protocol: malformed_request"),
        (get("/public/?q=caf\u{e9}"), 0, "protocol: malformed_request"),
        (get("/public/a").header("expect", "200-ok"), 0, "protocol: expectation_failed"),
        (get("/public/a").header("expect", "100-continue"), 0, "pass: no body"),
        (
            Request::connect("shop.test:443").header("host", "shop.test:443"),
            0,
            "protocol: method_not_allowed",
        ),
        (Request::trace("/public").header("host", "shop.test"), 0, "protocol: method_not_allowed"),
        (get("/public/a").header("upgrade", "h2c"), 0, "protocol: upgrade_refused"),
        (get("/public/a").header("upgrade", "websocket, h2c"), 0, "protocol: upgrade_refused"),
        (
            get("/public/a").header("upgrade", "tls/1.0").header("connection", "upgrade"),
            0,
            "route: upgrade_refused",
        ),
        (get("/public/a").header("upgrade", "websocket"), 0, "protocol: upgrade_refused"),
        (
            get("/public/a").header("upgrade", "websocket").header("connection", "keep-alive, Upgrade"),
            0,
            "pass: no body",
        ),
        (get("/nowhere"), 0, "route: route_not_found"),
        (get("/orders/1"), 0, "authenticate: missing_authentication_token"),
        (get("/public/../orders/1"), 0, "authenticate: missing_authentication_token"),
        (get("/public/%2e%2e/orders/1"), 0, "authenticate: missing_authentication_token"),
        (get("/public/..;/orders/1"), 0, "authenticate: missing_authentication_token"),
        (get("//orders;x=1/1"), 0, "authenticate: missing_authentication_token"),
        (
            get("/orders/1").header("x-api-key", "shop_wrong_wrong_wrong_wrong"),
            0,
            "authenticate: invalid_authentication_token",
        ),
        (key("/orders/1"), 0, "pass: no body"),
        (key("/invoices/1"), 0, "authorize: permission_denied"),
        (key("/admin/1"), 0, "authorize: mfa_required"),
        (get("/small"), 1024, "pass: held 1024 bytes"),
        (get("/small"), 1025, "body: body_too_large"),
        (get("/least"), 1025, "body: body_too_large"),
        (get("/least"), 1024, "pass: held 1024 bytes"),
        (get("/large"), 1025, "pass: held the first 1025 bytes, streaming the rest"),
        (cross("https://app.test"), 0, "answer: 5 headers"),
        (cross("https://evil.test"), 0, "cross_origin: cross_origin_refused"),
    ];
    for (number, (request, body, expected)) in cases.into_iter().enumerate() {
        let shown = format!("case {number}: {request:?}");
        assert_eq!(decide(&pipeline, request, body).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_blocked_address_is_stopped_before_anybody_asks_who_it_is() {
    let addresses = Arc::new(AddressLists::default());
    let config = config("\n  - { path: /**, to: u, auth: partners }");
    let pipeline = Pipeline::new(&config, Arc::clone(&addresses), None).unwrap();
    let blocked = Entry::new(Standing::Blocked, None, "scanning");
    addresses.set("198.51.100.0/24".parse().unwrap(), blocked).unwrap();
    assert_eq!(decide(&pipeline, get("/"), 0).await, "reputation: address_blocked");
    addresses.remove("198.51.100.0/24".parse().unwrap());
    assert_eq!(decide(&pipeline, get("/"), 0).await, "authenticate: missing_authentication_token");
}

#[tokio::test]
async fn the_trace_names_every_stage_and_its_line() {
    let config = config("\n  - path: /orders/**\n    to: u\n    auth: partners\n    require: [orders:read]");
    let pipeline = pipeline(&config);
    let mut exchange = exchange(get("/orders/1").header("x-api-key", KEY));
    assert!(matches!(pipeline.decide(&mut exchange, &mut Body(0)).await, Verdict::Pass));
    let steps: Vec<_> =
        exchange.trace.steps().iter().map(|step| (step.stage.as_str(), step.line.number())).collect();
    let line = config.routes[0].line.number();
    let below = |lines: u32| line.map(|line| line + lines);
    let expected = [
        ("protocol", None),
        ("route", line),
        ("reputation", None),
        ("cross_origin", line),
        ("coarse_limit", line),
        ("authenticate", below(2)),
        ("fine_limit", line),
        ("authorize", below(3)),
        ("body", line),
    ];
    assert_eq!(steps, expected);
    assert!(exchange.arrived <= SystemTime::now());
}
