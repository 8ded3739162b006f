//! `bartizan detect`: the rules that look at events.

mod chosen;
mod explain;
mod list;
mod replay;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Test, list and explain the rules that look at events.
#[derive(Debug, Args)]
pub(crate) struct Detect {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Test),
    List(list::List),
    Explain(explain::Explain),
}

impl Detect {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self.command {
            Command::Test(command) => command.run(),
            Command::List(command) => command.run().map(done),
            Command::Explain(command) => command.run().map(done),
        }
    }
}
