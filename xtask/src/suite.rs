//! Every test, in one command, and the demo.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{
    command::{self, cargo},
    gateway, schemathesis,
    setup::Setup,
};

#[derive(Args)]
pub(crate) struct Suite {
    /// Leave out the check of the admin API and of the endpoints of accounts by schemathesis.
    #[arg(long)]
    without_schemathesis: bool,
}

impl Suite {
    pub(crate) fn run(self) -> Result<()> {
        Setup::for_tests().run()?;
        command::run(cargo(&["test", "--locked", "--workspace", "--doc"]))?;
        if !self.without_schemathesis {
            schemathesis::run()?;
        }
        // Last, so that the summary of the tests is what a reader sees last.
        command::run(cargo(&[
            "nextest",
            "run",
            "--locked",
            "--workspace",
            "--features",
            "xtask/costs,xtask/crs",
        ]))
    }
}

/// What asks the rule engine is a program of its own.
const CRS: [&str; 9] =
    ["run", "--locked", "--quiet", "--package", "xtask", "--features", "crs", "--bin", "crs"];

/// The regression tests of the Core Rule Set.
pub(crate) fn crs(arguments: &[String]) -> Result<()> {
    let asks_gateway = arguments.iter().any(|argument| argument == "--gateway");
    let binary = if asks_gateway { Some(gateway::build()?) } else { None };
    let binary = binary.as_deref().and_then(Path::to_str).map(|path| ["--binary", path]);
    let arguments = CRS
        .into_iter()
        .chain(["--"])
        .chain(arguments.iter().map(String::as_str))
        .chain(binary.into_iter().flatten());
    command::run(cargo(&arguments.collect::<Vec<_>>()))
}

/// The rule engine beside libmodsecurity.
pub(crate) fn differential(arguments: &[String]) -> Result<()> {
    Setup::for_differential().run()?;
    let arguments = CRS.into_iter().chain(["--", "differential"]).chain(arguments.iter().map(String::as_str));
    command::run(cargo(&arguments.collect::<Vec<_>>()))
}

pub(crate) fn demo() -> Result<()> {
    Setup::for_building().run()?;
    command::run(cargo(&["run", "--locked", "--package", "bartizan", "--", "demo", "--traffic"]))
}
