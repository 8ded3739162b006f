//! `GET /healthz` and `GET /readyz`, for orchestrators. No token: they tell one bit.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    control::Shared,
    failure::{Failure, FailureCode},
};

/// The answer of a probe that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum Health {
    /// All is well.
    Ok,
}

/// Whether the process answers at all.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "status",
    security(()),
    responses((status = 200, description = "It does.", body = Health))
)]
pub(crate) async fn healthz() -> Json<Health> {
    Json(Health::Ok)
}

/// Whether requests should be sent here: ready, and not about to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "status",
    security(()),
    responses(
        (status = 200, description = "They should.", body = Health),
        (status = 503, description = "They should not.")
    )
)]
pub(crate) async fn readyz(State(shared): State<Arc<Shared>>) -> Result<Json<Health>, Failure> {
    let status = shared.system.status();
    match (status.draining, status.ready) {
        (true, _) => Err(Failure::new(FailureCode::NotReady, "the gateway is about to stop")),
        (false, false) => Err(Failure::new(FailureCode::NotReady, "the gateway is not ready yet")),
        (false, true) => Ok(Json(Health::Ok)),
    }
}
