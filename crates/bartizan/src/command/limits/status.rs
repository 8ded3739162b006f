//! `bartizan limits status`.

use std::time::SystemTime;

use anyhow::Result;
use bartizan_control::{
    LimitAllowance, LimitMode, LimitOverall, LimitQuota, LimitRuleStatus, LimitTopValue, LimitTotals,
    LimitsStatus,
};
use clap::Args;

use super::{span, top::count, visible};
use crate::{
    admin::AdminOptions,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, Table, print, styled},
};

/// Show every limit and what it has seen in the last hour.
#[derive(Debug, Args)]
#[command(after_help = "Requests that a rule in shadow mode would have refused count as refused.")]
pub(super) struct Status {
    /// What it has seen in the last 24 hours.
    #[arg(long)]
    day: bool,
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Status {
    pub(super) async fn run(self) -> Result<()> {
        let status: LimitsStatus = self.admin.client()?.get("v1/limits", &[]).await?;
        if self.json {
            return print(serde_json::to_string_pretty(&status)?);
        }
        if status.policies.is_empty() {
            return print("nothing is limited: the configuration has no `limits`");
        }
        let overall = if self.day { &status.day } else { &status.hour };
        let mut parts = vec![rules(&status, self.day).to_string(), told(overall, self.day)];
        if !overall.top_addresses.is_empty() {
            parts.push(addresses(overall).to_string());
        }
        if !status.allowances.is_empty() {
            parts.push(allowances(&status.allowances, SystemTime::now()).to_string());
        }
        parts.extend(status.shared_store_decides.map(shared_store));
        print(parts.join("\n\n"))
    }
}

fn rules(status: &LimitsStatus, day: bool) -> Table {
    let head = ["POLICY", "RULE", "PER", "LIMIT", "MODE", "REQUESTS", "REFUSED", "NEARLY", "VALUES"];
    let mut table = Table::new(&head);
    for policy in &status.policies {
        for rule in &policy.rules {
            let LimitTotals { requests, refusals, near_misses, distinct_values } =
                if day { rule.day } else { rule.hour };
            table.row([
                Cell::new(PLAIN, &policy.name),
                Cell::new(PLAIN, &rule.name),
                Cell::new(FAINT, rule.per.join(" + ")),
                Cell::new(FAINT, limit(rule)),
                mode(rule),
                requests.into(),
                Cell::new(if refusals > 0 { BAD } else { PLAIN }, refusals),
                Cell::new(if near_misses > 0 { ATTENTION } else { PLAIN }, near_misses),
                distinct_values.into(),
            ]);
        }
    }
    table
}

/// What all rules together have seen.
fn told(overall: &LimitOverall, day: bool) -> String {
    let LimitOverall { requests, refusals, addresses, .. } = overall;
    let period = if day { "the last day" } else { "the last hour" };
    format!("in {period}: {requests} requests, {refusals} refused; addresses: {addresses}")
}

/// The addresses that came most, and those that were refused most, each with what is known of the other.
fn addresses(overall: &LimitOverall) -> Table {
    let mut table = Table::new(&["ADDRESS", "REQUESTS", "REFUSED"]);
    let (came, refused) = (&overall.top_addresses, &overall.top_refused_addresses);
    let only_refused = refused.iter().filter(|one| !came.iter().any(|other| other.value == one.value));
    for value in came.iter().chain(only_refused).map(|listed| &listed.value) {
        let counted = |listed: &[LimitTopValue]| {
            listed.iter().find(|listed| listed.value == *value).map(count).unwrap_or_default()
        };
        let refusals = counted(refused);
        let style = if refusals.is_empty() { PLAIN } else { BAD };
        table.row([Cell::new(PLAIN, value), Cell::new(PLAIN, counted(came)), Cell::new(style, refusals)]);
    }
    table
}

fn mode(rule: &LimitRuleStatus) -> Cell {
    match (rule.enabled, rule.mode) {
        (false, _) => Cell::new(FAINT, "off"),
        (true, LimitMode::Enforce) => Cell::new(GOOD, "enforce"),
        (true, LimitMode::Shadow) => Cell::new(ATTENTION, "shadow"),
    }
}

fn limit(rule: &LimitRuleStatus) -> String {
    let at_once = || rule.concurrent.map(|at_most| format!("{at_most} at once"));
    rule.quota.as_ref().map(amount).or_else(at_once).unwrap_or_default()
}

/// As the configuration writes it: `100/min burst 20`.
pub(crate) fn amount(quota: &LimitQuota) -> String {
    let burst = if quota.burst == quota.units { String::new() } else { format!(" burst {}", quota.burst) };
    format!("{}/{}{burst}", quota.units, window(quota.window_seconds))
}

fn window(seconds: f64) -> String {
    let whole = |length: f64| seconds % length == 0.0;
    let (count, unit) = match seconds {
        _ if whole(86_400.0) => (seconds / 86_400.0, "d"),
        _ if whole(3600.0) => (seconds / 3600.0, "h"),
        _ if whole(60.0) => (seconds / 60.0, "min"),
        _ if whole(1.0) => (seconds, "s"),
        _ => (seconds * 1000.0, "ms"),
    };
    if count.round() > 1.0 { format!("{count:.0}{unit}") } else { unit.into() }
}

fn allowances(allowances: &[LimitAllowance], now: SystemTime) -> Table {
    let mut table = Table::new(&["POLICY", "ENDS", "NOT COUNTED"]);
    for allowance in allowances {
        let whom = allowance.network.as_ref().or(allowance.value.as_ref());
        let left = SystemTime::from(allowance.until).duration_since(now).unwrap_or_default();
        table.row([
            Cell::new(PLAIN, allowance.policy.as_deref().unwrap_or("(all)")),
            Cell::new(PLAIN, format!("in {}", span(left.as_secs_f64()))),
            Cell::new(PLAIN, visible(whom.map(String::as_str).unwrap_or_default())),
        ]);
    }
    table
}

fn shared_store(decides: bool) -> String {
    if decides {
        styled(GOOD, "the shared store counts for all gateways")
    } else {
        styled(BAD, "the shared store does not decide now; `shared.on_error` says what does")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_written_as_in_the_configuration() {
        let cases = [
            (0.1, "100ms"),
            (1.0, "s"),
            (1.5, "1500ms"),
            (60.0, "min"),
            (900.0, "15min"),
            (90.0, "90s"),
            (3600.0, "h"),
            (86_400.0, "d"),
            (2_678_400.0, "31d"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(window(seconds), expected);
        }
    }
}
