//! `bartizan detect`: the rules that look at events.

mod backtest;
mod chosen;
mod explain;
mod fired;
mod list;
mod replay;
mod status;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Test, try, list and explain the rules that look at events.
#[derive(Debug, Args)]
pub(crate) struct Detect {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Test),
    Backtest(backtest::Backtest),
    Status(status::Status),
    List(list::List),
    Explain(explain::Explain),
}

impl Detect {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self.command {
            Command::Test(command) => command.run(),
            Command::Backtest(command) => command.run().await.map(done),
            Command::Status(command) => command.run().await.map(done),
            Command::List(command) => command.run().map(done),
            Command::Explain(command) => command.run().map(done),
        }
    }
}
