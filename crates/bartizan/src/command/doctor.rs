//! `bartizan doctor`: what is wrong, doubtful or fine, of the configuration and of what it needs.

mod settings;
mod surroundings;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use bartizan_config::{ConfigError, Diagnostic, Loaded, Severity};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::{
    command::check::examine,
    document,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print},
    state::StateDirectory,
};

/// Look for what is wrong or doubtful: in the configuration, and in what it needs.
///
/// Beyond what `check` does it connects: to the store, to Redis, to every service behind the gateway and to the mail
/// server. Nothing is changed. Ends with 0 when nothing is wrong, 1 when something is, 2 when the configuration cannot be
/// used.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan doctor\n  bartizan doctor --json | jq '.findings[] | select(.verdict != \"good\")'"
)]
pub(crate) struct Doctor {
    /// The configuration; without it `./bartizan.yaml`, then `/etc/bartizan/bartizan.yaml`.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, as `run` takes it.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Print `{"findings": [{"about", "verdict", "said", "help"}]}`.
    #[arg(long)]
    json: bool,
}

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    verdict: Verdict,
    said: String,
    help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody should know.
    Doubtful,
    /// It does not work, or not safely.
    Wrong,
}

impl Doctor {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { file, config, state_dir, json } = self;
        let path = document::find(file.or(config))?;
        let state = StateDirectory::locate(state_dir)?;
        let load = || document::load(&path, Some(&state));
        let Loaded { config, warnings } = load()?;
        let doubts = examine(config, &path).map_err(ConfigError::Invalid)?;
        let config = load()?.config;
        let warnings: Vec<_> = warnings.into_iter().chain(document::doubts(&path, doubts)).collect();
        let mut findings = vec![Finding::good("configuration", format!("{} can be used", path.display()))];
        findings
            .extend(warnings.iter().filter(|warning| warning.severity == Severity::Warning).map(Finding::of));
        findings.extend(settings::look(&config));
        findings.extend(super::ask(async { Ok(surroundings::look(&config, &state).await) })?);
        if json {
            print(format_args!("{:#}", json!({ "findings": findings })))?;
        } else {
            print(shown(&findings))?;
        }
        let is_wrong = findings.iter().any(|finding| finding.verdict == Verdict::Wrong);
        Ok(ExitCode::from(u8::from(is_wrong)))
    }
}

fn shown(findings: &[Finding]) -> Table {
    let mut table = Table::default();
    for Finding { about, verdict, said, help } in findings {
        let verdict = match verdict {
            Verdict::Good => Cell::new(GOOD, "good"),
            Verdict::Doubtful => Cell::new(ATTENTION, "doubtful"),
            Verdict::Wrong => Cell::new(BAD, "wrong"),
        };
        table.row([verdict, Cell::new(PLAIN, *about), Cell::new(PLAIN, said)]);
        if let Some(help) = help {
            table.row([
                Cell::new(PLAIN, ""),
                Cell::new(PLAIN, ""),
                Cell::new(FAINT, format!("help: {help}")),
            ]);
        }
    }
    table
}

impl Finding {
    fn good(about: &'static str, said: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Good, said: said.into(), help: None }
    }

    fn doubtful(about: &'static str, said: impl Into<String>, help: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Doubtful, said: said.into(), help: Some(help.into()) }
    }

    fn wrong(about: &'static str, said: impl Into<String>, help: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Wrong, said: said.into(), help: Some(help.into()) }
    }

    /// What `check` warns of.
    fn of(warning: &Diagnostic) -> Self {
        let said = format!("line {}: {}", warning.line, warning.message);
        Self { about: "configuration", verdict: Verdict::Doubtful, said, help: warning.hint.clone() }
    }
}
