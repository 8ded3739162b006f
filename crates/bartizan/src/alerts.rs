//! The alerts of one running system: their store opened, the events shown to them.

use anyhow::{Context, Result};
use bartizan_alerts::Alerts;
use bartizan_config::Config;
use bartizan_events::EventLog;

use crate::{accounts, state::StateDirectory};

/// The alerts that `config` asks for, looking at every event of `log`.
pub(crate) async fn open(config: &Config, log: &EventLog, state: &StateDirectory) -> Result<Option<Alerts>> {
    let Some(settings) = &config.alerts else { return Ok(None) };
    let location = accounts::location(config, state);
    let alerts = Alerts::open(&location, settings, Some(log.clone())).await;
    let alerts = alerts.context("nobody can be alerted without the store of `alerts`")?;
    alerts.run(log);
    Ok(Some(alerts))
}

/// Goes by another configuration. Alerts that were there stay, also where it has none any more; where it is the first with
/// any, they begin with the next start.
pub(crate) fn follow(alerts: Option<&Alerts>, config: &Config) {
    match (alerts, &config.alerts) {
        (Some(alerts), Some(settings)) => {
            if let Err(error) = alerts.follow(settings) {
                tracing::error!(%error, "alerts go by the configuration before");
            }
        }
        (None, Some(_)) => {
            tracing::warn!("`alerts` is new: nobody is alerted before the gateway starts again");
        }
        (Some(_), None) => {
            tracing::warn!(
                "`alerts` is gone: alerts go by the configuration before until the gateway starts again"
            );
        }
        (None, None) => {}
    }
}
