//! `bartizan detect backtest`.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use bartizan_control::{FoundEvents, Timestamp};
use bartizan_detection::Moment;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::{
    chosen::Chosen,
    fired::{Fired, Firing},
};
use crate::{
    admin::AdminOptions,
    command::{addresses::duration, events::missing},
    output::{complain, print},
};

/// The most events of one page.
const PAGE: usize = 1000;

/// Try rules with the events that a running gateway has kept.
///
/// Says how often each rule would have fired, and for whom. Of requests that were served a gateway keeps a sample
/// (`events.sample`): rules about those fire less often here than they would have.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bartizan detect backtest --since 24h\n  \
                        bartizan detect backtest new-rule.yml --since 7d --json")]
pub(super) struct Backtest {
    /// Files of rules, or folders of them; without any the rules that come with the gateway.
    #[arg(value_name = "RULES")]
    rules: Vec<PathBuf>,
    /// Of the last so long: seconds, or a number with `s`, `m`, `h` or `d`.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "24h")]
    since: Duration,
    /// The offset of local time to UTC in minutes, for rules about hours and days of the week.
    #[arg(long, value_name = "MINUTES", default_value_t = 0, allow_hyphen_values = true,
          value_parser = clap::value_parser!(i16).range(-1440..=1440))]
    utc_offset: i16,
    /// Print what came of it for programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Tried {
    /// How many events the rules have seen.
    events: u64,
    fired: Vec<Fired>,
}

impl Backtest {
    pub(super) async fn run(self) -> Result<()> {
        let mut firing = Firing::new(Chosen::new(&self.rules)?.compile()?, self.utc_offset);
        let events = self.show(&mut firing).await?;
        let fired = firing.finish();
        if self.json {
            return print(serde_json::to_string_pretty(&Tried { events, fired })?);
        }
        print(format_args!("{}\n{events} events were looked at", Fired::table(&fired)))
    }

    /// Shows the rules every event of the time, the oldest first.
    async fn show(&self, firing: &mut Firing) -> Result<u64> {
        let client = self.admin.client()?;
        let since = SystemTime::now().checked_sub(self.since).unwrap_or(SystemTime::UNIX_EPOCH);
        let (mut after, mut events) = (None::<String>, 0);
        loop {
            let mut query = vec![
                ("since", Timestamp::from(since).to_string()),
                ("oldest_first", "true".to_owned()),
                ("limit", PAGE.to_string()),
            ];
            query.extend(after.take().map(|after| ("after", after)));
            let found: FoundEvents = client.get("v1/events", &query).await?;
            if let Some(unreadable) = &found.unreadable {
                complain(missing(unreadable));
            }
            for event in &found.events {
                let time = event.get("time").and_then(Value::as_i64);
                firing.show(event, Moment(time.context("the gateway has an event without a time")?));
                events += 1;
            }
            after = found.next;
            if after.is_none() {
                return Ok(events);
            }
        }
    }
}
