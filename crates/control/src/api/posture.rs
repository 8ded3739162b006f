//! `/v1/posture`: how the gateway stands, how threatened it is, and where it is weak.

pub(crate) mod stream;

use std::sync::Arc;

use axum::{Json, extract::FromRequestParts};
use bartizan_posture::{Monitor, Posture, PostureError};
use http::request::Parts;
use serde_json::json;

use crate::{
    control::Shared,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// What looks at the gateway. A request for it is refused where nothing does.
pub(crate) struct KnownPosture(pub(crate) Monitor);

impl FromRequestParts<Arc<Shared>> for KnownPosture {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let detail = "this gateway keeps no events";
        shared.posture.clone().map(Self).ok_or_else(|| Failure::new(FailureCode::EventsNotKept, detail))
    }
}

impl From<PostureError> for Failure {
    fn from(error: PostureError) -> Self {
        let code = match &error {
            PostureError::Events(bartizan_events::EventError::Deadline) => FailureCode::EventsTakeTooLong,
            PostureError::Events(_) => FailureCode::EventsUnavailable,
            PostureError::Period => FailureCode::MalformedRequest,
            PostureError::Inside => FailureCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}

/// How the gateway stands: how threatened it is and why, what happened in the last hour and the last day, which parts
/// fail, where it is weak, and what to do about it.
#[utoipa::path(
    get,
    path = "/v1/posture",
    operation_id = "read_posture",
    tag = "events",
    responses((status = 200, description = "How it stands now.", body = Posture))
)]
pub(crate) async fn read_posture(KnownPosture(monitor): KnownPosture) -> Result<Json<Posture>, Failure> {
    Ok(Json(monitor.now().await?.as_ref().clone()))
}

/// Scans the gateway for weaknesses now, as it does by itself every five minutes.
#[utoipa::path(
    post,
    path = "/v1/posture/scan",
    operation_id = "scan_posture",
    tag = "events",
    responses((status = 200, description = "How it stands, with what was found.", body = Posture))
)]
pub(crate) async fn scan_posture(
    KnownPosture(monitor): KnownPosture,
    axum::extract::State(shared): axum::extract::State<Arc<Shared>>,
    operator: Operator,
) -> Result<Json<Posture>, Failure> {
    let posture = monitor.scan().await?;
    let found = posture.weaknesses.len();
    tracing::info!(
        audit = true,
        peer = operator.peer(),
        operator = operator.name(),
        found,
        "scanned for weaknesses"
    );
    shared
        .record("posture.scan", "posture", json!({ "before": null, "after": { "found": found } }), &operator)
        .await;
    Ok(Json(posture.as_ref().clone()))
}
