//! `bartizan limits allow`.

use std::time::Duration;

use anyhow::{Result, ensure};
use bartizan_control::{LimitAllowance, NewLimitAllowance};
use clap::Args;

use super::{of_policy, span, visible};
use crate::{
    admin::AdminOptions,
    command::addresses::duration,
    output::{print, printable},
};

/// Let somebody off the limits for a while: their requests are not counted.
///
/// Gateways that share a store all let them off. Entries end after their time, when `--end` says so, or, without a store,
/// when the gateway stops. `bartizan limits status` lists them. Who is to be let off for good belongs into the
/// configuration, under `allow`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits allow 203.0.113.7 --for 1h\n  \
                        bartizan limits allow voice shop-users/ada --for 1h\n  \
                        bartizan limits allow voice --network 203.0.113.0/24 --for 30m\n  \
                        bartizan limits allow voice shop-users/ada --end")]
pub(super) struct Allow {
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it. Before it the policy;
    /// without one, all of them. With `--network` only the policy.
    #[arg(value_name = "[POLICY] KEY", required_unless_present = "network", num_args = 1..=2)]
    words: Vec<String>,
    /// All requests from an address or a prefix, whatever they are counted by.
    #[arg(long, value_name = "PREFIX")]
    network: Option<String>,
    /// How long: seconds, or a number with `s`, `m`, `h` or `d`; at most 31 days.
    #[arg(long = "for", value_name = "TIME", value_parser = while_allowed, required_unless_present = "end")]
    duration: Option<Duration>,
    /// Count them again from now on.
    #[arg(long, conflicts_with = "duration")]
    end: bool,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Allow {
    pub(super) async fn run(self) -> Result<()> {
        let Self { mut words, network, duration, end, json, admin } = self;
        let (policy, key) = if network.is_some() {
            ensure!(words.len() < 2, "say either a key or `--network`");
            (words.pop().map(|policy| policy.parse()).transpose()?, None)
        } else {
            of_policy(words)?
        };
        let for_seconds = duration.unwrap_or_default().as_secs_f64();
        let new = NewLimitAllowance { policy, value: key, network, for_seconds };
        let stands: LimitAllowance = admin.client()?.post_json("v1/limits/allow", &new).await?;
        if json {
            return print(serde_json::to_string_pretty(&stands)?);
        }
        let whom = stands.network.or(stands.value).unwrap_or_default();
        let whom = printable(visible(&whom));
        let policy = stands.policy.as_deref().map(printable);
        let told = match (policy, end) {
            (Some(policy), true) => format!("{policy} counts `{whom}`"),
            (None, true) => format!("every policy counts `{whom}`"),
            (Some(policy), false) => format!("{policy} does not count `{whom}` for {}", span(for_seconds)),
            (None, false) => format!("no policy counts `{whom}` for {}", span(for_seconds)),
        };
        print(told)
    }
}

fn while_allowed(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration > NewLimitAllowance::LONGEST {
        return Err("at most 31 days: who is to be let off for longer belongs into the configuration".into());
    }
    Ok(duration)
}
