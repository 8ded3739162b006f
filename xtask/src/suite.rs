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
    let asks_gateway = arguments.iter().any(|argument| argument == "--gateway");
    let binary = if asks_gateway { Some(gateway::build()?) } else { None };
    let binary = binary.as_deref().and_then(Path::to_str).map(|path| ["--binary", path]);
    let arguments =
        run.into_iter().chain(arguments.iter().map(String::as_str)).chain(binary.into_iter().flatten());
    command::run(cargo(&arguments.collect::<Vec<_>>()))
}

pub(crate) fn demo() -> Result<()> {
    Setup::for_building().run()?;
    command::run(cargo(&["run", "--locked", "--package", "bartizan", "--", "demo", "--traffic"]))
}
