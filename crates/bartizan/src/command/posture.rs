//! `bartizan posture`: how a running gateway stands.

use anyhow::Result;
use bartizan_events::Severity;
use bartizan_posture::{PartHealth, Posture as Standing, ThreatLevel};
use clap::{Args, Subcommand};
use serde_json::Value;

use crate::{
    admin::{AdminClient, AdminOptions},
    follow::follow,
    output::{ATTENTION, BAD, Cell, FAINT, GOOD, PLAIN, TITLE, Table, print, styled},
};

/// Show how a running gateway stands: how threatened it is and why, what fails, where it is weak and what to do.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  bartizan posture\n  bartizan posture --follow\n  bartizan posture scan\n  bartizan posture --json | jq \
                  .threat"
)]
pub(crate) struct Posture {
    #[command(subcommand)]
    command: Option<Command>,
    /// Show it again whenever something changes, until it is interrupted; with `--json` one line each time.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for weaknesses now, as the gateway does by itself every five minutes.
    Scan(Shown),
}

#[derive(Debug, Args)]
struct Shown {
    /// Print what the admin API answers.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Posture {
    pub(crate) async fn run(self) -> Result<()> {
        let Self { command, follow: is_followed, shown: Shown { json, admin } } = self;
        if let Some(Command::Scan(Shown { json, admin })) = command {
            return show(&admin.client()?.post("v1/posture/scan").await?, json);
        }
        let client = admin.client()?;
        if is_followed {
            return run_along(&client, json).await;
        }
        show(&client.get("v1/posture", &[]).await?, json)
    }
}

/// One line for each state that differs from the one before.
async fn run_along(client: &AdminClient, json: bool) -> Result<()> {
    let mut last = String::new();
    let show = |state: &Value| {
        if json {
            return print(state);
        }
        let standing: Standing = serde_json::from_value(state.clone())?;
        let line = line(&standing);
        let is_new = line != last;
        last.clone_from(&line);
        if is_new { print(format_args!("{}  {line}", standing.at)) } else { Ok(()) }
    };
    follow(client, "v1/posture/stream", &[], || Ok(()), show).await
}

fn line(standing: &Standing) -> String {
    let threat = &standing.threat;
    let reasons: Vec<_> =
        threat.reasons.iter().map(|reason| format!("{} {}", reason.counted, reason.what)).collect();
    let failing = standing.parts.iter().filter(|part| part.health == PartHealth::Failing).count();
    let level = styled(style(threat.level), format_args!("{} ({})", threat.level, threat.score));
    let weak = standing.weaknesses.len();
    format!("{level}  {failing} parts fail, {weak} weaknesses  {}", reasons.join("; "))
}

fn show(standing: &Standing, json: bool) -> Result<()> {
    if json {
        return print(serde_json::to_string_pretty(standing)?);
    }
    let mut parts = vec![facts(standing).to_string()];
    if !standing.threat.reasons.is_empty() {
        parts.push(titled("Why", &reasons(standing)));
    }
    if !standing.weaknesses.is_empty() {
        parts.push(titled("Weaknesses", &weaknesses(standing)));
    }
    if !standing.recommendations.is_empty() {
        parts.push(titled("What to do", &recommendations(standing)));
    }
    print(parts.join("\n\n"))
}

fn titled(title: &str, table: &Table) -> String {
    format!("{}\n{table}", styled(TITLE, title))
}

fn facts(standing: &Standing) -> Table {
    let Standing { threat, hour, day, limits, open_alerts, parts, scanned, .. } = standing;
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    let held = if threat.one_client { ", held down: one client may be the author of it all" } else { "" };
    let level = format!("{} ({} of 100{held})", threat.level, threat.score);
    fact("threat level", Cell::new(style(threat.level), level));
    fact("since", threat.since.to_string().into());
    fact(
        "last hour",
        format!("{} events, {} of high severity or worse", hour.total, hour.high + hour.critical).into(),
    );
    fact(
        "last day",
        format!("{} events, {} of high severity or worse", day.total, day.high + day.critical).into(),
    );
    fact(
        "limits",
        format!("{} of {} requests refused in the last hour", limits.hour_refusals, limits.hour_requests)
            .into(),
    );
    if let Some(open) = open_alerts {
        fact("open alerts", Cell::new(if *open == 0 { PLAIN } else { ATTENTION }, open));
    }
    for part in parts.iter().filter(|part| part.health == PartHealth::Failing) {
        fact("failing", Cell::new(BAD, format!("{}: {}", part.name, part.said)));
    }
    let scanned = scanned.map_or_else(|| "not yet".to_owned(), |scanned| scanned.to_string());
    fact("scanned", scanned.into());
    table
}

fn reasons(standing: &Standing) -> Table {
    let mut table = Table::new(&["POINTS", "COUNTED", "WHAT"]);
    for reason in &standing.threat.reasons {
        let points = format!("{} of {}", reason.points, reason.at_most);
        table.row([points.into(), reason.counted.into(), reason.what.as_str().into()]);
    }
    table
}

fn weaknesses(standing: &Standing) -> Table {
    let mut table = Table::new(&["SEVERITY", "SINCE", "WHAT"]);
    for weakness in &standing.weaknesses {
        table.row([
            severity(weakness.severity),
            weakness.since.to_string().into(),
            weakness.said.as_str().into(),
        ]);
        if !weakness.people.is_empty() {
            table.row(["".into(), "".into(), Cell::new(FAINT, weakness.people.join(", "))]);
        }
    }
    table
}

fn recommendations(standing: &Standing) -> Table {
    let mut table = Table::default();
    for advice in &standing.recommendations {
        table.row([severity(advice.severity), advice.why.as_str().into()]);
        table.row(["".into(), Cell::new(FAINT, format!("help: {}", advice.what))]);
    }
    table
}

fn severity(severity: Severity) -> Cell {
    let style = match severity {
        Severity::Informational | Severity::Low => PLAIN,
        Severity::Medium => ATTENTION,
        Severity::High | Severity::Critical => BAD,
    };
    Cell::new(style, severity)
}

const fn style(level: ThreatLevel) -> anstyle::Style {
    match level {
        ThreatLevel::Normal => GOOD,
        ThreatLevel::Elevated => ATTENTION,
        ThreatLevel::High | ThreatLevel::Critical => BAD,
    }
}
