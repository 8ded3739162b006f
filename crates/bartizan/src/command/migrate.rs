//! `bartizan migrate`: the schema of the store.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use bartizan_store::Store;
use clap::Args;

use crate::{
    accounts, document,
    output::{ATTENTION, Cell, GOOD, PLAIN, Table, print},
    state::StateDirectory,
};

/// Bring the schema of the store up to date, as `run` does when it starts.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Only say what is missing. The exit status is 1 where something is.
    #[arg(long)]
    dry_run: bool,
    /// The configuration. Without it the same that `run` takes by default.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory, where the store is unless the configuration says otherwise.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Migrate {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let state = StateDirectory::locate(self.state_dir)?;
        let loaded = document::load(&document::find(self.config)?, Some(&state))?;
        let location = accounts::location(&loaded.config, &state);
        if !self.dry_run {
            state.create()?;
            Store::migrate(&location).await?;
        }
        let mut table = Table::new(&["VERSION", "NAME", "STATE"]);
        let mut is_whole = true;
        for status in Store::migrations(&location).await? {
            is_whole &= status.applied;
            let (style, state) = if status.applied { (GOOD, "applied") } else { (ATTENTION, "missing") };
            table.row([
                Cell::new(PLAIN, status.migration.version.to_string()),
                Cell::new(PLAIN, status.migration.name),
                Cell::new(style, state),
            ]);
        }
        print(format_args!("{location}\n\n{table}"))?;
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
