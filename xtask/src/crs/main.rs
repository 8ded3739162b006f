//! `cargo xtask crs`: the regression tests of the OWASP Core Rule Set, in the configuration that it documents for
//! them.
//!
//! A program of its own, so that the other developer commands need not wait for the rule engine to be built. It has
//! the tests ([`bartizan_ftw`]) judged by the rule engine in this process ([`engine`], which alone knows it) or by a running
//! gateway ([`gateway`]), compares ([`judge`], [`overrides`]) and reports.
#![expect(clippy::print_stdout, reason = "what a developer asked to see goes to standard output")]

mod differential;
mod engine;
mod gateway;
mod judge;
mod overrides;
mod report;
mod run;
mod server;
mod socket;
mod wire;

use std::{path::PathBuf, time::Instant};

use anyhow::{Result, ensure};
use bartizan_ftw::Suite;
use clap::{Parser, Subcommand};

use differential::Differential;
use engine::Engine;
use gateway::Gateway;
use judge::Exchange;

#[derive(Parser)]
#[command(
    bin_name = "cargo xtask crs",
    about = "Run the regression tests of the OWASP Core Rule Set against the rule engine, or against a gateway"
)]
struct Arguments {
    #[command(subcommand)]
    instead: Option<Instead>,
    /// The folder that has the Core Rule Set in `crs-4.28.0`.
    #[arg(
        long,
        global = true,
        env = "BARTIZAN_TEST_DATA",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"),
        hide_default_value = true
    )]
    data: PathBuf,
    /// The folder with the tests, if they are not in `regression-tests` beside the rules.
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Send the requests to a gateway over a socket, and take from its admin API which rules matched.
    #[arg(long)]
    gateway: bool,
    /// The gateway's binary.
    #[arg(long, hide = true, requires = "gateway", default_value = "target/debug/bartizan")]
    binary: PathBuf,
    /// Only this test, as `942100-3`; may be repeated.
    #[arg(long, value_name = "TEST")]
    only: Vec<String>,
    /// Only the tests of this rule; may be repeated.
    #[arg(long, value_name = "ID")]
    rule: Vec<u64>,
    /// Show what each failed test sent and what was logged; with `--only` or `--rule`, of each test that passed too.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Instead {
    /// Compare the rule engine with libmodsecurity on generated values and requests.
    Differential(Differential),
}

/// Sends the bytes of a request and says what came of it.
type Drive = Box<dyn Fn(&[u8]) -> Exchange + Sync>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let crs = arguments.data.join("crs-4.28.0");
    if let Some(Instead::Differential(differential)) = arguments.instead {
        return differential.run(&crs);
    }
    let folder = arguments.tests.unwrap_or_else(|| crs.join("regression-tests"));
    let Suite { mut tests, unreadable } = bartizan_ftw::read(&folder)?;
    let is_selection = !arguments.only.is_empty() || !arguments.rule.is_empty();
    if is_selection {
        tests.retain(|test| arguments.only.contains(&test.name) || arguments.rule.contains(&test.rule));
    }
    ensure!(!tests.is_empty(), "there are no such tests in `{}`", folder.display());
    let start = Instant::now();
    let (expectations, drive) = if arguments.gateway {
        let folder = arguments.binary.with_file_name("crs-gateway");
        let gateway = Gateway::start(&arguments.binary, &crs, &folder)?;
        let drive: Drive = Box::new(move |request| gateway.exchange(request));
        (overrides::gateway()?, drive)
    } else {
        let engine = Engine::load(&crs)?;
        let drive: Drive = Box::new(move |request| engine.exchange(request));
        (overrides::in_process()?, drive)
    };
    println!("rules loaded in {:.2?}", start.elapsed());
    let start = Instant::now();
    let outcomes = run::run(&tests, &expectations, &drive);
    println!("{} tests run in {:.2?}", tests.len(), start.elapsed());

    if arguments.verbose && is_selection {
        for outcome in outcomes.iter().filter(|outcome| !matches!(outcome.verdict, run::Verdict::Failed(_))) {
            let traces: String = outcome.traces.iter().map(report::trace).collect();
            print!("{}: {:?}\n{traces}", outcome.test.name, outcome.verdict);
        }
    }
    print!("{}", report::text(&outcomes, arguments.verbose));
    for error in &unreadable {
        println!("not understood: {error:#}");
    }
    ensure!(unreadable.is_empty(), "{} files are not understood", unreadable.len());
    report::check(&outcomes, &expectations)
}
