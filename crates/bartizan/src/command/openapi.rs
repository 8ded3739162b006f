//! `bartizan openapi`.

use std::path::PathBuf;

use anyhow::Result;
use bartizan_control::{AccountsApi, Control};
use clap::Args;

use crate::{document, output::print, state::StateDirectory};

/// Where the endpoints for accounts stand if no configuration is named.
const PREFIX: &str = "/auth";

/// Print the admin API's `openapi.json`.
#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// The document of the endpoints for accounts instead.
    #[arg(long)]
    accounts: bool,
    /// The configuration whose prefix they have; without it, they stand under `/auth`.
    #[arg(short, long, value_name = "FILE", requires = "accounts")]
    config: Option<PathBuf>,
}

impl Openapi {
    pub(crate) fn run(self) -> Result<()> {
        let document =
            if self.accounts { AccountsApi::openapi_json(&self.prefix()?) } else { Control::openapi_json() };
        print(document.trim_end())
    }

    fn prefix(&self) -> Result<String> {
        let Some(path) = &self.config else { return Ok(PREFIX.into()) };
        let state = StateDirectory::locate(None).ok();
        let accounts = document::load(path, state.as_ref())?.config.accounts;
        Ok(accounts.map_or_else(|| PREFIX.into(), |accounts| accounts.prefix))
    }
}
