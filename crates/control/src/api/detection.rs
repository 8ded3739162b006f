//! `GET /v1/detection`: the rules that look at events, and what they have found.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Timestamp, control::Shared};

/// The rules that look at events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DetectionStatus {
    /// Those that are told when they hold, in the order of their files.
    pub rules: Vec<DetectionRule>,
    /// How many events wait to be looked at.
    pub waiting: u64,
}

/// A rule that looks at events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DetectionRule {
    /// Its id.
    pub id: String,
    /// What it finds.
    #[schema(example = "Many failed logins to one account")]
    pub title: String,
    /// How bad that is: `informational`, `low`, `medium`, `high` or `critical`.
    #[schema(example = "high")]
    pub severity: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// Techniques of MITRE ATT&CK.
    #[schema(example = json!(["T1110.001"]))]
    pub techniques: Vec<String>,
    /// Its file and line.
    #[schema(example = "starter/brute-force.yml:3")]
    pub file: String,
    /// How often it has fired since the start.
    pub fired: u64,
    /// When last.
    pub last_fired: Option<Timestamp>,
}

/// The rules that look at events, and how often each has fired.
#[utoipa::path(
    get,
    path = "/v1/detection",
    operation_id = "read_detection",
    tag = "events",
    responses((status = 200, description = "The rules that look at events.", body = DetectionStatus))
)]
pub(crate) async fn read_detection(State(shared): State<Arc<Shared>>) -> Json<DetectionStatus> {
    Json(shared.system.detection())
}
