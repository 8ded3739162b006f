//! `GET /v1/upstreams`: the services behind, and how their targets fare.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::control::Shared;

/// The services behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upstreams {
    /// In the order of the configuration.
    pub upstreams: Vec<UpstreamStatus>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamStatus {
    /// Its name in the configuration.
    #[schema(example = "orders")]
    pub name: String,
    /// Its targets.
    pub targets: Vec<TargetStatus>,
}

/// One target of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TargetStatus {
    /// Where it is.
    #[schema(example = "http://orders:8080")]
    pub url: String,
    /// Whether it gets requests.
    pub health: TargetHealth,
    /// Requests it is answering at the moment.
    pub requests_in_flight: u64,
}

/// Whether a target gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetHealth {
    /// It does.
    Healthy,
    /// It fails its health checks.
    Unhealthy,
    /// It failed real requests and is left alone for a while.
    Ejected,
}

/// The services behind and the health of their targets.
#[utoipa::path(
    get,
    path = "/v1/upstreams",
    operation_id = "list_upstreams",
    tag = "upstreams",
    responses((status = 200, description = "The services behind.", body = Upstreams))
)]
pub(crate) async fn list_upstreams(State(shared): State<Arc<Shared>>) -> Json<Upstreams> {
    Json(Upstreams { upstreams: shared.system.upstreams() })
}
