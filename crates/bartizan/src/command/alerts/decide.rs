//! `bartizan alerts acknowledge` and `resolve`.

use anyhow::Result;
use bartizan_control::{AlertItem, AlertNote};
use clap::Args;

use crate::{
    admin::segment,
    asking::Asking,
    output::{print, printable},
};

/// Look after an alert: it is neither told again nor escalated.
#[derive(Debug, Args)]
pub(super) struct Acknowledge {
    #[command(flatten)]
    which: Which,
}

/// Say that an alert is over. More of the same is another alert.
#[derive(Debug, Args)]
pub(super) struct Resolve {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// The id of the alert (see `bartizan alerts list`).
    alert: String,
    /// For whoever reads it later.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

impl Acknowledge {
    pub(super) async fn run(self) -> Result<()> {
        self.which.decide("acknowledge", "acknowledged").await
    }
}

impl Resolve {
    pub(super) async fn run(self) -> Result<()> {
        self.which.decide("resolve", "resolved").await
    }
}

impl Which {
    async fn decide(self, verb: &str, done: &str) -> Result<()> {
        let Self { alert, note, asking } = self;
        let path = format!("v1/alerts/{}/{verb}", segment(&alert));
        let decided: AlertItem = asking.client()?.post_json(&path, &AlertNote { note }).await?;
        asking.print(&decided, |decided| print(format!("{done}: {}", printable(&decided.title))))
    }
}
