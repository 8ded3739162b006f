//! `bartizan report`: what happened in a period, as one file for people who were not there.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use bartizan_control::Timestamp;
use bartizan_posture::{SecurityReport, html};
use clap::{Args, Subcommand, ValueEnum};

use super::addresses::duration;
use crate::{
    admin::AdminOptions,
    output::{ATTENTION, complain, print, styled},
    state::write_private,
};

/// Make a report about a period.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Security(Security),
}

/// Say what happened: events, threats, limits, people, systems, risk, and what to do, beside the time before.
///
/// Addresses, people and sentences are masked unless `--personal` asks for them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bartizan report security --from 7d --output week.html\n  bartizan report security --from \
                  2026-11-01 --to 2026-12-01 --format json | jq .summary"
)]
struct Security {
    /// When the period begins: a day, a moment (RFC 3339), or how long ago (`7d`).
    #[arg(long, value_name = "WHEN", default_value = "7d", value_parser = moment)]
    from: SystemTime,
    /// When it ends. Without it, now.
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    to: Option<SystemTime>,
    /// How to write it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to. Without it, standard output. A file is for its user alone.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With addresses, people and sentences.
    #[arg(long)]
    personal: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// One file for a browser or a printer.
    #[default]
    Html,
    /// For programs.
    Json,
}

impl Report {
    pub(crate) async fn run(self) -> Result<()> {
        let Command::Security(command) = self.command;
        command.run().await
    }
}

impl Security {
    async fn run(self) -> Result<()> {
        let Self { from, to, format, output, personal, admin } = self;
        let mut query = vec![("from", Timestamp::from(from).to_string()), ("personal", personal.to_string())];
        query.extend(to.map(|to| ("to", Timestamp::from(to).to_string())));
        let report: SecurityReport = admin.client()?.get("v1/reports/security", &query).await?;
        for missing in &report.missing {
            complain(styled(ATTENTION, format_args!("missing: {}", crate::output::printable(missing))));
        }
        let text = match format {
            Format::Html => html(&report),
            Format::Json => serde_json::to_string_pretty(&report)? + "\n",
        };
        match output {
            Some(path) => write_private(&path, &text),
            None => print(text.trim_end()),
        }
    }
}

/// `2026-11-01`, `2026-11-01T09:30:00Z` or `7d`.
fn moment(text: &str) -> Result<SystemTime, String> {
    if let Ok(ago) = duration(text) {
        return before(ago).ok_or_else(|| format!("`{text}` is too long ago"));
    }
    let is_day = text.len() == 10;
    let whole = if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let parsed: Result<Timestamp, _> = serde_json::from_value(whole.into());
    parsed
        .map(SystemTime::from)
        .map_err(|_| format!("`{text}` is no time: write `2026-11-01`, `2026-11-01T09:30:00Z` or `7d`"))
}

fn before(ago: Duration) -> Option<SystemTime> {
    // No event is older than the epoch, and no time of a question either.
    SystemTime::now().checked_sub(ago).filter(|moment| *moment >= SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_and_how_long_ago() {
        let day = SystemTime::UNIX_EPOCH + Duration::from_hours(20_000 * 24);
        assert_eq!(moment("2024-10-04"), Ok(day));
        assert_eq!(moment("2024-10-04T00:01:00Z"), Ok(day + Duration::from_mins(1)));
        let week = moment("7d").unwrap().elapsed().unwrap();
        assert!((0..60).contains(&week.saturating_sub(Duration::from_hours(7 * 24)).as_secs()));
        for nonsense in ["", "yesterday", "2024-13-04", "2024-10-04 00:00", "99999999999999d"] {
            assert!(moment(nonsense).is_err(), "{nonsense}");
        }
    }
}
