//! `bartizan alerts undelivered`, `retry` and `discard`.

use anyhow::Result;
use bartizan_control::{AlertRetries, AlertRetry, UndeliveredAlerts};
use clap::Args;
use serde_json::json;

use crate::{
    admin::segment,
    asking::{Asking, list},
    failure::Misuse,
    output::{BAD, Cell, FAINT, PLAIN, print},
};

/// List notifications that did not go.
#[derive(Debug, Args)]
pub(super) struct Undelivered {
    #[command(flatten)]
    asking: Asking,
}

/// Try notifications again that did not go.
#[derive(Debug, Args)]
pub(super) struct Retry {
    /// The id of the notification (see `bartizan alerts undelivered`).
    notification: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with = "notification")]
    all: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Forget a notification that did not go.
#[derive(Debug, Args)]
pub(super) struct Discard {
    /// The id of the notification (see `bartizan alerts undelivered`).
    notification: String,
    #[command(flatten)]
    asking: Asking,
}

impl Undelivered {
    pub(super) async fn run(self) -> Result<()> {
        let listed: UndeliveredAlerts = self.asking.client()?.get("v1/alerts/undelivered", &[]).await?;
        let head = ["NOTIFICATION", "CHANNEL", "WHEN", "TRIES", "FAILURE", "WHAT"];
        self.asking.print(&listed, |listed| {
            list(&listed.undelivered, "every notification went", head, |undelivered| {
                [
                    Cell::new(FAINT, &undelivered.id),
                    Cell::new(PLAIN, &undelivered.channel),
                    Cell::new(PLAIN, undelivered.made.to_string()),
                    Cell::new(PLAIN, undelivered.attempts),
                    Cell::new(BAD, &undelivered.failure),
                    Cell::new(PLAIN, &undelivered.summary),
                ]
            })
        })
    }
}

impl Retry {
    pub(super) async fn run(self) -> Result<()> {
        if self.notification.is_none() && !self.all {
            return Err(Misuse("name a notification, or write `--all`".into()).into());
        }
        let which = AlertRetry { id: self.notification };
        let retried: AlertRetries =
            self.asking.client()?.post_json("v1/alerts/undelivered/retry", &which).await?;
        self.asking.print(&retried, |retried| print(format!("tried again: {}", retried.retried)))
    }
}

impl Discard {
    pub(super) async fn run(self) -> Result<()> {
        let path = format!("v1/alerts/undelivered/{}", segment(&self.notification));
        self.asking.client()?.delete::<()>(&path, &[]).await?;
        self.asking.done(&json!({ "notification": self.notification, "discarded": true }), "it is gone")
    }
}
