//! `bartizan limits explain`.

use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use bartizan_control::{LimitCounter, LimitMode, LimitStanding, LimitStandings};
use clap::Args;

use super::{Which, of_policy, span, threat, visible};
use crate::{
    admin::AdminOptions,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// Show how somebody stands with every limit, right now.
///
/// Limits of which nothing is used are left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits explain 203.0.113.7\n  \
                        bartizan limits explain voice shop-users/ada\n  \
                        bartizan limits explain voice shop-users/ada --rule user-3600s")]
pub(super) struct Explain {
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it. Before it the policy,
    /// for its rules alone.
    #[arg(value_name = "[POLICY] KEY", required = true, num_args = 1..=2)]
    words: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Also limits of which nothing is used.
    #[arg(long)]
    all: bool,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Explain {
    pub(super) async fn run(self) -> Result<()> {
        let (policy, key) = of_policy(self.words)?;
        let key = key.context("there is no key")?;
        ensure!(
            policy.is_none() || self.which.policy.is_none(),
            "the policy is there twice: before the key, and as `--policy`"
        );
        let which = Which { policy: policy.or(self.which.policy), rule: self.which.rule };
        let mut query = which.query();
        query.push(("value", key.clone()));
        let answer: LimitStandings = self.admin.client()?.get("v1/limits/standing", &query).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&answer)?);
        }
        let shown: Vec<_> =
            answer.standings.iter().filter(|standing| self.all || is_used(standing)).collect();
        if shown.is_empty() {
            return print(format_args!(
                "`{}` has used nothing of any limit: write it as `bartizan limits top` shows it, a user as \
                 `PROVIDER/ID`",
                printable(visible(&key))
            ));
        }
        let mut table =
            Table::new(&["POLICY", "RULE", "PER", "LEFT", "FULL AGAIN", "COUNTED BY", "STANDING"]);
        let now = SystemTime::now();
        for standing in shown {
            table.row(row(standing, now));
        }
        match &answer.threat {
            Some(threat) => print(format_args!("{table}\n\n{}", threat::told(threat))),
            None => print(table),
        }
    }
}

fn is_used(standing: &LimitStanding) -> bool {
    standing.remaining < standing.quota || standing.allowed_until.is_some()
}

fn row(standing: &LimitStanding, now: SystemTime) -> [Cell; 7] {
    let full = match standing.reset_seconds {
        Some(seconds) if seconds > 0.0 => format!("in {}", span(seconds)),
        Some(_) => "now".into(),
        None => String::new(),
    };
    let counted_by = match standing.counted_by {
        LimitCounter::Gateway => "this gateway",
        LimitCounter::SharedStore => "all gateways",
    };
    [
        Cell::new(PLAIN, &standing.policy),
        Cell::new(PLAIN, &standing.rule),
        Cell::new(FAINT, standing.per.join(" + ")),
        Cell::new(PLAIN, format!("{} of {}", standing.remaining, standing.quota)),
        Cell::new(PLAIN, full),
        Cell::new(FAINT, counted_by),
        verdict(standing, now),
    ]
}

/// What happens to the next request.
fn verdict(standing: &LimitStanding, now: SystemTime) -> Cell {
    if let Some(until) = standing.allowed_until {
        let left = SystemTime::from(until).duration_since(now).unwrap_or_default();
        return Cell::new(GOOD, format!("not counted for {}", span(left.as_secs_f64())));
    }
    match (standing.retry_after_seconds, standing.mode) {
        (None, _) => Cell::new(GOOD, "within the limit"),
        (Some(_), _) if standing.reset_seconds.is_none() => {
            Cell::new(BAD, "refused until one of its requests has ended")
        }
        (Some(wait), LimitMode::Enforce) => Cell::new(BAD, format!("refused for {}", span(wait))),
        (Some(wait), LimitMode::Shadow) => {
            Cell::new(ATTENTION, format!("would be refused for {}", span(wait)))
        }
    }
}
