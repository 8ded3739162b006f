//! `bartizan alerts show`.

use anyhow::Result;
use bartizan_control::AlertDetails;
use clap::Args;

use super::list::style;
use crate::{
    admin::segment,
    asking::Asking,
    output::{Cell, FAINT, PLAIN, Table, print, printable, styled},
};

/// Show an alert, and what became of it.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The id of the alert (see `bartizan alerts list`).
    alert: String,
    #[command(flatten)]
    asking: Asking,
}

impl Show {
    pub(super) async fn run(self) -> Result<()> {
        let path = format!("v1/alerts/{}", segment(&self.alert));
        let found: AlertDetails = self.asking.client()?.get(&path, &[]).await?;
        self.asking.print(&found, show)
    }
}

fn show(AlertDetails { alert, history }: &AlertDetails) -> Result<()> {
    print(styled(style(&alert.severity).bold(), printable(&alert.title)))?;
    let done: Vec<_> = alert.done.iter().map(|(what, times)| format!("{what} {times}")).collect();
    let mut facts = vec![
        ("state", alert.state.clone()),
        ("severity", alert.severity.clone()),
        ("what", alert.message.clone()),
        ("events", format!("{} from {} to {}", alert.count, alert.first, alert.last)),
        ("done", done.join(", ")),
    ];
    let common = alert.group.iter().filter_map(|common| Some((common.by.as_str(), common.value.clone()?)));
    facts.extend(common);
    facts.extend(alert.author.clone().map(|author| ("rule's author", author)));
    facts.extend(alert.requests.iter().map(|request| ("trace", format!("bartizan explain {request}"))));
    facts.extend(alert.by.clone().map(|by| ("by", by)));
    facts.extend(alert.note.clone().map(|note| ("note", note)));
    let mut table = Table::default();
    for (label, value) in facts {
        table.row([Cell::new(FAINT, label), Cell::new(PLAIN, value)]);
    }
    print(table)?;
    let mut table = Table::new(&["WHEN", "WHAT", "BY", "NOTE"]);
    for entry in history {
        table.row([
            Cell::new(PLAIN, entry.at.to_string()),
            Cell::new(PLAIN, &entry.what),
            Cell::new(PLAIN, &entry.who),
            Cell::new(FAINT, &entry.note),
        ]);
    }
    print(format!("\n{table}"))
}
