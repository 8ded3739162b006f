//! `/v1/alerts/undelivered`: notifications that did not go for good, kept for a person.

use std::{sync::Arc, time::SystemTime};

use axum::{Json, extract::State};
use bartizan_alerts::Undelivered;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{KnownAlerts, shown::timestamp};
use crate::{
    Timestamp,
    control::Shared,
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// The most of one page.
const MOST: u32 = 1000;

/// Notifications that did not go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UndeliveredAlerts {
    /// The newest first.
    pub undelivered: Vec<UndeliveredAlert>,
}

/// A notification that did not go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UndeliveredAlert {
    /// Its id.
    pub id: String,
    /// By which channel.
    pub channel: String,
    /// The id of the alert.
    pub alert: String,
    /// Why somebody was to be told: `raised`, `repeated`, `escalated`, `acknowledged` or `resolved`.
    #[schema(example = "raised")]
    pub reason: String,
    /// What it says, in a line.
    pub summary: String,
    /// When it was made.
    pub made: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it did not go.
    #[schema(example = "the service answers 404 Not Found")]
    pub failure: String,
}

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedUndelivered {
    /// Those behind the notification with this id, in the order of the list.
    after: Option<String>,
    /// How many at most.
    #[serde(default = "WantedUndelivered::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: u32,
}

impl WantedUndelivered {
    fn default_limit() -> u32 {
        100
    }
}

/// Which notifications are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRetry {
    /// The one with this id. Without it, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Notifications that are tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertRetries {
    /// How many.
    pub retried: u64,
}

/// Notifications that did not go for good.
#[utoipa::path(
    get,
    path = "/v1/alerts/undelivered",
    operation_id = "list_undelivered_alerts",
    tag = "alerts",
    params(WantedUndelivered),
    responses((status = 200, description = "The newest first.", body = UndeliveredAlerts))
)]
pub(crate) async fn list_undelivered_alerts(
    KnownAlerts(alerts): KnownAlerts,
    QueryParameters(WantedUndelivered { after, limit }): QueryParameters<WantedUndelivered>,
) -> Result<Json<UndeliveredAlerts>, Failure> {
    if !(1..=MOST).contains(&limit) {
        return Err(Failure::new(FailureCode::MalformedRequest, format!("`limit` must be 1 to {MOST}")));
    }
    let undelivered = alerts.undelivered(after.as_deref(), limit).await?;
    Ok(Json(UndeliveredAlerts { undelivered: undelivered.into_iter().map(UndeliveredAlert::from).collect() }))
}

/// Tries notifications again that did not go.
#[utoipa::path(
    post,
    path = "/v1/alerts/undelivered/retry",
    operation_id = "retry_undelivered_alerts",
    tag = "alerts",
    request_body = AlertRetry,
    responses(
        (status = 200, description = "How many.", body = AlertRetries),
        (status = 404, description = "There is none with this id.")
    )
)]
pub(crate) async fn retry_undelivered_alerts(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    JsonBody(AlertRetry { id }): JsonBody<AlertRetry>,
) -> Result<Json<AlertRetries>, Failure> {
    let retried = alerts.retry(id.as_deref(), SystemTime::now()).await?;
    let subject = id.as_deref().unwrap_or("undelivered");
    shared.record("alert.retry", subject, json!({ "retried": retried }), &operator).await;
    Ok(Json(AlertRetries { retried }))
}

/// Forgets a notification that did not go.
#[utoipa::path(
    delete,
    path = "/v1/alerts/undelivered/{notification}",
    operation_id = "discard_undelivered_alert",
    tag = "alerts",
    params(("notification" = String, Path, description = "The id of the notification.")),
    responses((status = 204, description = "It is gone."), (status = 404, description = "There is none."))
)]
pub(crate) async fn discard_undelivered_alert(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    PathParameter(notification): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    alerts.discard(&notification).await?;
    shared.record("alert.discard", &notification, json!({}), &operator).await;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Undelivered> for UndeliveredAlert {
    fn from(undelivered: Undelivered) -> Self {
        let Undelivered { id, channel, alert, reason, summary, made, attempts, failure } = undelivered;
        let (reason, made) = (reason.as_str().into(), timestamp(made));
        Self { id, channel, alert, reason, summary, made, attempts, failure }
    }
}
