//! `/v1/alerts`: what people are told of, and how far somebody has got with it.

pub(crate) mod shown;
pub(crate) mod silences;
pub(crate) mod undelivered;

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json,
    extract::{FromRequestParts, State},
};
use bartizan_alerts::{AlertError, Alerts, By, Reason, Wanted};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use self::shown::{AlertDetails, AlertHistoryEntry, AlertItem, AlertList};
use crate::{
    control::Shared,
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// The most alerts of one page.
const MOST: u32 = 1000;
/// The longest note, in bytes.
const LONGEST_NOTE: usize = 1024;

/// The alerts. A request for them is refused where there are none.
pub(crate) struct KnownAlerts(pub(crate) Alerts);

impl FromRequestParts<Arc<Shared>> for KnownAlerts {
    type Rejection = Failure;

    async fn from_request_parts(_: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let detail = "nobody is alerted: add `alerts` to the configuration and start the gateway again";
        shared.alerts.clone().map(Self).ok_or_else(|| Failure::new(FailureCode::AlertsNotConfigured, detail))
    }
}

impl From<AlertError> for Failure {
    fn from(error: AlertError) -> Self {
        let code = match &error {
            AlertError::Unknown { .. } => FailureCode::NotFound,
            AlertError::State { .. } => FailureCode::AlertPassed,
            AlertError::Silence { .. } => FailureCode::InvalidValue,
            AlertError::NotDelivered { .. } => FailureCode::MessageNotSent,
            _ => FailureCode::StoreUnavailable,
        };
        Self::new(code, error.to_string())
    }
}

/// Which alerts, and how many of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedAlerts {
    /// In this state: `open`, `acknowledged` or `resolved`.
    state: Option<String>,
    /// At least so bad: `informational`, `low`, `medium`, `high` or `critical`.
    severity: Option<String>,
    /// Raised by the route of this name under `alerts`.
    alert_route: Option<String>,
    /// For the organisation with this id.
    organization: Option<String>,
    /// That this rule has found.
    rule: Option<String>,
    /// Those behind the alert with this id, in the order of the list.
    after: Option<String>,
    /// How many at most.
    #[serde(default = "WantedAlerts::default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: u32,
}

impl WantedAlerts {
    fn default_limit() -> u32 {
        50
    }
}

/// Alerts, the newest first.
#[utoipa::path(
    get,
    path = "/v1/alerts",
    operation_id = "list_alerts",
    tag = "alerts",
    params(WantedAlerts),
    responses((status = 200, description = "Alerts that pass.", body = AlertList))
)]
pub(crate) async fn list_alerts(
    KnownAlerts(alerts): KnownAlerts,
    QueryParameters(wanted): QueryParameters<WantedAlerts>,
) -> Result<Json<AlertList>, Failure> {
    let WantedAlerts { state, severity, alert_route: route, organization, rule, after, limit } = wanted;
    let malformed = |detail: String| Failure::new(FailureCode::MalformedRequest, detail);
    if !(1..=MOST).contains(&limit) {
        return Err(malformed(format!("`limit` must be 1 to {MOST}")));
    }
    let state = state.map(|state| state.parse()).transpose().map_err(malformed)?;
    let severity = severity.map(|severity| severity.parse()).transpose().map_err(malformed)?;
    let page = alerts.list(&Wanted { state, severity, route, organization, rule, after, limit }).await?;
    Ok(Json(AlertList { alerts: page.alerts.iter().map(AlertItem::from).collect(), next: page.next }))
}

/// One alert, and what became of it.
#[utoipa::path(
    get,
    path = "/v1/alerts/{alert}",
    operation_id = "read_alert",
    tag = "alerts",
    params(("alert" = String, Path, description = "The id of the alert.")),
    responses(
        (status = 200, description = "The alert.", body = AlertDetails),
        (status = 404, description = "There is none.")
    )
)]
pub(crate) async fn read_alert(
    KnownAlerts(alerts): KnownAlerts,
    PathParameter(alert): PathParameter<String>,
) -> Result<Json<AlertDetails>, Failure> {
    let (alert, history) = alerts.show(&alert).await?;
    let history = history.into_iter().map(AlertHistoryEntry::from).collect();
    Ok(Json(AlertDetails { alert: AlertItem::from(&alert), history }))
}

/// What somebody says who acknowledges or resolves an alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertNote {
    /// For whoever reads it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub note: Option<String>,
}

/// Somebody looks after an alert: it is neither told again nor escalated.
#[utoipa::path(
    post,
    path = "/v1/alerts/{alert}/acknowledge",
    operation_id = "acknowledge_alert",
    tag = "alerts",
    params(("alert" = String, Path, description = "The id of the alert.")),
    request_body = AlertNote,
    responses(
        (status = 200, description = "The alert.", body = AlertItem),
        (status = 404, description = "There is none."),
        (status = 409, description = "It is acknowledged already, or over.")
    )
)]
pub(crate) async fn acknowledge_alert(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    PathParameter(alert): PathParameter<String>,
    JsonBody(note): JsonBody<AlertNote>,
) -> Result<Json<AlertItem>, Failure> {
    decide(&shared, &alerts, &operator, (alert, note), Reason::Acknowledged).await
}

/// An alert is over. More of the same is another alert.
#[utoipa::path(
    post,
    path = "/v1/alerts/{alert}/resolve",
    operation_id = "resolve_alert",
    tag = "alerts",
    params(("alert" = String, Path, description = "The id of the alert.")),
    request_body = AlertNote,
    responses(
        (status = 200, description = "The alert.", body = AlertItem),
        (status = 404, description = "There is none."),
        (status = 409, description = "It is over already.")
    )
)]
pub(crate) async fn resolve_alert(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    PathParameter(alert): PathParameter<String>,
    JsonBody(note): JsonBody<AlertNote>,
) -> Result<Json<AlertItem>, Failure> {
    decide(&shared, &alerts, &operator, (alert, note), Reason::Resolved).await
}

async fn decide(
    shared: &Shared,
    alerts: &Alerts,
    operator: &Operator,
    (id, AlertNote { note }): (String, AlertNote),
    reason: Reason,
) -> Result<Json<AlertItem>, Failure> {
    if note.as_ref().is_some_and(|note| note.len() > LONGEST_NOTE) {
        let detail = format!("a note has at most {LONGEST_NOTE} bytes");
        return Err(Failure::new(FailureCode::InvalidValue, detail));
    }
    let by = By { who: operator.actor(), note: note.clone() };
    let now = SystemTime::now();
    let (alert, action) = match reason {
        Reason::Acknowledged => (alerts.acknowledge(&id, by, now).await?, "alert.acknowledge"),
        _ => (alerts.resolve(&id, by, now).await?, "alert.resolve"),
    };
    shared.record(action, &id, json!({ "note": note }), operator).await;
    Ok(Json(AlertItem::from(&alert)))
}

/// Which channel is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertTest {
    /// The name of the channel. Without it all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "team")]
    pub channel: Option<String>,
}

/// What came of trying channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertTests {
    /// Each channel that was tried.
    pub tested: Vec<TestedChannel>,
}

/// A channel that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestedChannel {
    /// Its name.
    pub channel: String,
    /// Why the notification did not go; none: it went.
    pub failure: Option<String>,
}

/// Sends a notification that is none by a channel, or by all, and says what came of it.
#[utoipa::path(
    post,
    path = "/v1/alerts/test",
    operation_id = "test_alert_channels",
    tag = "alerts",
    request_body = AlertTest,
    responses(
        (status = 200, description = "What came of it.", body = AlertTests),
        (status = 404, description = "There is no such channel.")
    )
)]
pub(crate) async fn test_alert_channels(
    State(shared): State<Arc<Shared>>,
    KnownAlerts(alerts): KnownAlerts,
    operator: Operator,
    JsonBody(AlertTest { channel }): JsonBody<AlertTest>,
) -> Result<Json<AlertTests>, Failure> {
    let channels = channel.map_or_else(|| alerts.channels(), |channel| vec![channel]);
    let mut tested = Vec::new();
    for channel in channels {
        let failure = match alerts.test(&channel, &operator.actor(), SystemTime::now()).await {
            Ok(()) => None,
            Err(AlertError::NotDelivered { reason }) => Some(reason),
            Err(error) => return Err(error.into()),
        };
        shared.record("alert.test", &channel, json!({ "failure": failure }), &operator).await;
        tested.push(TestedChannel { channel, failure });
    }
    Ok(Json(AlertTests { tested }))
}
