//! What a change must pass beside the tests: formatting, lints, licences and sources of dependencies.

use anyhow::Result;

use crate::{
    command::{self, cargo},
    setup::Setup,
};

pub(crate) fn run() -> Result<()> {
    Setup::for_lint().run()?;
    command::run(cargo(&["fmt", "--all", "--check"]))?;
    let clippy =
        ["clippy", "--locked", "--workspace", "--all-targets", "--features", "xtask/costs,xtask/crs"];
    command::run(cargo(&[clippy.as_slice(), &["--", "-D", "warnings"]].concat()))?;
    // Advisories are asked for when they are wanted (`cargo deny check advisories`): a new one must not fail an
    // unrelated change.
    command::run(cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"]))
}
