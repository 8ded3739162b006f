//! The measurements.

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{
    command::{self, cargo},
    compare::Compare,
    logins::Logins,
    waf::Waf,
};

/// Rooms with micro-benches: token check; permissions; limits; routing and the whole road; detection rules.
const BENCHED: [&str; 5] =
    ["bartizan-identity", "bartizan-policy", "bartizan-limits", "bartizan-pipeline", "bartizan-detection"];

#[derive(Args)]
pub(crate) struct Bench {
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// The micro-benches: token check, permissions, limits, routing, the whole road, detection rules.
    Micro,
    /// Bartizan beside nginx, over loopback.
    Compare(Compare),
    /// What a flood of attempts to log in does to everybody else.
    Logins(Logins),
    /// The rule engine with the Core Rule Set, beside libmodsecurity.
    Waf(Waf),
}

impl Bench {
    pub(crate) fn run(self) -> Result<()> {
        match self.part {
            Some(Part::Micro) => micro(),
            Some(Part::Compare(compare)) => compare.run(),
            Some(Part::Logins(logins)) => logins.run(),
            Some(Part::Waf(waf)) => waf.run(),
            None => {
                micro()?;
                Compare::default().run()
            }
        }
    }
}

fn micro() -> Result<()> {
    let packages = BENCHED.iter().flat_map(|package| ["--package", package]);
    let arguments: Vec<_> = ["bench", "--locked", "--benches"].into_iter().chain(packages).collect();
    command::run(cargo(&arguments))
}
