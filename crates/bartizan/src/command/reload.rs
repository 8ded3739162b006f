//! `bartizan reload`.

use anyhow::{Result, anyhow};
use bartizan_control::{Diagnostic, DiagnosticSeverity, Reloaded};
use clap::Args;

use crate::{
    admin::{AdminOptions, Refused},
    document,
    output::{FAINT, GOOD, complain, print, printable, styled},
};

/// Let the running gateway read its configuration again, now.
///
/// It does so by itself when the file changes. A configuration that is not valid is not taken: its problems are
/// shown, and the running configuration stays.
#[derive(Debug, Args)]
pub(crate) struct Reload {
    #[command(flatten)]
    admin: AdminOptions,
}

impl Reload {
    pub(crate) async fn run(self) -> Result<()> {
        let reloaded: Result<Reloaded> = self.admin.client()?.post("v1/configuration/reload").await;
        let Reloaded { revision, changed, warnings } = reloaded.map_err(explain)?;
        show(warnings);
        let what =
            if changed { "a new configuration is in use" } else { "the configuration has not changed" };
        print(format_args!("{} {}", styled(GOOD, what), styled(FAINT, format!("(revision {revision})"))))
    }
}

/// Shows what is wrong with the document before the error itself.
fn explain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<Refused>() {
        Ok(Refused { problem }) => {
            show(problem.diagnostics);
            anyhow!("{}: the running configuration stays in use", printable(&problem.detail))
        }
        Err(error) => error,
    }
}

pub(super) fn show(diagnostics: Vec<Diagnostic>) {
    let diagnostics: Vec<_> = diagnostics.into_iter().map(as_written).collect();
    if !diagnostics.is_empty() {
        complain(document::render(&diagnostics));
    }
}

fn as_written(diagnostic: Diagnostic) -> bartizan_config::Diagnostic {
    let Diagnostic { severity, file, line, column, message, hint, snippet } = diagnostic;
    let severity = match severity {
        DiagnosticSeverity::Error => bartizan_config::Severity::Error,
        DiagnosticSeverity::Warning => bartizan_config::Severity::Warning,
    };
    bartizan_config::Diagnostic { severity, file, line, column, message, hint, snippet }
}
