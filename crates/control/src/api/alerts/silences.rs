//! `/v1/alerts/silences`: for a time nobody is told of what they match.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Json, extract::State};
use bartizan_alerts::{Matcher, Moment, Silence};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{KnownAlerts, shown::timestamp};
use crate::{
    Timestamp,
    control::Shared,
    extract::{JsonBody, PathParameter},
    failure::Failure,
    operator::Operator,
};

/// Silences that hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertSilences {
    /// The oldest first, a thousand at most.
    pub silences: Vec<AlertSilence>,
}

/// For a time nobody is told of what it matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertSilence {
    /// Its id.
    pub id: String,
    /// What it matches: all of these hold.
    pub matchers: Vec<AlertMatcher>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub author: String,
    /// When it was made.
    pub made: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

/// A condition on what the events of an alert have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertMatcher {
    /// `rule`, `kind`, `address`, `user`, `organization`, `route`, or `alert_route`, the name of the route under `alerts`.
    #[schema(example = "address")]
    pub by: String,
    /// The value; of an address a prefix, too.
    #[schema(example = "203.0.113.0/24")]
    pub value: String,
}

/// A silence to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAlertSilence {
    /// What it matches: all of these hold.
    #[schema(min_items = 1, max_items = 16)]
    pub matchers: Vec<AlertMatcher>,
    /// Why.
    #[schema(min_length = 1, max_length = 512)]
    pub reason: String,
    /// For how long, in seconds; at most a year.
    #[schema(minimum = 1, maximum = 31_536_000, example = 3600)]
    pub for_seconds: u64,
}

/// Silences that hold.
#[utoipa::path(
    get,
    path = "/v1/alerts/silences",
    operation_id = "list_alert_silences",
    tag = "alerts",
    responses((status = 200, description = "Silences that hold.", body = AlertSilences))
)]
pub(crate) async fn list_alert_silences(
    KnownAlerts(alerts): KnownAlerts,
) -> Result<Json<AlertSilences>, Failure> {
    let silences = alerts.silences(SystemTime::now()).await?;
    Ok(Json(AlertSilences { silences: silences.into_iter().map(AlertSilence::from).collect() }))
}

/// Tells nobody of what it matches, for a time. Alerts are raised all the same.
#[utoipa::path(
    post,
    path = "/v1/alerts/silences",
    operation_id = "create_alert_silence",
    tag = "alerts",
    request_body = NewAlertSilence,
    responses((status = 201, description = "It holds.", body = AlertSilence))
)]
pub(crate) async fn create_alert_silence(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    JsonBody(new): JsonBody<NewAlertSilence>,
) -> Result<(StatusCode, Json<AlertSilence>), Failure> {
    let made = Moment::from(SystemTime::now());
    let matcher = |matcher: AlertMatcher| Matcher { by: matcher.by, value: matcher.value };
    let silence = Silence {
        id: String::new(),
        matchers: new.matchers.into_iter().map(matcher).collect(),
        reason: new.reason,
        author: operator.actor(),
        made,
        until: made.after(Duration::from_secs(new.for_seconds)),
    };
    let silence = alerts.silence(silence).await?;
    let change = json!({ "matchers": silence.matchers, "reason": silence.reason, "until": silence.until });
    shared.record("alert.silence", &silence.id, change, &operator).await;
    Ok((StatusCode::CREATED, Json(AlertSilence::from(silence))))
}

/// Ends a silence.
#[utoipa::path(
    delete,
    path = "/v1/alerts/silences/{silence}",
    operation_id = "end_alert_silence",
    tag = "alerts",
    params(("silence" = String, Path, description = "The id of the silence.")),
    responses((status = 204, description = "It has ended."), (status = 404, description = "There is none."))
)]
pub(crate) async fn end_alert_silence(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    PathParameter(silence): PathParameter<String>,
) -> Result<StatusCode, Failure> {
    alerts.unsilence(&silence, SystemTime::now()).await?;
    shared.record("alert.unsilence", &silence, json!({}), &operator).await;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Silence> for AlertSilence {
    fn from(silence: Silence) -> Self {
        let matchers = silence.matchers.into_iter();
        Self {
            id: silence.id,
            matchers: matchers.map(|matcher| AlertMatcher { by: matcher.by, value: matcher.value }).collect(),
            reason: silence.reason,
            author: silence.author,
            made: timestamp(silence.made),
            until: timestamp(silence.until),
        }
    }
}
