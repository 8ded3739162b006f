//! Limits in Redis, against servers of the test's own: what gateways share exactly, what happens when a server
//! fails in each of its ways, and a cluster.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a story needs and does not get ends it")]

mod cluster_server;
mod eventually;
mod fake;
mod operator;
mod server;
mod store;

mod allowances;
mod attempts;
mod cluster;
mod leases;
mod nonsense;
mod secrecy;
mod sharing;
mod tls;
mod trouble;
