//! Every test, in one command, and the demo.

use anyhow::Result;
use clap::Args;

use crate::{
    command::{self, cargo},
    schemathesis,
    setup::Setup,
};

#[derive(Args)]
pub(crate) struct Suite {
    /// Leave out the check of the admin API by schemathesis.
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

/// The regression tests of the Core Rule Set, which a program of its own runs.
pub(crate) fn crs(arguments: &[String]) -> Result<()> {
    let run = ["run", "--locked", "--quiet", "--package", "xtask", "--features", "crs", "--bin", "crs", "--"];
    let arguments: Vec<_> = run.into_iter().chain(arguments.iter().map(String::as_str)).collect();
    command::run(cargo(&arguments))
}

pub(crate) fn demo() -> Result<()> {
    Setup::for_building().run()?;
    command::run(cargo(&["run", "--locked", "--package", "bartizan", "--", "demo", "--traffic"]))
}
