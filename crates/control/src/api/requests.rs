//! `/v1/requests`: the latest decisions, and what every stage said about one request.

pub(crate) mod decided;
pub(crate) mod firewall;
pub(crate) mod limits;
pub(crate) mod policies;

use std::sync::Arc;

use axum::{Json, extract::State};
use bartizan_model::{ModelError, RequestId};
use serde::Deserialize;

use crate::{
    DecidedRequests,
    control::Shared,
    extract::{PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
};

/// Which of the latest requests to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Latest {
    /// How many at most.
    #[serde(default = "Latest::default_limit")]
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: usize,
    /// Refused ones only.
    #[serde(default)]
    #[param(default = false)]
    refused: bool,
}

impl Latest {
    const MAX: usize = 500;

    fn default_limit() -> usize {
        50
    }
}

/// The latest requests, the newest first.
#[utoipa::path(
    get,
    path = "/v1/requests",
    operation_id = "list_requests",
    tag = "requests",
    params(Latest),
    responses((status = 200, description = "The latest requests.", body = DecidedRequests))
)]
pub(crate) async fn list_requests(
    State(shared): State<Arc<Shared>>,
    QueryParameters(latest): QueryParameters<Latest>,
) -> Result<Json<DecidedRequests>, Failure> {
    if !(1..=Latest::MAX).contains(&latest.limit) {
        return Err(Failure::new(FailureCode::MalformedRequest, "`limit` must be 1 to 500"));
    }
    Ok(Json(DecidedRequests::of(&shared.records.latest(latest.limit, latest.refused))))
}

/// What every stage said about a request.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}",
    operation_id = "explain_request",
    tag = "requests",
    params((
        "id" = String,
        Path,
        description = "The request's id, as `x-request-id` carries it.",
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9._-]+$"
    )),
    responses(
        (status = 200, description = "The requests with this id.", body = DecidedRequests),
        (status = 404, description = "No request with this id is remembered.")
    )
)]
pub(crate) async fn explain_request(
    State(shared): State<Arc<Shared>>,
    PathParameter(id): PathParameter<String>,
) -> Result<Json<DecidedRequests>, Failure> {
    let id: RequestId = id
        .parse()
        .map_err(|error: ModelError| Failure::new(FailureCode::MalformedRequest, error.to_string()))?;
    let found = shared.records.find(id.as_str());
    if found.is_empty() {
        let detail = format!("no request `{id}` is remembered: only the latest decisions are");
        return Err(Failure::new(FailureCode::NotFound, detail));
    }
    Ok(Json(DecidedRequests::of(&found)))
}
