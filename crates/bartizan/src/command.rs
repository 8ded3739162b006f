//! The commands, one file each.

mod addresses;
mod alerts;
mod api_key;
mod audit;
mod check;
mod demo;
mod detect;
mod doctor;
mod events;
mod explain;
mod exports;
mod key;
mod limits;
mod migrate;
mod openapi;
mod org;
mod policy;
mod posture;
mod reload;
mod report;
mod requests;
mod role;
mod rules;
pub(crate) mod run;
mod schema;
mod service;
mod session;
mod status;
mod token;
mod user;
pub(crate) mod version;

use std::{future::Future, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Subcommand;
use tokio::runtime::Builder;

/// How long blocking work may go on when all else has ended; then it is left behind.
const LAST_WORK: Duration = Duration::from_secs(1);

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Check(check::Check),
    Doctor(doctor::Doctor),
    Schema(schema::Schema),
    Status(status::Status),
    Posture(posture::Posture),
    Report(report::Report),
    Requests(requests::Requests),
    Explain(explain::Explain),
    Events(events::Events),
    Exports(exports::Exports),
    Block(addresses::Block),
    Allow(addresses::Allow),
    Unblock(addresses::Unblock),
    Addresses(addresses::Addresses),
    Limits(limits::Limits),
    Rules(rules::Rules),
    Detect(detect::Detect),
    Alerts(alerts::Alerts),
    Policy(policy::Policy),
    Reload(reload::Reload),
    User(user::User),
    Org(org::Org),
    Role(role::Role),
    Session(session::Session),
    Token(token::Token),
    Key(key::Key),
    Service(service::Service),
    Audit(audit::Audit),
    Migrate(migrate::Migrate),
    ApiKey(api_key::ApiKey),
    Openapi(openapi::Openapi),
    Version(version::Version),
}

impl Command {
    /// Does it and says how to end.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let done = |()| ExitCode::SUCCESS;
        match self {
            Self::Run(command) => serve(command.run()).map(done),
            Self::Demo(command) => serve(command.run()),
            Self::Check(command) => command.run(),
            Self::Doctor(command) => command.run(),
            Self::Schema(command) => command.run().map(done),
            Self::Status(command) => ask(command.run()).map(done),
            Self::Posture(command) => ask(command.run()).map(done),
            Self::Report(command) => ask(command.run()).map(done),
            Self::Requests(command) => ask(command.run()).map(done),
            Self::Explain(command) => ask(command.run()).map(done),
            Self::Events(command) => ask(command.run()).map(done),
            Self::Exports(command) => ask(command.run()),
            Self::Block(command) => ask(command.run()).map(done),
            Self::Allow(command) => ask(command.run()).map(done),
            Self::Unblock(command) => ask(command.run()).map(done),
            Self::Addresses(command) => ask(command.run()).map(done),
            Self::Limits(command) => ask(command.run()).map(done),
            Self::Rules(command) => ask(command.run()).map(done),
            Self::Detect(command) => ask(command.run()),
            Self::Alerts(command) => ask(command.run()),
            Self::Policy(command) => ask(command.run()).map(done),
            Self::Reload(command) => ask(command.run()).map(done),
            Self::User(command) => ask(command.run()).map(done),
            Self::Org(command) => ask(command.run()).map(done),
            Self::Session(command) => ask(command.run()).map(done),
            Self::Token(command) => ask(command.run()).map(done),
            Self::Role(command) => ask(command.run()).map(done),
            Self::Audit(command) => ask(command.run()).map(done),
            Self::Key(command) => ask(command.run()).map(done),
            Self::Service(command) => ask(command.run()).map(done),
            Self::Migrate(command) => ask(command.run()),
            Self::ApiKey(command) => command.run().map(done),
            Self::Openapi(command) => command.run().map(done),
            Self::Version(command) => command.run().map(done),
        }
    }
}

/// On every core, for what serves.
fn serve<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    // Dropping it would wait for blocking work without end: a forecast must not hold up a stop.
    runtime.shutdown_timeout(LAST_WORK);
    done
}

/// On this thread, for what only asks.
fn ask<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?.block_on(work)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};

    use clap::Command as Known;

    use super::*;

    /// The commands without further ones beneath, by their whole names.
    fn leaves(command: &Known, name: &str) -> Vec<(String, bool)> {
        let below: Vec<_> = command.get_subcommands().collect();
        if below.is_empty() {
            return vec![(
                name.to_owned(),
                command.get_arguments().any(|argument| argument.get_id() == "json"),
            )];
        }
        below.into_iter().flat_map(|below| leaves(below, &format!("{name} {}", below.get_name()))).collect()
    }

    #[test]
    fn every_command_on_accounts_answers_programs() {
        let all = Command::augment_subcommands(Known::new("bartizan"));
        for name in ["user", "org", "role", "session", "token", "key", "service", "audit", "alerts"] {
            for (name, has_json) in leaves(all.find_subcommand(name).unwrap(), name) {
                assert!(has_json, "`{name}` has no `--json`");
            }
        }
    }

    #[test]
    fn blocking_work_does_not_hold_up_the_end() {
        let (end, ended) = mpsc::channel::<()>();
        let (say, said) = mpsc::channel();
        serve(async move {
            tokio::task::spawn_blocking(move || {
                // Until the test ends; where it waits for this instead, not without end.
                say.send(ended.recv_timeout(Duration::from_secs(10)))
            });
            Ok(())
        })
        .unwrap();
        drop(end);
        assert_eq!(said.recv().unwrap(), Err(RecvTimeoutError::Disconnected));
    }
}
