//! `bartizan detect list`.

use std::path::PathBuf;

use anyhow::Result;
use bartizan_detection::{Rule, Severity};
use clap::Args;

use super::chosen::Chosen;
use crate::output::{ATTENTION, BAD, Cell, FAINT, PLAIN, Table, print};

/// List rules that look at events: those that come with the gateway, or those of files.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan detect list\n  bartizan detect list rules/ --json")]
pub(super) struct List {
    /// Files of rules, or folders of them; without any the rules that come with the gateway.
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Print them for programs, those that are only parts of others included.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self) -> Result<()> {
        let rules = Chosen::new(&self.rules)?.compile()?;
        if self.json {
            return print(serde_json::to_string_pretty(rules.rules())?);
        }
        let mut table = Table::new(&["LEVEL", "TECHNIQUES", "TITLE", "FILE"]);
        let mut told: Vec<_> = rules.rules().iter().filter(|rule| rule.reports).collect();
        told.sort_by_key(|rule| std::cmp::Reverse(rule.severity));
        for rule in told {
            table.row(row(rule));
        }
        print(table)
    }
}

fn row(rule: &Rule) -> [Cell; 4] {
    let style = match rule.severity {
        Severity::Critical | Severity::High => BAD,
        Severity::Medium => ATTENTION,
        Severity::Low | Severity::Informational => PLAIN,
    };
    let techniques: Vec<_> = rule.techniques().collect();
    [
        Cell::new(style, rule.severity.name()),
        Cell::new(PLAIN, techniques.join(", ")),
        Cell::new(PLAIN, &rule.title),
        Cell::new(FAINT, format!("{}:{}", rule.file, rule.line)),
    ]
}
