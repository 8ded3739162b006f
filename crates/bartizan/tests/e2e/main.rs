//! What a person sees: stories about the real binary, one module each. Start with `harness.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on says so"
)]

mod certificates;
mod eventually;
mod frames;
mod harness;
mod issuer;
mod phrases;
mod raw;
mod service;
mod siege;
mod tls_front;
mod upstream;

mod api_key;
mod callers;
mod check_errors;
mod connection_limits;
mod demo;
mod explain;
mod http2_and_grpc;
mod http2_floods;
mod permissions;
mod proxies;
mod reload;
mod responses;
mod run_to;
mod slow_clients;
mod slowhttptest;
mod smuggling;
mod stopping;
mod streams;
mod tls;
mod tokens;
mod traces;
mod uploads;
mod upstreams;
mod websockets;
