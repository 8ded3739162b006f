//! `bartizan limits reset`.

use anyhow::{Context, Result, ensure};
use bartizan_control::{
    LimitReset, LimitStatisticsForgotten, LimitStatisticsReset, LimitsAfresh, LimitsForgotten,
};
use bartizan_model::Name;
use clap::Args;

use super::{of_policy, visible};
use crate::{
    admin::AdminOptions,
    output::{print, printable},
};

/// Forget what somebody has used of the limits: they begin with all of them again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits reset 203.0.113.7\n  \
                        bartizan limits reset voice 203.0.113.7\n  \
                        bartizan limits reset voice shop-users/ada --rule user-3600s\n  \
                        bartizan limits reset voice --all\n  \
                        bartizan limits reset --statistics\n  \
                        bartizan limits reset voice --statistics")]
pub(super) struct Reset {
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it. Before it the policy;
    /// without one, all of them. With `--all` or `--statistics` only the policy.
    #[arg(value_name = "[POLICY] KEY", required_unless_present = "statistics", num_args = 1..=2)]
    words: Vec<String>,
    /// Only the rule with this name.
    #[arg(long, value_name = "NAME")]
    rule: Option<Name>,
    /// Forget what everybody has used of the policy.
    #[arg(long, conflicts_with = "statistics")]
    all: bool,
    /// Forget what `bartizan limits status` and `top` show of this gateway. What is counted stays counted.
    #[arg(long)]
    statistics: bool,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Reset {
    pub(super) async fn run(self) -> Result<()> {
        match (self.statistics, self.all) {
            (true, _) => self.statistics().await,
            (false, true) => self.everybody().await,
            (false, false) => self.counters().await,
        }
    }

    async fn everybody(mut self) -> Result<()> {
        ensure!(self.words.len() == 1, "everybody is meant: write the policy alone beside `--all`");
        let policy: Name = self.words.pop().context("there is no policy")?.parse()?;
        let afresh = LimitsAfresh { policy, rule: self.rule };
        let begun: LimitsForgotten = self.admin.client()?.post_json("v1/limits/afresh", &afresh).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&begun)?);
        }
        print(format_args!("forgot what everybody had used of {}: {}", afresh.policy, begun.rules.join(", ")))
    }

    async fn counters(self) -> Result<()> {
        let (policy, key) = of_policy(self.words)?;
        let reset = LimitReset { policy, rule: self.rule, value: key.context("there is no key")? };
        let forgotten: LimitsForgotten = self.admin.client()?.post_json("v1/limits/reset", &reset).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&forgotten)?);
        }
        let key = printable(visible(&reset.value));
        let of = reset.policy.map_or_else(|| "any limit".into(), |policy| policy.to_string());
        if forgotten.rules.is_empty() {
            return print(format_args!("`{key}` had used nothing of {of}"));
        }
        print(format_args!("forgot what `{key}` had used of {of}: {}", forgotten.rules.join(", ")))
    }

    async fn statistics(mut self) -> Result<()> {
        ensure!(self.words.len() < 2, "statistics are those of rules: write no key beside `--statistics`");
        let policy = self.words.pop().map(|policy| policy.parse()).transpose()?;
        let reset = LimitStatisticsReset { policy, rule: self.rule };
        let forgotten: LimitStatisticsForgotten =
            self.admin.client()?.post_json("v1/limits/statistics/reset", &reset).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&forgotten)?);
        }
        if forgotten.overall {
            return print("forgot what all limits have seen");
        }
        print(format_args!("forgot what was seen by {}", forgotten.rules.join(", ")))
    }
}
