//! `GET /v1/status`: what runs, since when, where it listens.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ConfigurationStatus, Timestamp, control::Shared};

/// What runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The version of the binary.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// When the process started.
    pub started: Timestamp,
    /// How long ago that was, in seconds.
    pub uptime_seconds: u64,
    /// Whether requests can be served: every identity provider has the keys it needs.
    pub ready: bool,
    /// Whether the process is finishing what is in flight before it stops.
    pub draining: bool,
    /// The configuration in use.
    pub configuration: ConfigurationStatus,
    /// Where it listens.
    pub listeners: Vec<Listener>,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listener {
    /// What it serves.
    pub kind: ListenerKind,
    /// The address and port it is bound to.
    #[schema(example = "127.0.0.1:9443")]
    pub address: String,
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListenerKind {
    /// The routes, over TLS.
    Https,
    /// The routes, in the clear.
    Http,
    /// Redirects to the TLS listener.
    Redirect,
    /// This API.
    Admin,
    /// Metrics and probes.
    Metrics,
}

/// What runs, since when, where it listens.
#[utoipa::path(
    get,
    path = "/v1/status",
    operation_id = "read_status",
    tag = "status",
    responses((status = 200, description = "What runs.", body = Status))
)]
pub(crate) async fn read_status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    Json(shared.system.status())
}
