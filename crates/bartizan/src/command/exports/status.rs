//! `bartizan exports status`.

use anyhow::Result;
use bartizan_control::{Export, Exports};
use clap::Args;

use crate::{
    admin::AdminOptions,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print},
};

/// Show how each export of a running gateway fares.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan exports status\n  bartizan exports status --json | jq '.exports[].failing'"
)]
pub(super) struct Status {
    /// Print it for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Status {
    pub(super) async fn run(self) -> Result<()> {
        let exports: Exports = self.admin.client()?.get("v1/exports", &[]).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&exports)?);
        }
        if exports.exports.is_empty() {
            return print("events go nowhere else: add `exports` to the configuration");
        }
        let mut table =
            Table::new(&["NAME", "KIND", "STATE", "SENT", "REFUSED", "LEFT OUT", "WAITING", "LAST", "ERROR"]);
        for export in &exports.exports {
            table.row(row(export));
        }
        print(table)
    }
}

fn row(export: &Export) -> [Cell; 9] {
    let (style, state) = if export.failing { (BAD, "failing") } else { (GOOD, "works") };
    let count = |number: u64| Cell::new(if number == 0 { PLAIN } else { ATTENTION }, number.to_string());
    // What is over is of no interest here.
    let error = export.last_error.as_ref().filter(|_| export.failing);
    [
        Cell::new(PLAIN, &export.name),
        Cell::new(PLAIN, &export.kind),
        Cell::new(style, state),
        Cell::new(PLAIN, export.sent.to_string()),
        count(export.refused),
        count(export.left_out),
        Cell::new(PLAIN, format!("{} B", export.waiting_bytes)),
        Cell::new(PLAIN, export.last_success.map(|last| last.to_string()).unwrap_or_default()),
        Cell::new(FAINT, error.map(|error| error.message.clone()).unwrap_or_default()),
    ]
}
