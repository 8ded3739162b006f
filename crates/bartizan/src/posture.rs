//! What the scan and the threat level know of the running system beside its events.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bartizan_alerts::{Alerts, State, Wanted};
use bartizan_gateway::Gateway;
use bartizan_identity::{account::Accounts, authorization_server::AuthorizationServer};
use bartizan_limits::Period;
use bartizan_posture::{Disk, Facts, LimitsSeen, Part, Pulse, PulseFuture, SurveyFuture, Surveyed};
use tokio::time::timeout;

use crate::{configuration::Configuration, events::Events, state::StateDirectory};

/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The most alerts that are counted.
const MOST_ALERTS: u32 = 1000;

/// The running system, as it is scanned.
pub(crate) struct Surroundings {
    pub(crate) gateway: Gateway,
    pub(crate) configuration: Configuration,
    pub(crate) events: Events,
    pub(crate) accounts: Option<Arc<Accounts>>,
    pub(crate) tokens: Option<Arc<AuthorizationServer>>,
    pub(crate) alerts: Option<Alerts>,
    pub(crate) state: StateDirectory,
    pub(crate) started: Instant,
}

impl Surveyed for Surroundings {
    fn pulse(&self) -> PulseFuture<'_> {
        Box::pin(async {
            let (mut parts, (open_alerts, failure)) = tokio::join!(self.parts(), self.open_alerts());
            if self.alerts.is_some() {
                parts.push(Part::new("alerts", failure));
            }
            Pulse { parts, open_alerts, limits: self.limits() }
        })
    }

    fn survey(&self) -> SurveyFuture<'_> {
        Box::pin(async {
            let (pulse, inventory, signing_keys) =
                tokio::join!(self.pulse(), self.inventory(), self.signing_keys());
            let failure = self.configuration.status().last_failure;
            Facts {
                config: self.gateway.config(),
                inventory,
                signing_keys,
                parts: pulse.parts,
                log: self.events.log().health(),
                configuration_failure: failure.map(|failure| failure.message),
                disk: Disk::of(self.state.path()),
                uptime: self.started.elapsed(),
            }
        })
    }
}

impl Surroundings {
    async fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if let Some(accounts) = &self.accounts {
            let failure = accounts.store_answers().await.err().map(|error| error.to_string());
            parts.push(Part::new("store", failure));
        }
        if let Some(decides) = self.gateway.limiter().store_decides() {
            let silent = || "it does not answer, or not in time".to_owned();
            parts.push(Part::new("shared store", (!decides).then(silent)));
        }
        let waits = || "an identity provider has no keys yet".to_owned();
        parts.push(Part::new("identity providers", (!self.gateway.ready()).then(waits)));
        for export in self.events.exports().status() {
            let said = export.last_error.map_or_else(|| "nothing is delivered".into(), |(_, said)| said);
            parts.push(Part::new(format!("export {}", export.name), export.is_failing.then_some(said)));
        }
        for upstream in self.gateway.upstreams() {
            for target in upstream.targets {
                let failure = match (target.healthy, target.ejected_until) {
                    (false, _) => Some("its health check fails".to_owned()),
                    (true, Some(_)) => Some("it has failed again and again".to_owned()),
                    (true, None) => None,
                };
                parts.push(Part::new(format!("upstream {} ({})", upstream.name, target.address), failure));
            }
        }
        parts
    }

    /// Alerts that nobody has acknowledged, by severity, and why they cannot be counted.
    async fn open_alerts(&self) -> (Option<[u64; 5]>, Option<String>) {
        let Some(alerts) = &self.alerts else { return (None, None) };
        let wanted = Wanted { state: Some(State::Open), limit: MOST_ALERTS, ..Wanted::default() };
        match timeout(PATIENCE, alerts.list(&wanted)).await {
            Ok(Ok(page)) => {
                let mut counts = [0; 5];
                for alert in &page.alerts {
                    counts[usize::from(alert.severity().number() - 1)] += 1;
                }
                (Some(counts), None)
            }
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(late) => (None, Some(late.to_string())),
        }
    }

    fn limits(&self) -> LimitsSeen {
        let limiter = self.gateway.limiter();
        let totals = |period| limiter.overall().totals(limiter.now(), period);
        let (hour, day) = (totals(Period::Hour), totals(Period::Day));
        LimitsSeen {
            hour_requests: hour.requests,
            hour_refusals: hour.refusals,
            day_requests: day.requests,
            day_refusals: day.refusals,
        }
    }

    async fn inventory(&self) -> Option<Result<bartizan_identity::account::Inventory, String>> {
        let taken = self.accounts.as_ref()?.inventory(Facts::BOUNDS, SystemTime::now()).await;
        Some(taken.map_err(|error| error.to_string()))
    }

    async fn signing_keys(&self) -> Option<Result<SystemTime, String>> {
        let keys = match timeout(PATIENCE, self.tokens.as_ref()?.signing_keys()).await {
            Ok(keys) => keys.map_err(|error| error.to_string()),
            Err(late) => Err(late.to_string()),
        };
        Some(keys.map(|keys| keys.rotates))
    }
}
