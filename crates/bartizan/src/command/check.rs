//! `bartizan check`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use bartizan_config::{Config, ConfigError, Diagnostic, Loaded};
use bartizan_gateway::Gateway;
use bartizan_identity::account::Accounts;
use bartizan_pipeline::Doubt;
use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::runtime::Builder;

use crate::{
    detection::Rules,
    document, exports,
    output::{FAINT, GOOD, Table, complain, print, styled},
    state::StateDirectory,
};

/// Validate a configuration file without running it.
///
/// Shows every problem with its line, a snippet and what to do; on success the routes as the gateway would
/// serve them. Ends with 0 when the file can be used, 2 when it cannot, 1 when it cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan check\n  bartizan check /etc/bartizan/bartizan.yaml\n  \
                        bartizan check --format json | jq .diagnostics")]
pub(crate) struct Check {
    /// The file; without it `./bartizan.yaml`, then `/etc/bartizan/bartizan.yaml`.
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The same, as `run` takes it.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory, where `rules install` puts rule sets. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// How to answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// `{"valid", "revision", "diagnostics"}` on standard output.
    Json,
}

impl Check {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let path = document::find(self.file.or(self.config))?;
        let state = StateDirectory::locate(self.state_dir).ok();
        let loaded = document::load(&path, state.as_ref()).and_then(|Loaded { config, mut warnings }| {
            let summary = Summary::of(&config);
            let revision = config.revision.clone();
            match examine(config, &path) {
                Ok(doubts) => {
                    warnings.extend(document::doubts(&path, doubts));
                    let text = summary.text(&document::shown(&path), &revision, warnings.len());
                    Ok((text, revision, warnings))
                }
                Err(problems) => Err(ConfigError::Invalid(warnings.into_iter().chain(problems).collect())),
            }
        });
        match (loaded, self.format) {
            (Ok((text, _, warnings)), Format::Text) => {
                complain_about(&warnings);
                print(text)?;
            }
            (Ok((_, revision, warnings)), Format::Json) => print_json(Some(&revision), &warnings)?,
            (Err(ConfigError::Invalid(diagnostics)), Format::Json) => {
                print_json(None, &diagnostics)?;
                return Ok(ExitCode::from(2));
            }
            (Err(error), _) => return Err(error.into()),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads what the configuration names: certificates, keys, authorities. The runtime is there because a gateway needs
/// one; it never runs, so that nothing is asked of the network.
pub(super) fn examine(config: Config, path: &Path) -> Result<Vec<Doubt>, Vec<Diagnostic>> {
    if let Some(Err(error)) = config.accounts.as_ref().map(Accounts::examine) {
        return Err(vec![document::problem_of_accounts(path, &config, &error)]);
    }
    let mut doubts = Rules::compile(&config)?.doubts;
    exports::plan(&config, Some(path))?;
    let unusable = |subject: Option<&str>, message: String| vec![Diagnostic::in_use(path, subject, message)];
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unusable(None, format!("cannot start the runtime: {error}")))?;
    let _entered = runtime.enter();
    let examined = Gateway::examine(config).map_err(|error| match error.diagnostics() {
        [] => unusable(error.subject().as_deref(), error.to_string()),
        placed => placed.to_vec(),
    });
    doubts.extend(examined?);
    Ok(doubts)
}

fn complain_about(warnings: &[Diagnostic]) {
    if !warnings.is_empty() {
        complain(document::render(warnings));
    }
}

fn print_json(revision: Option<&str>, diagnostics: &[Diagnostic]) -> Result<()> {
    let valid = revision.is_some();
    print(format_args!("{:#}", json!({ "valid": valid, "revision": revision, "diagnostics": diagnostics })))
}

/// What is said of a configuration that can be used.
struct Summary {
    facts: Vec<String>,
    routes: Table,
    /// How many routes have no firewall, of how many.
    unguarded: (usize, usize),
}

impl Summary {
    fn of(config: &Config) -> Self {
        let facts = vec![
            number(config.routes.len(), "route"),
            number(config.upstreams.len(), "upstream"),
            number(config.identity.len(), "identity provider"),
        ];
        let unguarded = config.routes.iter().filter(|route| route.waf.is_none()).count();
        Self { facts, routes: document::routes(config), unguarded: (unguarded, config.routes.len()) }
    }

    fn text(mut self, path: &str, revision: &str, warnings: usize) -> String {
        if warnings > 0 {
            self.facts.push(number(warnings, "warning"));
        }
        let firewall = match self.unguarded {
            (0, _) => String::new(),
            (unguarded, all) if unguarded == all => {
                "\nno route has a firewall: `waf: starter` in the document gives all of them one\n".to_owned()
            }
            (unguarded, all) => format!("\n{unguarded} of {all} routes have no firewall\n"),
        };
        format!(
            "{} {path} {}\n\n{}{firewall}",
            styled(GOOD.bold(), "valid:"),
            styled(FAINT, format!("(revision {revision}, {})", self.facts.join(", "))),
            self.routes
        )
    }
}

fn number(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
