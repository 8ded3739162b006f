//! The road and its parts, per request: path, routing, and everything from arrival to verdict.
//!
//! `empty_exchange` is the peer of `whole_road`: what building the exchange costs without deciding anything.
#![expect(clippy::expect_used, reason = "a bench that cannot start shall stop")]

use std::{net::SocketAddr, sync::Arc};

use bartizan_config::{Config, Source};
use bartizan_model::{RequestId, TraceContext};
use bartizan_pipeline::{ClientFacts, Exchange, Found, NoBody, NormalPath, PathError, Pipeline, Verdict};
use divan::{AllocProfiler, Bencher, black_box};
use http::{HeaderMap, Method, Request};
use tokio::runtime::Runtime;

/// Counts allocations beside the time.
#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const KEY: &str = "shop_0123456789abcdef0123456789abcdef";
const KEY_HASH: &str = "512f8d84e6393b07155c3a1daff43277d25ce3794ff4a196115635e79290dfa4";

#[divan::bench(args = ["/api/orders/17", "/api/%6frders/../orders/17", "/a;v=1/b/c/d/e/f/g/h"])]
fn normalise(path: &str) -> Result<NormalPath, PathError> {
    NormalPath::of(black_box(path))
}

#[divan::bench(args = [10, 100, 1000])]
fn route(bencher: Bencher, routes: usize) {
    let runtime = runtime();
    let pipeline = pipeline(&runtime, routes);
    let path = format!("/api/service-{}/items/17", routes / 2);
    bencher.bench(|| -> Found { pipeline.routes().find("shop.test", black_box(&path), &Method::GET) });
}

#[divan::bench]
fn empty_exchange(bencher: Bencher) {
    bencher.with_inputs(|| request("/public/a")).bench_values(exchange);
}

#[divan::bench(args = ["/public/a", "/limited/a", "/api/service-5/items/17"])]
fn whole_road(bencher: Bencher, path: &str) {
    let runtime = runtime();
    let pipeline = pipeline(&runtime, 10);
    bencher.with_inputs(|| exchange(request(path))).bench_values(|mut exchange| {
        let verdict = runtime.block_on(pipeline.decide(&mut exchange, &mut NoBody));
        assert!(matches!(verdict, Verdict::Pass));
        exchange
    });
}

/// What two limits have said, written to the headers of an answer.
#[divan::bench]
fn told(bencher: Bencher) {
    let runtime = runtime();
    let pipeline = pipeline(&runtime, 1);
    let mut limited = exchange(request("/limited/a"));
    runtime.block_on(pipeline.decide(&mut limited, &mut NoBody));
    let route = limited.route.clone().expect("a limited route");
    bencher.with_inputs(|| HeaderMap::with_capacity(16)).bench_values(|mut headers| {
        route.limits.tell(&limited.limited, &mut headers);
        headers
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A public route and as many protected ones as asked for.
fn pipeline(runtime: &Runtime, routes: usize) -> Pipeline {
    let mut text = format!(
        "version: 1
listen: {{ http: \"127.0.0.1:0\", admin: \"127.0.0.1:0\", metrics: \"127.0.0.1:0\" }}
identity:
  partners: {{ api_key: {{ keys: [{{ name: acme, hash: \"sha256:{KEY_HASH}\", permissions: [\"items:*\"] }}] }} }}
upstreams:
  shop: {{ targets: [\"http://127.0.0.1:1\"] }}
limits: {{ shop: [{{ per: address, rate: 100000000/h }}, {{ per: endpoint, rate: 100000000/h }}] }}
routes:
  - {{ path: /public/**, to: shop, auth: none }}
  - {{ path: /limited/**, to: shop, auth: none, limit: shop }}
"
    );
    for number in 0..routes {
        let route = format!(
            "  - {{ path: /api/service-{number}/**, to: shop, auth: partners, require: [items:read] }}\n"
        );
        text.push_str(&route);
    }
    let config = Config::parse(&text, &Source::text("")).expect("a valid document").config;
    let _entered = runtime.enter();
    Pipeline::new(&config, Arc::default(), None).expect("a pipeline")
}

fn request(path: &str) -> Request<()> {
    let request = Request::get(path)
        .header("host", "shop.test")
        .header("user-agent", "bench/1.0")
        .header("accept", "application/json")
        .header("x-api-key", KEY);
    request.body(()).expect("a request")
}

fn exchange(request: Request<()>) -> Exchange {
    let peer = SocketAddr::from(([198, 51, 100, 7], 40000));
    let client = ClientFacts {
        address: peer.ip(),
        peer,
        local: peer,
        secure: false,
        is_disputed: false,
        certificate: None,
    };
    let (head, ()) = request.into_parts();
    Exchange::new(RequestId::generate(), TraceContext::start(), client, head)
}
