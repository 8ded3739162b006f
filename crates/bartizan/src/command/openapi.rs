//! `bartizan openapi`.

use anyhow::Result;
use bartizan_control::{AccountsApi, Control};
use clap::Args;

use crate::output::print;

/// Print the admin API's `openapi.json`.
#[derive(Debug, Args)]
pub(crate) struct Openapi {
    /// The document of the endpoints for accounts instead.
    #[arg(long)]
    accounts: bool,
}

impl Openapi {
    pub(crate) fn run(self) -> Result<()> {
        let document = if self.accounts { AccountsApi::openapi_json() } else { Control::openapi_json() };
        print(document.trim_end())
    }
}
