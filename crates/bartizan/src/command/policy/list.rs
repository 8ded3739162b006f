//! `bartizan policy list`.

use anyhow::Result;
use bartizan_policy::{Effect, Statement};
use clap::Args;

use super::local::Local;
use crate::output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable};

/// List the policies of a configuration, those that `zones` makes included.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan policy list\n  bartizan policy list --text")]
pub(super) struct List {
    /// Print the policies themselves.
    #[arg(long)]
    text: bool,
    #[command(flatten)]
    local: Local,
}

impl List {
    pub(super) fn run(self) -> Result<()> {
        let policies = self.local.policies(&[])?;
        if self.text {
            let texts: Vec<_> = policies.statements().iter().map(|policy| policy.text.trim()).collect();
            return print(texts.join("\n\n"));
        }
        let mut table = Table::new(&["POLICY", "EFFECT", "ACTIONS", "PLACE"]);
        for policy in policies.statements() {
            table.row(row(policy));
        }
        print(table)
    }
}

fn row(policy: &Statement) -> [Cell; 4] {
    let style = match policy.effect {
        Effect::Permit => GOOD,
        Effect::Forbid => BAD,
    };
    let actions = if policy.actions.is_empty() { "any".into() } else { policy.actions.join(", ") };
    [
        Cell::new(PLAIN, printable(&policy.id)),
        Cell::new(style, policy.effect.as_str()),
        Cell::new(PLAIN, printable(&actions)),
        Cell::new(FAINT, format!("{}:{}", policy.file.display(), policy.line)),
    ]
}
