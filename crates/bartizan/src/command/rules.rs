//! `bartizan rules`: the rules of the firewall.

mod chosen;
mod explain;
mod install;
mod test;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Install, look up and try out the rules of the firewall.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Install(install::Install),
    Explain(explain::Explain),
    Test(test::Test),
}

impl Rules {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Install(command) => command.run().await,
            Command::Explain(command) => command.run(),
            Command::Test(command) => command.run(),
        }
    }
}
