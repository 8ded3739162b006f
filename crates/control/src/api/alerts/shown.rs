//! Alerts as the API shows them.

use std::collections::BTreeMap;

use bartizan_alerts::{Alert, Entry, Moment};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;

/// Alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertList {
    /// The newest first.
    pub alerts: Vec<AlertItem>,
    /// The last one's id, if there are more.
    pub next: Option<String>,
}

/// One alert, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertDetails {
    /// The alert.
    pub alert: AlertItem,
    /// What became of it, in order.
    pub history: Vec<AlertHistoryEntry>,
}

/// What people are told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertItem {
    /// Its id.
    pub id: String,
    /// `open`, `acknowledged` or `resolved`.
    #[schema(example = "open")]
    pub state: String,
    /// The route under `alerts` that has raised it.
    pub alert_route: String,
    /// How bad the worst of its events is.
    #[schema(example = "high")]
    pub severity: String,
    /// What happened.
    pub title: String,
    /// The same in a sentence, of the worst event.
    pub message: String,
    /// The type of that event.
    pub kind: String,
    /// The rule that has found it.
    pub rule: Option<String>,
    /// Who wrote the rule.
    pub author: Option<String>,
    /// What its events have in common.
    pub group: Vec<AlertCommon>,
    /// How many events there were.
    pub count: u64,
    /// When the first happened.
    pub first: Timestamp,
    /// When the last happened.
    pub last: Timestamp,
    /// What was done already, and how often.
    #[schema(example = json!({ "refused": 20 }))]
    pub done: BTreeMap<String, u64>,
    /// The ids of up to twenty of its events.
    pub events: Vec<String>,
    /// The ids of its latest requests, up to five: `bartizan explain` shows them.
    pub requests: Vec<String>,
    /// When it was raised.
    pub raised: Timestamp,
    /// When something came of it last.
    pub touched: Timestamp,
    /// When somebody was told last.
    pub notified: Option<Timestamp>,
    /// The channels that were told.
    pub told: Vec<String>,
    /// How many escalations there were.
    pub escalations: u64,
    /// Who has acknowledged or resolved it last.
    pub by: Option<String>,
    /// What they say of it.
    pub note: Option<String>,
}

/// What the events of an alert have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertCommon {
    /// What of them.
    #[schema(example = "address")]
    pub by: String,
    /// Its value; none, where they have none.
    pub value: Option<String>,
}

/// What became of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertHistoryEntry {
    /// When.
    pub at: Timestamp,
    /// `raised`, `told`, `repeated`, `escalated`, `acknowledged` or `resolved`.
    #[schema(example = "told")]
    pub what: String,
    /// Who did it; empty: the gateway.
    pub who: String,
    /// What they say of it, or which channels were told.
    pub note: String,
}

pub(super) fn timestamp(moment: Moment) -> Timestamp {
    std::time::SystemTime::from(moment).into()
}

impl From<&Alert> for AlertItem {
    fn from(alert: &Alert) -> Self {
        let (tally, example) = (&alert.tally, &alert.tally.example);
        let common = alert.group.iter();
        Self {
            id: alert.id.clone(),
            state: alert.state.as_str().into(),
            alert_route: alert.route.clone(),
            severity: tally.severity.to_string(),
            title: example.title.clone(),
            message: example.message.clone(),
            kind: example.kind.to_string(),
            rule: example.rule.clone(),
            author: example.author.clone(),
            group: common
                .map(|common| AlertCommon { by: common.by.clone(), value: common.value.clone() })
                .collect(),
            count: tally.count,
            first: timestamp(tally.first),
            last: timestamp(tally.last),
            done: tally.done.clone(),
            events: tally.events.clone(),
            requests: tally.requests.clone(),
            raised: timestamp(alert.raised),
            touched: timestamp(alert.touched),
            notified: alert.notified.map(timestamp),
            told: alert.told.iter().cloned().collect(),
            escalations: u64::try_from(alert.escalations).unwrap_or(u64::MAX),
            by: alert.by.as_ref().map(|by| by.who.clone()),
            note: alert.by.as_ref().and_then(|by| by.note.clone()),
        }
    }
}

impl From<Entry> for AlertHistoryEntry {
    fn from(Entry { at, what, who, note }: Entry) -> Self {
        Self { at: timestamp(at), what, who, note }
    }
}
