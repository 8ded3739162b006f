//! `bartizan`: the commands, and the wiring of one running gateway.
//!
//! Nothing is decided here. `system.rs` puts the rooms together: the data plane (`bartizan-gateway`), the admin API
//! (`bartizan-control`) and the configuration they share; `command/` has one file per command. Commands that
//! concern a running gateway ask its admin API, found through the state directory (`state.rs`).

mod accounts;
mod admin;
mod admin_tls;
mod alerts;
mod asking;
mod command;
mod configuration;
mod demo;
mod detection;
mod document;
mod events;
mod exports;
mod failure;
mod follow;
mod logging;
mod open_files;
mod output;
mod posture;
mod process;
mod recorder;
mod signals;
mod spans;
mod state;
mod system;
mod systemd;

use std::process::ExitCode;

use clap::Parser;

/// Allocation is a good part of what a proxied request costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A zero-trust gateway for APIs: it decides about every request, and can say why.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Start here:\n  bartizan demo --traffic            watch it guard a built-in shop\n  \
                  bartizan run --to localhost:3000   guard your own service"
)]
struct Arguments {
    #[command(subcommand)]
    command: command::Command,
}

fn main() -> ExitCode {
    Arguments::parse().command.run().unwrap_or_else(|error| failure::report(&error))
}
