//! `GET /metrics`, `GET /openapi.json` and `GET /openapi-accounts.json`: what other programs read about this one.

use std::sync::Arc;

use axum::{extract::State, response::IntoResponse};
use http::header::CONTENT_TYPE;

use crate::{
    AccountsApi,
    control::Shared,
    failure::{Failure, FailureCode},
};

/// The metrics, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "read_metrics",
    tag = "status",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
pub(crate) async fn read_metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.system.metrics())
}

/// This document. That of the endpoints for people stands at `/openapi-accounts.json`.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "read_document",
    tag = "status",
    responses((status = 200, description = "The OpenAPI document.", body = Object, content_type = "application/json"))
)]
pub(crate) async fn read_document(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], shared.document.clone())
}

/// The document of the endpoints for people and their applications, under the prefix that is in use.
#[utoipa::path(
    get,
    path = "/openapi-accounts.json",
    operation_id = "read_accounts_document",
    tag = "status",
    responses(
        (status = 200, description = "The OpenAPI document.", body = Object, content_type = "application/json"),
        (status = 409, description = "The configuration has no `accounts`.")
    )
)]
pub(crate) async fn read_accounts_document(
    State(shared): State<Arc<Shared>>,
) -> Result<impl IntoResponse, Failure> {
    let config = shared.system.policies().config;
    let detail = "the running configuration has no `accounts`";
    let missing = || Failure::new(FailureCode::AccountsNotConfigured, detail);
    let accounts = config.accounts.as_ref().ok_or_else(missing)?;
    Ok(([(CONTENT_TYPE, "application/json")], AccountsApi::openapi_json(&accounts.prefix)))
}
