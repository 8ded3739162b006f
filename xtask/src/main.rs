//! The developer commands: `cargo xtask COMMAND`.
//!
//! They install what the tests need, run every check that a change must pass, write the generated part of the
//! documentation, and measure. They depend on no room of the house, so that `cargo xtask setup` is there within
//! seconds on a machine that has nothing but Rust; what needs one is a program of its own
//! (`src/crs/`, `src/costs/`).
#![expect(clippy::print_stdout, reason = "what a developer asked to see goes to standard output")]

mod bench;
mod command;
mod compare;
mod cpu;
mod figures;
mod fuzz;
mod gateway;
mod lint;
mod logins;
mod machine;
mod process;
mod reference;
mod schemathesis;
mod server;
mod setup;
mod suite;
mod waf;
mod wrk;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Developer commands of Bartizan", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building and testing need on Debian; says what it does, skips what is there.
    Setup(setup::Setup),
    /// Prepare the machine, then start the demo: shop API, gateway, and a stream of requests.
    Demo,
    /// Prepare the machine, then run every test.
    Test(suite::Suite),
    /// Run the regression tests of the OWASP Core Rule Set against the rule engine; `--help` says which and how.
    #[command(disable_help_flag = true)]
    Crs {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Compare the rule engine with libmodsecurity on generated values and requests; `--help` says how many.
    #[command(disable_help_flag = true)]
    Differential {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Test the admin API of a running gateway against the description it serves of itself.
    Schemathesis,
    /// Fuzz every target for a while.
    Fuzz(fuzz::Fuzz),
    /// Check formatting, lints and licences.
    Lint,
    /// Write the generated reference and build the manual.
    Docs(reference::Docs),
    /// Measure: the micro-benches, then Bartizan beside nginx; `waf` is the rule engine.
    Bench(bench::Bench),
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup(setup) => setup.run(),
        Command::Demo => suite::demo(),
        Command::Test(suite) => suite.run(),
        Command::Crs { arguments } => suite::crs(&arguments),
        Command::Differential { arguments } => suite::differential(&arguments),
        Command::Schemathesis => schemathesis::run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Lint => lint::run(),
        Command::Docs(docs) => docs.run(),
        Command::Bench(bench) => bench.run(),
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
