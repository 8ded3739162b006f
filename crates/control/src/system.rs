//! What the admin API needs of the running system. The binary implements it; the control plane only asks.

use std::{future::Future, pin::Pin, sync::Arc};

use bartizan_config::{Config, ConfigError};
use bartizan_limits::Limiter;
use bartizan_pipeline::LimitHistory;
use bartizan_policy::Policies;

use crate::{DetectionStatus, Diagnostic, Export, ExportTest, Reloaded, Status, UpstreamStatus};

/// The running system, as the admin API sees it.
pub trait System: Send + Sync + 'static {
    /// What runs, since when, with which configuration. Called for every probe: it must be cheap.
    fn status(&self) -> Status;

    /// The configuration in use. Called for every request: it must be cheap.
    fn config(&self) -> Arc<Config>;

    /// Reads the configuration again and swaps it in whole, or leaves the running one alone and says why not.
    /// Calls may overlap.
    fn reload(&self) -> ReloadFuture<'_>;

    /// The services behind and the health of their targets.
    fn upstreams(&self) -> Vec<UpstreamStatus>;

    /// What is limited, and what counts.
    fn limits(&self) -> LimitsInUse;

    /// The policies behind the permissions.
    fn policies(&self) -> PoliciesInUse;

    /// The rules that look at events, and what they have found.
    fn detection(&self) -> DetectionStatus;

    /// Where events go besides, and how that fares.
    fn exports(&self) -> Vec<Export>;

    /// Sends one event to the receiver of this name that says that it is a test; `None`: there is none.
    fn test_export(&self, name: String) -> ExportTestFuture<'_>;

    /// The metrics in the Prometheus text format, version 0.0.4.
    fn metrics(&self) -> String;
}

/// The policies behind the permissions.
#[derive(Debug, Clone)]
pub struct PoliciesInUse {
    /// The configuration in use.
    pub config: Arc<Config>,
    /// Its policies; `None`: it has neither policies nor zones.
    pub policies: Option<Arc<Policies>>,
}

/// What is limited, and what counts.
#[derive(Debug, Clone)]
pub struct LimitsInUse {
    /// The configuration in use.
    pub config: Arc<Config>,
    /// What counts by it.
    pub limiter: Limiter,
    /// What the last hour asked for.
    pub history: LimitHistory,
}

/// What [`System::reload`] returns.
pub type ReloadFuture<'a> = Pin<Box<dyn Future<Output = Result<Reloaded, ReloadFailure>> + Send + 'a>>;

/// What [`System::test_export`] returns.
pub type ExportTestFuture<'a> = Pin<Box<dyn Future<Output = Option<ExportTest>> + Send + 'a>>;

/// Why a configuration was not taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ReloadFailure {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Every problem found in the document; empty when the fault lies elsewhere.
    pub diagnostics: Vec<Diagnostic>,
}

impl ReloadFailure {
    /// A failure outside the document.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), diagnostics: Vec::new() }
    }
}

impl From<&ConfigError> for ReloadFailure {
    fn from(error: &ConfigError) -> Self {
        let diagnostics: Vec<Diagnostic> = error.diagnostics().iter().cloned().map(Into::into).collect();
        let message = match diagnostics.as_slice() {
            [] => error.to_string(),
            [one] => format!("the configuration is not valid: {}", one.message),
            several => format!("the configuration is not valid: {} problems", several.len()),
        };
        Self { message, diagnostics }
    }
}
