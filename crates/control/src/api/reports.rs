//! `GET /v1/reports/security`: what happened in a period.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Json, extract::State};
use bartizan_identity::account::Inventory;
use bartizan_posture::{Facts, Period, SecurityReport, System, Wanted, make};
use serde::Deserialize;

use super::posture::KnownPosture;
use crate::{
    Timestamp,
    control::Shared,
    extract::QueryParameters,
    failure::{Failure, FailureCode},
};

/// How long the log may be asked.
const WITHIN: Duration = Duration::from_secs(20);

/// About which time.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WantedReport {
    /// When the period begins.
    from: Timestamp,
    /// When it ends. Without it, now.
    to: Option<Timestamp>,
    /// With addresses, people and sentences.
    #[serde(default)]
    #[param(default = false)]
    personal: bool,
}

/// What happened in a period of at most 366 days, beside the one of the same length before it: numbers, top threats, limits,
/// people, systems, risk, recommendations and what has changed. What is about people is masked unless it is asked for.
#[utoipa::path(
    get,
    path = "/v1/reports/security",
    operation_id = "read_security_report",
    tag = "events",
    params(WantedReport),
    responses((status = 200, description = "The report.", body = SecurityReport))
)]
pub(crate) async fn read_security_report(
    KnownPosture(monitor): KnownPosture,
    State(shared): State<Arc<Shared>>,
    QueryParameters(wanted): QueryParameters<WantedReport>,
) -> Result<Json<SecurityReport>, Failure> {
    let WantedReport { from, to, personal } = wanted;
    let to = to.map_or_else(SystemTime::now, SystemTime::from);
    let period = Period::new(from.into(), to)?;
    let status = shared.system.status();
    let system = System {
        posture: monitor.now().await?,
        inventory: inventory(&shared).await,
        version: status.version,
        uptime: Duration::from_secs(status.uptime_seconds),
        revision: status.configuration.revision,
    };
    let wanted = Wanted { period, personal, within: WITHIN };
    let log = monitor.log().clone();
    let made = tokio::task::spawn_blocking(move || make(&log, wanted, system)).await;
    let inside = |_| Failure::new(FailureCode::InternalError, "making the report failed inside");
    Ok(Json(made.map_err(inside)??))
}

/// A report without it is better than none.
async fn inventory(shared: &Shared) -> Option<Inventory> {
    let taken = shared.accounts.as_ref()?.inventory(Facts::BOUNDS, SystemTime::now()).await;
    taken.inspect_err(|error| tracing::warn!(%error, "a report says nothing of accounts")).ok()
}
