//! `bartizan policy check`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::local::Local;
use crate::output::{FAINT, GOOD, print, styled};

/// Validate policies against what the configuration says, without a gateway.
///
/// Shows every problem with its line, a snippet and what to do. Ends with 0 when the policies can be used, 2 when they
/// cannot.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan policy check\n  bartizan policy check ./orders.cedar -c bartizan.yaml"
)]
pub(super) struct Check {
    /// Files of policies: each takes the place of the one in the configuration with its name, or is added.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    local: Local,
}

impl Check {
    pub(super) fn run(self) -> Result<()> {
        let policies = self.local.policies(&self.files)?;
        let count = policies.statements().len();
        let shown = format!("{count} {}", if count == 1 { "policy" } else { "policies" });
        print(format_args!("{} {}", styled(GOOD.bold(), "valid:"), styled(FAINT, shown)))
    }
}
