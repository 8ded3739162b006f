//! What the admin API asks of the running system.

use std::{
    sync::Arc,
    time::{Instant, SystemTime},
};

use bartizan_config::Config;
use bartizan_control::{
    DetectionStatus, Export, ExportTestFuture, LimitsInUse, Listener, PoliciesInUse, ReloadFuture, Status,
    TargetHealth, TargetStatus, UpstreamStatus,
};
use bartizan_gateway::Gateway;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{command::version::VERSION, configuration::Configuration, events::Events, exports, recorder};

/// Answers for the running system.
#[derive(Debug)]
pub(super) struct Asked {
    gateway: Gateway,
    configuration: Configuration,
    events: Events,
    listeners: Vec<Listener>,
    metrics: PrometheusHandle,
    started: (SystemTime, Instant),
}

impl Asked {
    /// For the system that starts now.
    pub(super) fn new(
        gateway: Gateway,
        configuration: Configuration,
        events: Events,
        listeners: Vec<Listener>,
        metrics: PrometheusHandle,
    ) -> Self {
        let started = (SystemTime::now(), Instant::now());
        Self { gateway, configuration, events, listeners, metrics, started }
    }
}

impl bartizan_control::System for Asked {
    fn status(&self) -> Status {
        let (started, since) = self.started;
        Status {
            version: VERSION.into(),
            started: started.into(),
            uptime_seconds: since.elapsed().as_secs(),
            ready: self.gateway.ready(),
            draining: self.gateway.is_draining(),
            configuration: self.configuration.status(),
            listeners: self.listeners.clone(),
        }
    }

    fn config(&self) -> Arc<Config> {
        self.gateway.config()
    }

    fn reload(&self) -> ReloadFuture<'_> {
        Box::pin(self.configuration.reload())
    }

    fn upstreams(&self) -> Vec<UpstreamStatus> {
        self.gateway.upstreams().into_iter().map(upstream).collect()
    }

    fn limits(&self) -> LimitsInUse {
        LimitsInUse {
            config: self.gateway.config(),
            limiter: self.gateway.limiter(),
            history: self.gateway.limit_history(),
        }
    }

    fn policies(&self) -> PoliciesInUse {
        PoliciesInUse { config: self.gateway.config(), policies: self.gateway.policies() }
    }

    fn detection(&self) -> DetectionStatus {
        self.events.detection().status()
    }

    fn exports(&self) -> Vec<Export> {
        exports::status(self.events.exports())
    }

    fn test_export(&self, name: String) -> ExportTestFuture<'_> {
        Box::pin(exports::test(self.events.exports(), name))
    }

    fn metrics(&self) -> String {
        let configuration = recorder::configuration_series(&self.gateway.config().revision);
        format!("{configuration}{}", self.metrics.render())
    }
}

fn upstream(status: bartizan_gateway::UpstreamStatus) -> UpstreamStatus {
    let target = |target: bartizan_gateway::TargetStatus| TargetStatus {
        health: match (target.healthy, target.ejected_until) {
            (false, _) => TargetHealth::Unhealthy,
            (true, Some(_)) => TargetHealth::Ejected,
            (true, None) => TargetHealth::Healthy,
        },
        url: target.address,
        requests_in_flight: u64::try_from(target.in_flight).unwrap_or(u64::MAX),
    };
    UpstreamStatus { name: status.name, targets: status.targets.into_iter().map(target).collect() }
}
