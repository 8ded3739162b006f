//! Limits in Redis, against servers of the test's own: what gateways share exactly, what happens when a server
//! fails in each of its ways, and a cluster.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a story needs and does not get ends it")]

mod cluster;
mod fake;
mod leases;
mod secrecy;
mod server;
mod sharing;
mod store;
mod trouble;
