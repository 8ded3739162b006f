//! `log:`, `telemetry:` and `shutdown:`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    LogFormat,
    forms::Parsed,
    located::Optional,
    word::{LogLevels, Url},
};

/// Logs, written to standard error.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// Their form.
    #[schemars(extend("default" = "auto"))]
    pub(crate) format: Optional<LogFormat>,
    /// What is logged: a level, or levels by module.
    #[schemars(extend("default" = "info", "examples" = ["info", "warn,bartizan_gateway=debug"]))]
    pub(crate) level: Optional<Parsed<LogLevels>>,
    /// One line per served request too, not only per refusal.
    #[schemars(extend("default" = false))]
    pub(crate) requests: Optional<Parsed<bool>>,
}

/// Traces.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Telemetry {
    /// An OTLP/HTTP collector. Without it nothing is exported.
    #[schemars(extend("examples" = ["http://localhost:4318"]))]
    pub(crate) otlp: Optional<Parsed<Url>>,
}

/// How the gateway stops.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long requests in flight may take to finish after a signal to stop.
    #[schemars(extend("default" = "30s"))]
    pub(crate) drain: Optional<Parsed<Duration>>,
}
