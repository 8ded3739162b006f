//! `bartizan audit`: what happened to accounts, who did it, from where.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bartizan_control::{AuditTrail, Timestamp};
use clap::{Args, Subcommand, ValueEnum};

use crate::{
    asking::{Asking, list},
    command::addresses::duration,
    output::{BAD, Cell, FAINT, GOOD, PLAIN},
};

/// Show the audit trail: logins, failures and every change of accounts, keys, services and roles.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List entries, the newest first. `--json` shows what was before and after, too.
    #[command(
        after_help = "Examples:\n  bartizan audit list --action role --for 7d\n  bartizan audit list --subject ada@shop.test --outcome refused"
    )]
    List(List),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Outcome {
    Done,
    Refused,
}

#[derive(Debug, Args)]
struct List {
    /// This action, or all of its kind: `role` is `role.bind`, `role.create` and so on.
    #[arg(long)]
    action: Option<String>,
    /// By whom: an id, `operator`, or an e-mail address.
    #[arg(long)]
    actor: Option<String>,
    /// To whom or what: an id or an e-mail address.
    #[arg(long)]
    subject: Option<String>,
    /// What concerns this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    /// How it went.
    #[arg(long)]
    outcome: Option<Outcome>,
    /// Of so long: seconds, or a number with `s`, `m`, `h` or `d`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Those after the entry with this id.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How many entries at most, 1 to 1000.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    asking: Asking,
}

impl Audit {
    pub(crate) async fn run(self) -> Result<()> {
        let Command::List(list) = self.command;
        list.run().await
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let Self { action, actor, subject, organization, outcome, duration, after, limit, asking } = self;
        let since = duration.and_then(|duration| SystemTime::now().checked_sub(duration));
        let outcome = outcome.map(|outcome| match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Refused => "refused".to_owned(),
        });
        let texts = [
            ("action", action),
            ("actor", actor),
            ("subject", subject),
            ("organization", organization),
            ("outcome", outcome),
            ("since", since.map(|since| Timestamp::from(since).to_string())),
            ("after", after),
            ("limit", Some(limit.to_string())),
        ];
        let query: Vec<_> = texts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect();
        let trail: AuditTrail = asking.client()?.get("v1/audit", &query).await?;
        let head = ["WHEN", "ACTION", "OUTCOME", "BY", "TO", "FROM", "ID"];
        asking.print(&trail, |trail| {
            list(&trail.entries, "nothing of this kind has happened", head, |entry| {
                let style = if entry.outcome == "done" { GOOD } else { BAD };
                [
                    Cell::new(PLAIN, entry.at.to_string()),
                    Cell::new(PLAIN, &entry.action),
                    Cell::new(style, &entry.outcome),
                    Cell::new(PLAIN, &entry.actor),
                    Cell::new(PLAIN, &entry.subject),
                    Cell::new(FAINT, &entry.address),
                    Cell::new(FAINT, &entry.id),
                ]
            })
        })
    }
}
