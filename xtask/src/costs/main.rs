//! What the rule engine costs: the Core Rule Set loaded, and exchanges taken through it on one core.
//!
//! `cargo xtask bench waf` runs it, once in every round, and shows what it says ([`report`]) beside a peer. It is a
//! program of its own because it needs the rule engine, and because memory is measured best where nothing else was.
#![expect(clippy::print_stdout, reason = "the report goes to standard output")]

mod adversarial;
mod exchange;
mod measure;
mod report;
mod request;
mod rules;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use alloc_tracker::Allocator;
use anyhow::{Context, Result, bail};
use clap::Parser;
use mimalloc::MiMalloc;

use exchange::Exchange;
use report::Report;

/// The gateway's, counted.
#[global_allocator]
static ALLOCATOR: Allocator<MiMalloc> = Allocator::new(MiMalloc);

#[derive(Parser)]
struct Arguments {
    /// The folder of the Core Rule Set.
    #[arg(long)]
    crs: PathBuf,
    /// Only these, by name and separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How much CPU time each exchange gets.
    #[arg(long, default_value_t = 100)]
    milliseconds: u64,
    /// Measure nothing: write the requests that a peer can be sent into this folder.
    #[arg(long)]
    write: Option<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(folder) = &arguments.write {
        return write(folder, &selected(&arguments.only)?);
    }
    // First of all, while the process is small.
    let (rules, loading) = measure::loading(|| rules::load(&arguments.crs))?;
    let budget = Duration::from_millis(arguments.milliseconds);
    let costs: Result<Vec<_>> =
        selected(&arguments.only)?.iter().map(|exchange| measure::cost(exchange, &rules, budget)).collect();
    println!("{}", serde_json::to_string(&Report { loading, costs: costs? })?);
    Ok(())
}

fn write(folder: &Path, exchanges: &[Exchange]) -> Result<()> {
    for exchange in exchanges.iter().filter(|exchange| !exchange.is_adversarial()) {
        let file = folder.join(exchange.name).with_extension("http");
        fs::write(&file, exchange.request.to_file()).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn selected(only: &[String]) -> Result<Vec<Exchange>> {
    let mut exchanges = exchange::all()?;
    if let Some(unknown) = only.iter().find(|name| exchanges.iter().all(|exchange| !exchange.is_called(name)))
    {
        let mut known: Vec<_> = exchanges.iter().map(|exchange| exchange.name).collect();
        known.dedup();
        bail!("no exchange is called `{unknown}`; there are {}", known.join(", "));
    }
    exchanges.retain(|exchange| only.is_empty() || only.iter().any(|name| exchange.is_called(name)));
    Ok(exchanges)
}
