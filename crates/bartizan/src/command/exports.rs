//! `bartizan exports`: where events go besides the gateway's own store.

mod status;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Show how events reach other systems, and test the way there.
#[derive(Debug, Args)]
pub(crate) struct Exports {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Status),
    Test(test::Test),
}

impl Exports {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Status(command) => command.run().await.map(|()| ExitCode::SUCCESS),
            Command::Test(command) => command.run().await,
        }
    }
}
