//! What a person sees: stories about the real binary, one module each. Start with `harness.rs`.

mod certificates;
mod eventually;
mod harness;
mod issuer;
mod raw;
mod service;
mod tls_front;
mod upstream;

mod api_key;
mod check_errors;
mod connection_limits;
mod demo;
mod explain;
mod frames;
mod http2_and_grpc;
mod http2_floods;
mod proxies;
mod reload;
mod responses;
mod run_to;
mod siege;
mod slow_clients;
mod slowhttptest;
mod smuggling;
mod stopping;
mod streams;
mod tls;
mod tokens;
mod traces;
mod upstreams;
