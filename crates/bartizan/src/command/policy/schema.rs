//! `bartizan policy schema`.

use anyhow::Result;
use clap::Args;

use super::local::Local;
use crate::output::print;

/// Print the Cedar schema that policies are validated against, for editors and for `cedar validate`.
///
/// It is made of routes, permissions and zones. What `policies.schema` adds is not repeated.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan policy schema > bartizan.cedarschema")]
pub(super) struct Schema {
    #[command(flatten)]
    local: Local,
}

impl Schema {
    pub(super) fn run(self) -> Result<()> {
        print(self.local.policies(&[])?.schema().trim_end())
    }
}
