//! `bartizan detect explain`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use bartizan_detection::{Rule, RuleFile};
use clap::Args;

use super::chosen::Chosen;
use crate::output::{Cell, FAINT, PLAIN, TITLE, Table, print, printable, styled};

/// Show a rule that looks at events: what it says of itself, and its file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan detect explain brute-force\n  \
                        bartizan detect explain 5513deaf-f49a-46c2-a6c8-3f111b5cb453 --rules sigma/")]
pub(super) struct Explain {
    /// Its id or name, or that of its file.
    #[arg(value_name = "ID")]
    id: String,
    /// A file of rules, or a folder of them; without any the rules that come with the gateway.
    #[arg(long, value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Print it for programs.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(super) fn run(self) -> Result<()> {
        let chosen = Chosen::new(&self.rules)?;
        let rules = chosen.compile()?;
        let called = rules.rules().iter().filter(|rule| rule.is_called(&self.id));
        // A file's name calls the parts of its rule, too.
        let rule = called.max_by_key(|rule| (rule.id == self.id, rule.reports));
        let rule = rule.with_context(|| format!("there is no rule `{}` among these", self.id))?;
        if self.json {
            return print(serde_json::to_string_pretty(rule)?);
        }
        print(account(rule, chosen.files.iter().find(|file| file.name == rule.file)))
    }
}

fn account(rule: &Rule, file: Option<&RuleFile>) -> String {
    let mut facts = Table::default();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.row([Cell::new(FAINT, name), Cell::new(PLAIN, value)]);
        }
    };
    fact("id", rule.id.clone());
    fact("level", rule.severity.name().into());
    fact("kind", rule.kind.name().into());
    fact("author", rule.author.clone().unwrap_or_default());
    fact("techniques", rule.techniques().collect::<Vec<_>>().join(", "));
    fact("tags", rule.tags.join(", "));
    fact("also", rule.falsepositives.join("; "));
    fact("place", format!("{}:{}", rule.file, rule.line));
    let description = rule.description.as_deref().unwrap_or_default().trim().lines().map(printable);
    let text = file.map(|file| file.text.lines().map(printable).collect::<Vec<_>>().join("\n"));
    let parts = [
        styled(TITLE, printable(&rule.title)),
        description.collect::<Vec<_>>().join("\n"),
        facts.to_string(),
        text.map(|text| format!("\n{text}")).unwrap_or_default(),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}
