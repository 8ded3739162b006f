//! `bartizan limits reset`.

use anyhow::{Context, Result};
use bartizan_control::{LimitReset, LimitsForgotten};
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
                        bartizan limits reset voice shop-users/ada --rule user-3600s")]
pub(super) struct Reset {
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it. Before it the policy;
    /// without one, all of them.
    #[arg(value_name = "[POLICY] KEY", required = true, num_args = 1..=2)]
    words: Vec<String>,
    /// Only the rule with this name.
    #[arg(long, value_name = "NAME")]
    rule: Option<Name>,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Reset {
    pub(super) async fn run(self) -> Result<()> {
        let Self { words, rule, admin } = self;
        let (policy, key) = of_policy(words)?;
        let reset = LimitReset { policy, rule, value: key.context("there is no key")? };
        let LimitsForgotten { rules } = admin.client()?.post_json("v1/limits/reset", &reset).await?;
        let key = printable(visible(&reset.value));
        let of = reset.policy.map_or_else(|| "any limit".into(), |policy| policy.to_string());
        if rules.is_empty() {
            return print(format_args!("`{key}` had used nothing of {of}"));
        }
        print(format_args!("forgot what `{key}` had used of {of}: {}", rules.join(", ")))
    }
}
