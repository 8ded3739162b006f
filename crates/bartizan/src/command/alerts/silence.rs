//! `bartizan alerts silence`, `unsilence` and `silences`.

use std::time::Duration;

use anyhow::Result;
use bartizan_control::{AlertMatcher, AlertSilence, AlertSilences, NewAlertSilence};
use clap::Args;
use serde_json::json;

use crate::{
    admin::segment,
    asking::{Asking, list},
    command::addresses::duration,
    output::{Cell, FAINT, PLAIN, print},
};

/// Tell nobody of alerts that match, for a time. They are raised all the same.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan alerts silence address=203.0.113.0/24 --for 2h --reason 'our own scan'\n  \
                  bartizan alerts silence rule=spraying alert_route=night --for 1d --reason 'ticket 17'"
)]
pub(super) struct NewSilence {
    /// What matches, as `BY=VALUE`: all of them hold. `BY` is `rule`, `kind`, `address`, `user`, `organization`, `route` or
    /// `alert_route`.
    #[arg(required = true, value_name = "BY=VALUE", value_parser = matcher)]
    matchers: Vec<AlertMatcher>,
    /// For how long: seconds, or a number with `s`, `m`, `h` or `d`.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Duration,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

/// End a silence.
#[derive(Debug, Args)]
pub(super) struct Unsilence {
    /// The id of the silence (see `bartizan alerts silences`).
    silence: String,
    #[command(flatten)]
    asking: Asking,
}

/// List silences that hold.
#[derive(Debug, Args)]
pub(super) struct ListSilences {
    #[command(flatten)]
    asking: Asking,
}

fn matcher(text: &str) -> Result<AlertMatcher, String> {
    let (by, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not `BY=VALUE`"))?;
    Ok(AlertMatcher { by: by.into(), value: value.into() })
}

impl NewSilence {
    pub(super) async fn run(self) -> Result<()> {
        let Self { matchers, lasts, reason, asking } = self;
        let new = NewAlertSilence { matchers, reason, for_seconds: lasts.as_secs() };
        let made: AlertSilence = asking.client()?.post_json("v1/alerts/silences", &new).await?;
        asking.print(&made, |made| print(format!("silenced until {}: {}", made.until, made.id)))
    }
}

impl Unsilence {
    pub(super) async fn run(self) -> Result<()> {
        let path = format!("v1/alerts/silences/{}", segment(&self.silence));
        self.asking.client()?.delete::<()>(&path, &[]).await?;
        self.asking.done(&json!({ "silence": self.silence, "ended": true }), "the silence has ended")
    }
}

impl ListSilences {
    pub(super) async fn run(self) -> Result<()> {
        let listed: AlertSilences = self.asking.client()?.get("v1/alerts/silences", &[]).await?;
        let head = ["SILENCE", "UNTIL", "MATCHES", "BY", "REASON"];
        self.asking.print(&listed, |listed| {
            list(&listed.silences, "nothing is silenced", head, |silence| {
                let matches =
                    silence.matchers.iter().map(|matcher| format!("{}={}", matcher.by, matcher.value));
                [
                    Cell::new(FAINT, &silence.id),
                    Cell::new(PLAIN, silence.until.to_string()),
                    Cell::new(PLAIN, matches.collect::<Vec<_>>().join(" ")),
                    Cell::new(PLAIN, &silence.author),
                    Cell::new(PLAIN, &silence.reason),
                ]
            })
        })
    }
}
