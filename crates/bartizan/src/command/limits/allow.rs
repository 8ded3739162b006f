//! `bartizan limits allow`.

use std::time::Duration;

use anyhow::Result;
use bartizan_control::{LimitAllowance, NewLimitAllowance};
use bartizan_model::Name;
use clap::Args;

use super::{check, span, visible};
use crate::{
    admin::AdminOptions,
    command::addresses::duration,
    output::{print, printable},
};

/// Let somebody off a policy for a while: their requests are not counted.
///
/// Entries are kept in memory: they end after their time, when `--end` says so, or when the gateway stops. `bartizan
/// limits status` lists them. Who is to be let off for good belongs into the configuration, under `allow`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits allow voice shop-users/ada --for 1h\n  \
                        bartizan limits allow voice --network 203.0.113.0/24 --for 30m\n  \
                        bartizan limits allow voice shop-users/ada --end")]
pub(super) struct Allow {
    /// The policy.
    policy: Name,
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it.
    #[arg(required_unless_present = "network")]
    key: Option<String>,
    /// All requests from an address or a prefix, whatever they are counted by.
    #[arg(long, value_name = "PREFIX", conflicts_with = "key")]
    network: Option<String>,
    /// How long: seconds, or a number with `s`, `m`, `h` or `d`; at most 31 days.
    #[arg(long = "for", value_name = "TIME", value_parser = while_allowed, required_unless_present = "end")]
    duration: Option<Duration>,
    /// Count them again from now on.
    #[arg(long, conflicts_with = "duration")]
    end: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Allow {
    pub(super) async fn run(self) -> Result<()> {
        let Self { policy, key, network, duration, end, admin } = self;
        key.as_deref().map_or(Ok(()), check)?;
        let for_seconds = duration.unwrap_or_default().as_secs_f64();
        let new = NewLimitAllowance { policy, value: key, network, for_seconds };
        let stands: LimitAllowance = admin.client()?.post_json("v1/limits/allow", &new).await?;
        let whom = stands.network.or(stands.value).unwrap_or_default();
        let (policy, whom) = (printable(&stands.policy), printable(visible(&whom)));
        if end {
            return print(format_args!("{policy} counts `{whom}`"));
        }
        print(format_args!("{policy} does not count `{whom}` for {}", span(for_seconds)))
    }
}

fn while_allowed(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration > NewLimitAllowance::LONGEST {
        return Err("at most 31 days: who is to be let off for longer belongs into the configuration".into());
    }
    Ok(duration)
}
