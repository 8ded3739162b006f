//! How the upstreams are doing, for the admin API.

use serde::Serialize;

/// How an upstream is doing.
#[derive(Debug, Clone, Serialize)]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its targets, in the order of the configuration.
    pub targets: Vec<TargetStatus>,
}

/// How a target is doing.
#[derive(Debug, Clone, Serialize)]
pub struct TargetStatus {
    /// Its URL.
    pub address: String,
    /// What active health checks say; `true` when there are none.
    pub healthy: bool,
    /// Until when it is left alone because real requests failed, in milliseconds since the Unix epoch.
    pub ejected_until: Option<u64>,
    /// Requests without a complete response, and upgraded connections.
    pub in_flight: usize,
    /// Open connections.
    pub connections: usize,
    /// Attempts since the start or since the upstream's configuration changed.
    pub requests: u64,
    /// Those that failed or were answered with 500 or above.
    pub failures: u64,
}
