//! `bartizan rules`: the rules of the firewall.

mod install;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Install the rules of the firewall.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Install),
}

impl Rules {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Install(command) => command.run().await,
        }
    }
}
