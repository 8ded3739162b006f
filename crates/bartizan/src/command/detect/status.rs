//! `bartizan detect status`.

use anyhow::Result;
use bartizan_control::{DetectionRule, DetectionStatus};
use clap::Args;

use crate::{
    admin::AdminOptions,
    output::{ATTENTION, BAD, Cell, FAINT, PLAIN, Table, print},
};

/// Show the rules that a running gateway goes by, and how often each has fired since its start.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan detect status\n  bartizan detect status --fired")]
pub(super) struct Status {
    /// Only those that have fired.
    #[arg(long)]
    fired: bool,
    /// Print it for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Status {
    pub(super) async fn run(self) -> Result<()> {
        let mut status: DetectionStatus = self.admin.client()?.get("v1/detection", &[]).await?;
        if self.fired {
            status.rules.retain(|rule| rule.fired > 0);
        }
        if self.json {
            return print(serde_json::to_string_pretty(&status)?);
        }
        if status.rules.is_empty() {
            return print(if self.fired {
                "no rule has fired since the start"
            } else {
                "no rules look at events"
            });
        }
        status.rules.sort_by_key(|rule| std::cmp::Reverse(rule.fired));
        let mut table = Table::new(&["FIRED", "LAST", "LEVEL", "TITLE", "FILE"]);
        for rule in &status.rules {
            table.row(row(rule));
        }
        print(table)
    }
}

fn row(rule: &DetectionRule) -> [Cell; 5] {
    let style = match (rule.fired, rule.severity.as_str()) {
        (0, _) => PLAIN,
        (_, "critical" | "high") => BAD,
        _ => ATTENTION,
    };
    [
        Cell::new(style, rule.fired.to_string()),
        Cell::new(PLAIN, rule.last_fired.map(|last| last.to_string()).unwrap_or_default()),
        Cell::new(style, &rule.severity),
        Cell::new(PLAIN, &rule.title),
        Cell::new(FAINT, &rule.file),
    ]
}
