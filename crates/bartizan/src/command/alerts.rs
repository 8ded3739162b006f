//! `bartizan alerts`: what people are told of.

mod decide;
mod list;
mod show;
mod silence;
mod test;
mod undelivered;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// See, acknowledge, resolve and silence alerts, and try the channels they go by.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Acknowledge(decide::Acknowledge),
    Resolve(decide::Resolve),
    Silence(silence::NewSilence),
    Unsilence(silence::Unsilence),
    Silences(silence::ListSilences),
    Undelivered(undelivered::Undelivered),
    Retry(undelivered::Retry),
    Discard(undelivered::Discard),
    Test(test::Test),
}

impl Alerts {
    pub(crate) async fn run(self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self.command {
            Command::List(command) => command.run().await.map(done),
            Command::Show(command) => command.run().await.map(done),
            Command::Acknowledge(command) => command.run().await.map(done),
            Command::Resolve(command) => command.run().await.map(done),
            Command::Silence(command) => command.run().await.map(done),
            Command::Unsilence(command) => command.run().await.map(done),
            Command::Silences(command) => command.run().await.map(done),
            Command::Undelivered(command) => command.run().await.map(done),
            Command::Retry(command) => command.run().await.map(done),
            Command::Discard(command) => command.run().await.map(done),
            Command::Test(command) => command.run().await,
        }
    }
}
