//! `bartizan alerts list`.

use anyhow::Result;
use bartizan_control::{AlertItem, AlertList};
use clap::Args;

use crate::{
    asking::{Asking, list},
    output::{ATTENTION, BAD, Cell, FAINT, PLAIN},
};

/// List alerts, the newest first.
#[derive(Debug, Args)]
pub(super) struct List {
    /// In this state: `open`, `acknowledged` or `resolved`.
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// At least so bad: `informational`, `low`, `medium`, `high` or `critical`.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Raised by the route of this name under `alerts`.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// For this organisation.
    #[arg(long = "org", value_name = "ID")]
    organization: Option<String>,
    /// That this rule has found.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Those behind the alert with this id.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    asking: Asking,
}

impl List {
    pub(super) async fn run(self) -> Result<()> {
        let Self { state, severity, route, organization, rule, after, limit, asking } = self;
        let words = [
            ("state", state),
            ("severity", severity),
            ("alert_route", route),
            ("organization", organization),
            ("rule", rule),
            ("after", after),
        ];
        let mut query: Vec<_> = words.into_iter().filter_map(|(name, word)| Some((name, word?))).collect();
        query.push(("limit", limit.to_string()));
        let listed: AlertList = asking.client()?.get("v1/alerts", &query).await?;
        let head = ["ALERT", "STATE", "SEVERITY", "EVENTS", "LAST", "ABOUT", "WHAT"];
        asking.print(&listed, |listed| {
            list(&listed.alerts, "there are no alerts of this kind", head, |alert| {
                [
                    Cell::new(FAINT, &alert.id),
                    Cell::new(if alert.state == "open" { ATTENTION } else { PLAIN }, &alert.state),
                    Cell::new(style(&alert.severity), &alert.severity),
                    Cell::new(PLAIN, alert.count),
                    Cell::new(PLAIN, alert.last.to_string()),
                    Cell::new(PLAIN, about(alert)),
                    Cell::new(PLAIN, &alert.title),
                ]
            })
        })
    }
}

pub(super) fn style(severity: &str) -> anstyle::Style {
    match severity {
        "critical" | "high" => BAD,
        "medium" => ATTENTION,
        _ => PLAIN,
    }
}

/// What its events have in common.
pub(super) fn about(alert: &AlertItem) -> String {
    let common = alert.group.iter().filter(|common| !matches!(common.by.as_str(), "kind" | "rule"));
    let values: Vec<_> = common.filter_map(|common| common.value.clone()).collect();
    values.join(" ")
}
