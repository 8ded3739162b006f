//! `bartizan limits top`.

use anyhow::Result;
use bartizan_control::{LimitTop, LimitTopValue};
use clap::Args;

use super::{Which, visible};
use crate::{
    admin::AdminOptions,
    output::{BAD, Cell, FAINT, PLAIN, Table, print},
};

/// Show who comes most, by each limit.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan limits top --refused\n  bartizan limits top --policy voice --day"
)]
pub(super) struct Top {
    /// Who is refused most.
    #[arg(long)]
    refused: bool,
    /// In the last 24 hours, not in the last hour.
    #[arg(long)]
    day: bool,
    /// How many of each rule at most.
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=50))]
    limit: u16,
    #[command(flatten)]
    which: Which,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Top {
    pub(super) async fn run(self) -> Result<()> {
        let mut query = self.which.query();
        query.push(("by", if self.refused { "refusals" } else { "requests" }.into()));
        query.push(("over", if self.day { "day" } else { "hour" }.into()));
        query.push(("limit", self.limit.to_string()));
        let top: LimitTop = self.admin.client()?.get("v1/limits/top", &query).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&top)?);
        }
        if top.rules.is_empty() {
            return print(if self.refused { "nobody has been refused" } else { "nobody has been counted" });
        }
        let (style, counted) = if self.refused { (BAD, "REFUSED") } else { (PLAIN, "REQUESTS") };
        let mut table = Table::new(&["POLICY", "RULE", counted, "VALUE"]);
        for rule in &top.rules {
            for value in &rule.values {
                table.row([
                    Cell::new(FAINT, &rule.policy),
                    Cell::new(FAINT, &rule.rule),
                    Cell::new(style, count(value)),
                    Cell::new(PLAIN, visible(&value.value)),
                ]);
            }
        }
        print(table)
    }
}

/// The count, or between what it lies.
pub(super) fn count(value: &LimitTopValue) -> String {
    let LimitTopValue { at_least, at_most, .. } = value;
    if at_least == at_most { at_least.to_string() } else { format!("{at_least} to {at_most}") }
}
