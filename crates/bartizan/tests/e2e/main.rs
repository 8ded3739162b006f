//! What a person sees: stories about the real binary, one module each. Start with `harness.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that cannot go on says so"
)]
#![expect(clippy::float_cmp, reason = "the metrics that stories compare are whole numbers")]

mod certificates;
mod eventually;
mod frames;
mod harness;
mod issuer;
mod output;
mod phrases;
#[path = "../../../store/tests/store/postgres_server.rs"]
mod postgres_server;
mod raw;
#[path = "../../../limits/tests/redis/cluster_server.rs"]
mod redis_cluster;
#[path = "../../../limits/tests/redis/operator.rs"]
mod redis_operator;
#[path = "../../../limits/tests/redis/server.rs"]
mod redis_server;
mod service;
mod sharing;
mod siege;
mod tls_front;
mod upstream;

/// As the files about Redis call it.
use redis_server as server;

mod accounts;
mod admin_tls;
mod alerts;
mod api_key;
mod applications;
mod callers;
mod certificate_bound;
mod check_errors;
mod connection_limits;
mod core_rules;
mod demo;
mod detect;
mod doctor;
mod events;
mod explain;
mod exports;
mod forecast;
mod http2_and_grpc;
mod http2_floods;
mod http2_requests;
mod key_rates;
mod limit_commands;
mod limits;
mod limits_allowed_everywhere;
mod limits_cluster;
mod limits_failover;
mod limits_late;
mod limits_outage;
mod limits_outage_default;
mod limits_race;
mod limits_refund;
mod limits_round_trips;
mod limits_store_changes;
mod machines;
mod message_limits;
mod migrations;
mod no_leaks;
mod once_everywhere;
mod organization_events;
mod other_providers;
mod own_tokens;
mod passkeys;
mod path_dodging;
mod people;
mod permissions;
mod policies;
mod posture;
mod proxies;
mod reload;
mod responses;
mod revoked_everywhere;
mod roles;
mod routes;
mod rules;
mod run_to;
mod shared_limits;
mod signed_requests;
mod slow_clients;
mod slow_http2_clients;
mod slowhttptest;
mod smuggling;
mod stopping;
mod streams;
mod tls;
mod token_endpoints;
mod tokens;
mod traces;
mod tunnels;
mod uploads;
mod upstreams;
mod waf;
mod waf_responses;
mod websockets;
