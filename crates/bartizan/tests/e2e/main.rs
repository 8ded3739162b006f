//! What a person sees: stories about the real binary, one module each. Start with `harness.rs`.

mod certificates;
mod eventually;
mod harness;
mod issuer;
mod raw;
mod service;
mod tls_front;
mod frames;
mod siege;
mod upstream;

mod api_key;
mod check_errors;
mod demo;
mod explain;
mod reload;
mod run_to;
mod stopping;
mod tls;
mod tokens;
mod smuggling;
mod slow_clients;
mod slowhttptest;
mod connection_limits;
mod http2_floods;
