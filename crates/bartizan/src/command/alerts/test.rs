//! `bartizan alerts test`.

use std::process::ExitCode;

use anyhow::Result;
use bartizan_control::{AlertTest, AlertTests};
use clap::Args;

use crate::{
    asking::{Asking, list},
    output::{BAD, Cell, GOOD, PLAIN},
};

/// Send a notification that is none by a channel, or by all, and say what came of it.
///
/// Ends with 0 when all of them went, 1 when one did not.
#[derive(Debug, Args)]
pub(super) struct Test {
    /// The name of the channel. Without it all of them.
    channel: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

impl Test {
    pub(super) async fn run(self) -> Result<ExitCode> {
        let which = AlertTest { channel: self.channel };
        let tests: AlertTests = self.asking.client()?.post_json("v1/alerts/test", &which).await?;
        self.asking.print(&tests, |tests| {
            list(&tests.tested, "there are no channels", ["CHANNEL", "", ""], |tested| {
                let outcome = match tested.failure {
                    None => Cell::new(GOOD, "went"),
                    Some(_) => Cell::new(BAD, "did not go"),
                };
                let why = tested.failure.clone().unwrap_or_default();
                [Cell::new(PLAIN, &tested.channel), outcome, Cell::new(PLAIN, why)]
            })
        })?;
        let all_went = tests.tested.iter().all(|tested| tested.failure.is_none());
        Ok(if all_went { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
