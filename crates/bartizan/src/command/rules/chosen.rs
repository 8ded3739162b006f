//! Which rules a command is about: those of a configuration, or those that are named.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bartizan_config::{Config, RulePlaces, Source};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{document, state::StateDirectory};

/// Which rules.
#[derive(Debug, Args)]
pub(super) struct Chosen {
    /// These rules, instead of those of a configuration.
    #[arg(long, value_enum)]
    rules: Option<Name>,
    /// The folder of the Core Rule Set, where it is not installed.
    #[arg(long, value_name = "DIR", requires = "rules")]
    path: Option<PathBuf>,
    /// The paranoia level, 1 to 4.
    #[arg(long, value_name = "LEVEL", requires = "rules", value_parser = clap::value_parser!(u8).range(1..=4))]
    paranoia: Option<u8>,
    /// The configuration. Without it `./bartizan.yaml`, then `/etc/bartizan/bartizan.yaml`, then the starter rules.
    #[arg(short, long, value_name = "FILE", conflicts_with = "rules")]
    config: Option<PathBuf>,
    /// The state directory, where rule sets are installed. Without it the same that `run` takes by default.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// The rules that every gateway carries.
    Starter,
    /// The OWASP Core Rule Set.
    Crs,
}

impl Chosen {
    /// The configuration that holds these rules.
    pub(super) fn config(self) -> Result<Config> {
        if self.rules.is_none()
            && let Some(path) = document::find(self.config.clone()).ok().or_else(|| self.config.clone())
        {
            return Ok(document::load(&path, self.state().as_ref())?.config);
        }
        self.of(self.rules.unwrap_or(Name::Starter))
    }

    /// What else there is where nobody has named rules: the starter rules and, where it is installed, the Core Rule Set.
    pub(super) fn others(&self) -> Vec<Config> {
        let names = if self.rules.is_none() { &[Name::Starter, Name::Crs][..] } else { &[] };
        names.iter().filter_map(|name| self.of(*name).ok()).collect()
    }

    fn state(&self) -> Option<StateDirectory> {
        StateDirectory::locate(self.state_dir.clone()).ok()
    }

    /// A configuration of one route that has these rules.
    fn of(&self, rules: Name) -> Result<Config> {
        let rules = if rules == Name::Crs { "crs" } else { "starter" };
        let mut waf = json!({ "rules": rules, "paranoia": self.paranoia.unwrap_or(1), "responses": "on" });
        if let Some(path) = &self.path {
            let path = std::path::absolute(path)?;
            // A path may hold what the configuration takes for a variable.
            waf["path"] = path.to_string_lossy().replace("${", "$${").into();
        }
        let document = json!({
            "version": 1,
            "listen": { "http": "127.0.0.1:0" },
            "routes": [{ "path": "/**", "to": "http://localhost", "auth": "none", "waf": waf }],
        });
        let installed = self.state().as_ref().map(StateDirectory::rules_path);
        let source = Source::text("").with_rules(RulePlaces { installed, ..RulePlaces::default() });
        let loaded = Config::parse(&document.to_string(), &source).context("these rules cannot be used")?;
        Ok(loaded.config)
    }
}
