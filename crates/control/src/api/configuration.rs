//! `/v1/configuration`: which configuration is in use, and taking a new one.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    ReloadFailure, Timestamp,
    control::Shared,
    failure::{Failure, FailureCode},
    operator::Operator,
};

/// The configuration in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationStatus {
    /// Names this configuration: the first 12 hexadecimal digits of the document's SHA-256.
    #[schema(example = "3f0a9b6c2d41")]
    pub revision: String,
    /// The file it came from; null where there is none.
    #[schema(example = "/etc/bartizan/bartizan.yaml")]
    pub path: Option<String>,
    /// When it was taken.
    pub loaded_at: Timestamp,
    /// The last attempt to take a newer one, if that failed.
    pub last_failure: Option<ConfigurationFailure>,
}

/// A configuration that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationFailure {
    /// When it was tried.
    pub at: Timestamp,
    /// What is wrong with it.
    pub message: String,
}

/// A configuration has been taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reloaded {
    /// Names the configuration now in use.
    #[schema(example = "3f0a9b6c2d41")]
    pub revision: String,
    /// Whether it differs from the one before.
    pub changed: bool,
    /// What is questionable about it.
    pub warnings: Vec<Diagnostic>,
}

/// One problem of a configuration document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diagnostic {
    /// Whether it keeps the document from being used.
    pub severity: DiagnosticSeverity,
    /// The document.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line with a caret under the place.
    pub snippet: String,
}

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiagnosticSeverity {
    /// The document is refused.
    Error,
    /// The document is used, but says something that is probably not meant.
    Warning,
}

/// Which configuration is in use.
#[utoipa::path(
    get,
    path = "/v1/configuration",
    operation_id = "read_configuration",
    tag = "configuration",
    responses((status = 200, description = "The configuration in use.", body = ConfigurationStatus))
)]
pub(crate) async fn read_configuration(State(shared): State<Arc<Shared>>) -> Json<ConfigurationStatus> {
    Json(shared.system.status().configuration)
}

/// Reads the configuration again and takes it in whole, or leaves the running one alone.
#[utoipa::path(
    post,
    path = "/v1/configuration/reload",
    operation_id = "reload_configuration",
    tag = "configuration",
    responses(
        (status = 200, description = "The configuration is in use.", body = Reloaded),
        (status = 409, description = "The configuration cannot be used; the running one stays."),
        (status = 500, description = "Taking it failed halfway; see the log.")
    )
)]
pub(crate) async fn reload_configuration(
    State(shared): State<Arc<Shared>>,
    operator: Operator,
) -> Result<Json<Reloaded>, Failure> {
    // In a task of its own, so that a caller who goes away neither stops it halfway nor escapes the audit.
    let reloading = tokio::spawn(async move {
        let before = shared.system.status().configuration.revision;
        let reloaded = shared.system.reload().await;
        audit(&reloaded, &operator);
        let after = reloaded.as_ref().map_or(before.as_str(), |reloaded| reloaded.revision.as_str());
        let failure = reloaded.as_ref().err().map(|failure| failure.message.as_str());
        let change = json!({ "before": before, "after": after, "failure": failure });
        shared.record("configuration.reload", "configuration", change, &operator).await;
        reloaded
    });
    match reloading.await {
        Ok(Ok(reloaded)) => Ok(Json(reloaded)),
        Ok(Err(ReloadFailure { message, diagnostics })) => {
            Err(Failure::new(FailureCode::ConfigurationInvalid, message).with_diagnostics(diagnostics))
        }
        Err(_) => {
            Err(Failure::new(FailureCode::InternalError, "the reload broke off: see the gateway's log"))
        }
    }
}

fn audit(reloaded: &Result<Reloaded, ReloadFailure>, operator: &Operator) {
    let (revision, failure) = match reloaded {
        Ok(reloaded) => (Some(reloaded.revision.as_str()), None),
        Err(failure) => (None, Some(failure.message.as_str())),
    };
    tracing::info!(
        audit = true,
        action = "configuration.reload",
        revision,
        failure,
        operator = operator.name(),
        peer = operator.peer(),
        request_id = %operator.request_id,
        "an operator asked to reload the configuration"
    );
}

impl From<bartizan_config::Diagnostic> for Diagnostic {
    fn from(diagnostic: bartizan_config::Diagnostic) -> Self {
        let bartizan_config::Diagnostic { severity, file, line, column, message, hint, snippet } = diagnostic;
        let severity = match severity {
            bartizan_config::Severity::Error => DiagnosticSeverity::Error,
            bartizan_config::Severity::Warning => DiagnosticSeverity::Warning,
        };
        Self { severity, file, line, column, message, hint, snippet }
    }
}
