//! Where events go besides the gateway's own store: what `exports` of a configuration asks for, and how it fares.

use std::path::Path;

use bartizan_config::{Config, Diagnostic, Severity};
use bartizan_control::{Export, ExportFailure, ExportTest};
use bartizan_export::{ExportError, ExportStatus, Exports, Plan, Tested, Unusable};

/// What `config` asks for, or what is wrong with it.
pub(crate) fn plan(config: &Config, path: Option<&Path>) -> Result<Plan, Vec<Diagnostic>> {
    let file = path.map(|path| path.display().to_string()).unwrap_or_default();
    Plan::new(&config.exports)
        .map_err(|unusable| unusable.into_iter().map(|unusable| diagnostic(&file, unusable)).collect())
}

fn diagnostic(file: &str, Unusable { name, line, error }: Unusable) -> Diagnostic {
    let hint = match &error {
        ExportError::UnknownType(_) => {
            "the manual lists the types under Events: for example `attack_detected`"
        }
        ExportError::Certificate { .. } => {
            "certificates and keys are PEM files that the gateway's user can read"
        }
        ExportError::Header(_) => "write it on one line, in printable characters",
        _ => "the manual says more under Export",
    };
    Diagnostic {
        severity: Severity::Error,
        file: file.into(),
        line: line.number().unwrap_or(1),
        column: 1,
        message: format!("the export `{name}` cannot be used: {error}"),
        hint: Some(hint.into()),
        snippet: String::new(),
    }
}

/// How each fares.
pub(crate) fn status(exports: &Exports) -> Vec<Export> {
    let export = |status: ExportStatus| Export {
        name: status.name,
        kind: status.kind.into(),
        failing: status.is_failing,
        waiting_bytes: status.waiting,
        oldest: status.oldest.map(Into::into),
        sent: status.sent,
        refused: status.refused,
        left_out: status.left_out,
        last_success: status.last_success.map(Into::into),
        last_error: status.last_error.map(|(at, message)| ExportFailure { at: at.into(), message }),
    };
    exports.status().into_iter().map(export).collect()
}

/// Sends one event that says that it is a test; `None`: there is no such export.
pub(crate) async fn test(exports: &Exports, name: String) -> Option<ExportTest> {
    let Tested { is_delivered, answer } = exports.test(&name).await?;
    Some(ExportTest { delivered: is_delivered, answer })
}
