//! `/v1/exports`: where events go besides the gateway's own store, and a test of the way there.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Timestamp,
    control::Shared,
    extract::PathParameter,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Exports {
    /// In the order of the configuration.
    pub exports: Vec<Export>,
}

/// One receiver of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Export {
    /// Its name in the configuration.
    #[schema(example = "siem")]
    pub name: String,
    /// What kind it is: `syslog`, `splunk`, `elastic`, `otlp` or `file`.
    #[schema(example = "syslog")]
    pub kind: String,
    /// Whether nothing was delivered since something went wrong.
    pub failing: bool,
    /// How many bytes wait on disk.
    pub waiting_bytes: u64,
    /// When the oldest event that waits has happened, as far as is known.
    pub oldest: Option<Timestamp>,
    /// How many events were delivered since the start.
    pub sent: u64,
    /// How many the receiver has refused for good.
    pub refused: u64,
    /// How many had no place to wait.
    pub left_out: u64,
    /// When something was delivered last.
    pub last_success: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<ExportFailure>,
}

/// What went wrong with an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportFailure {
    /// When.
    pub at: Timestamp,
    /// What. Secrets are masked.
    #[schema(example = "503 Service Unavailable")]
    pub message: String,
}

/// What a receiver said to a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExportTest {
    /// Whether it has taken the event.
    pub delivered: bool,
    /// What it said. Secrets are masked.
    #[schema(example = "200 OK")]
    pub answer: String,
}

/// Where events go besides, and how that fares.
#[utoipa::path(
    get,
    path = "/v1/exports",
    operation_id = "list_exports",
    tag = "events",
    responses((status = 200, description = "The receivers of events.", body = Exports))
)]
pub(crate) async fn list_exports(State(shared): State<Arc<Shared>>) -> Json<Exports> {
    Json(Exports { exports: shared.system.exports() })
}

/// Sends one event to a receiver that says that it is a test.
#[utoipa::path(
    post,
    path = "/v1/exports/{id}/test",
    operation_id = "test_export",
    tag = "events",
    params(("id" = String, Path, description = "The name of the export.")),
    responses(
        (status = 200, description = "What the receiver said.", body = ExportTest),
        (status = 404, description = "There is no such export.")
    )
)]
pub(crate) async fn test_export(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
    PathParameter(name): PathParameter<String>,
) -> Result<Json<ExportTest>, Failure> {
    let tested = shared.system.test_export(name.clone()).await.ok_or_else(|| {
        Failure::new(FailureCode::NotFound, "there is no export of this name: see `GET /v1/exports`")
    })?;
    tracing::info!(
        audit = true,
        action = "export.test",
        export = name,
        delivered = tested.delivered,
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator tested an export"
    );
    Ok(Json(tested))
}
