//! `bartizan limits reset`.

use anyhow::Result;
use bartizan_control::{LimitReset, LimitsForgotten};
use bartizan_model::Name;
use clap::Args;

use super::{check, visible};
use crate::{
    admin::AdminOptions,
    output::{print, printable},
};

/// Forget what somebody has used of a policy: they begin with all of it again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan limits reset voice 203.0.113.7\n  \
                        bartizan limits reset voice shop-users/ada --rule user-3600s")]
pub(super) struct Reset {
    /// The policy.
    policy: Name,
    /// An address, a user (`PROVIDER/ID`), the value of a header: as `bartizan limits top` shows it.
    key: String,
    /// Only this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<Name>,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Reset {
    pub(super) async fn run(self) -> Result<()> {
        let Self { policy, key, rule, admin } = self;
        check(&key)?;
        let reset = LimitReset { policy, rule, value: key };
        let LimitsForgotten { rules } = admin.client()?.post_json("v1/limits/reset", &reset).await?;
        let (policy, key) = (&reset.policy, printable(visible(&reset.value)));
        if rules.is_empty() {
            return print(format_args!("`{key}` had used nothing of {policy}"));
        }
        print(format_args!("forgot what `{key}` had used of {policy}: {}", rules.join(", ")))
    }
}
