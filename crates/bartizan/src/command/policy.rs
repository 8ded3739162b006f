//! `bartizan policy`: the Cedar policies behind the permissions.

mod check;
mod dry_run;
mod explain;
mod list;
mod local;
mod schema;
mod test;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Check, try out and explain the policies behind the permissions.
#[derive(Debug, Args)]
pub(crate) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    List(list::List),
    Schema(schema::Schema),
    Test(test::Test),
    Explain(explain::Explain),
    DryRun(dry_run::DryRun),
}

impl Policy {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Check(command) => command.run(),
            Command::List(command) => command.run(),
            Command::Schema(command) => command.run(),
            Command::Test(command) => command.run(),
            Command::Explain(command) => command.run().await,
            Command::DryRun(command) => command.run().await,
        }
    }
}
