//! `bartizan exports test`.

use std::process::ExitCode;

use anyhow::Result;
use bartizan_control::ExportTest;
use clap::Args;

use crate::{
    admin::AdminOptions,
    output::{BAD, GOOD, print, printable, styled},
};

/// Let a running gateway send one event that says that it is a test, and show what the receiver answers.
///
/// Ends with 0 when the receiver has taken it, 1 when it has not.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan exports test siem")]
pub(super) struct Test {
    /// The name of the export.
    #[arg(value_name = "NAME")]
    name: bartizan_model::Name,
    /// Print it for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Test {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let path = format!("v1/exports/{}/test", self.name);
        let tested: ExportTest = self.admin.client()?.post(&path).await?;
        if self.json {
            print(serde_json::to_string_pretty(&tested)?)?;
        } else {
            let outcome =
                if tested.delivered { styled(GOOD, "delivered:") } else { styled(BAD, "not delivered:") };
            print(format_args!("{outcome} {}", printable(&tested.answer)))?;
        }
        Ok(if tested.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
