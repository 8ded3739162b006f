//! `bartizan limits`: what the limits have seen, how somebody stands, and what to do about it.

mod allow;
mod explain;
mod forecast;
mod reset;
mod status;
pub(crate) mod threat;
mod top;

use anyhow::{Result, ensure};
use bartizan_control::LONGEST_LIMIT_VALUE;
use bartizan_model::Name;
use clap::{Args, Subcommand};

pub(crate) use status::amount;

/// See who is limited and why, and change it for a while.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(status::Status),
    Top(top::Top),
    Explain(explain::Explain),
    Reset(reset::Reset),
    Allow(allow::Allow),
    Forecast(forecast::Forecast),
}

/// Which rules to show.
#[derive(Debug, Args)]
struct Which {
    /// Only rules of this policy.
    #[arg(long, value_name = "NAME")]
    policy: Option<Name>,
    /// Only rules with this name.
    #[arg(long, value_name = "NAME")]
    rule: Option<Name>,
}

impl Limits {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Status(command) => command.run().await,
            Command::Top(command) => command.run().await,
            Command::Explain(command) => command.run().await,
            Command::Reset(command) => command.run().await,
            Command::Allow(command) => command.run().await,
            Command::Forecast(command) => command.run().await,
        }
    }
}

impl Which {
    /// The parameters of a query.
    fn query(&self) -> Vec<(&'static str, String)> {
        let policy = self.policy.as_ref().map(|policy| ("policy", policy.to_string()));
        let rule = self.rule.as_ref().map(|rule| ("rule", rule.to_string()));
        policy.into_iter().chain(rule).collect()
    }
}

/// A key, with its policy before it where only that one is meant.
fn of_policy(mut words: Vec<String>) -> Result<(Option<Name>, Option<String>)> {
    let key = words.pop();
    key.as_deref().map_or(Ok(()), check)?;
    Ok((words.pop().map(|policy| policy.parse()).transpose()?, key))
}

/// Whether the admin API can be asked about this key.
fn check(key: &str) -> Result<()> {
    let is_short = key.chars().count() <= LONGEST_LIMIT_VALUE;
    ensure!(is_short, "the key is too long: write at most {LONGEST_LIMIT_VALUE} characters");
    Ok(())
}

/// A value as a person sees that there is one.
pub(crate) fn visible(value: &str) -> &str {
    if value.is_empty() { "(empty)" } else { value }
}

/// So many seconds, rounded up, in a unit that a person would choose.
pub(crate) fn span(seconds: f64) -> String {
    match seconds.ceil() {
        seconds @ ..120.0 => format!("{seconds:.0} s"),
        seconds @ ..7200.0 => format!("{:.0} min", (seconds / 60.0).ceil()),
        seconds @ ..172_800.0 => format!("{:.0} h", (seconds / 3600.0).ceil()),
        seconds => format!("{:.0} days", (seconds / 86_400.0).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up() {
        let cases = [
            (0.0, "0 s"),
            (0.2, "1 s"),
            (119.0, "119 s"),
            (119.5, "2 min"),
            (3600.0, "60 min"),
            (7201.0, "3 h"),
            (172_800.0, "2 days"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }
}
