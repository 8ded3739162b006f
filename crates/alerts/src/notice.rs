//! What one notification says, before a channel puts it into its own form.

use std::fmt::Write as _;

use bartizan_events::Severity;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{Alert, Moment, allowance::HeldBack, tally::short};

/// The longest summary, in characters.
const SUMMARY: usize = 200;

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is an alert.
    Raised,
    /// It is still there, and nobody has acknowledged it.
    Repeated,
    /// Nobody has acknowledged it: somebody else is told.
    Escalated,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
    /// Somebody tries the channel.
    Test,
}

impl Reason {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }

    /// Whether it asks somebody to do something.
    pub(crate) const fn is_a_call(self) -> bool {
        !matches!(self, Self::Acknowledged | Self::Resolved)
    }
}

/// What one notification says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Names this notification: what is delivered twice has the same.
    pub id: String,
    /// Why somebody is told.
    pub reason: Reason,
    /// The alert as it was then.
    pub alert: Alert,
    /// What was held back before.
    #[serde(default)]
    pub held: HeldBack,
    /// The page of the latest request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When it was made.
    pub made: Moment,
}

impl Notice {
    /// One line: how bad, what, how often and from where.
    pub(crate) fn summary(&self) -> String {
        let Alert { tally, .. } = &self.alert;
        let state = match self.reason {
            Reason::Raised | Reason::Repeated => tally.severity.as_str().to_uppercase(),
            reason => format!("{} ({})", tally.severity.as_str().to_uppercase(), reason.as_str()),
        };
        let from = self.common("address").map(|address| format!(" from {address}")).unwrap_or_default();
        let times = if tally.count == 1 { String::new() } else { format!(", {} times", tally.count) };
        let line = format!("{state}: {}{times}{from}", tally.example.title);
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUMMARY).collect()
    }

    /// What all events of the alert have in common, or of a single one whatever it has.
    pub(crate) fn common(&self, by: &str) -> Option<&str> {
        let common = self.alert.group.iter().find(|common| common.by == by);
        if let Some(value) = common.and_then(|common| common.value.as_deref()) {
            return Some(value);
        }
        let example = &self.alert.tally.example;
        if self.alert.tally.count > 1 {
            return None;
        }
        match by {
            "address" => example.address.as_deref(),
            "user" => example.user.as_deref(),
            "organization" => example.organization.as_deref(),
            "route" => example.route.as_deref(),
            "rule" => example.rule.as_deref(),
            "kind" => Some(example.kind.as_str()),
            _ => None,
        }
    }

    /// What happened, to whom, how bad, what was done already, and where to look: each with its label.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let Alert { tally, id, by, .. } = &self.alert;
        let mut facts = vec![
            ("Severity", tally.severity.to_string()),
            ("What", tally.example.message.clone()),
            ("How often", times(tally.count)),
            ("Since", tally.first.to_string()),
            ("Last", tally.last.to_string()),
        ];
        let mut put = |label, value: Option<String>| facts.extend(value.map(|value| (label, value)));
        for (label, name) in
            [("From", "address"), ("User", "user"), ("Organisation", "organization"), ("Route", "route")]
        {
            put(label, self.common(name).map(ToOwned::to_owned));
        }
        put("Rule", tally.example.rule.clone());
        put("Rule's author", tally.example.author.clone());
        put("Done already", Some(self.done()));
        put("By", by.as_ref().map(|by| by.who.clone()));
        put("Note", by.as_ref().and_then(|by| by.note.clone()));
        put("Trace", tally.requests.last().map(|request| format!("bartizan explain {request}")));
        put("Link", self.link.clone());
        put("Held back before", (self.held.count > 0).then(|| self.held_back()));
        put("Alert", Some(format!("bartizan alerts show {id}")));
        facts
    }

    /// `refused 20, limited 3`.
    pub(crate) fn done(&self) -> String {
        let done: Vec<_> =
            self.alert.tally.done.iter().map(|(what, count)| format!("{what} {count}")).collect();
        done.join(", ")
    }

    fn held_back(&self) -> String {
        let HeldBack { count, titles } = &self.held;
        short(&format!("{count}: {}", titles.join("; ")))
    }

    /// Line by line, for whoever reads plain text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.summary();
        text.push_str("\n\n");
        for (label, value) in self.facts() {
            let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            // INVARIANT: writing to a string does not fail.
            let _ = writeln!(text, "{label}: {value}");
        }
        text
    }

    /// As webhooks get it.
    pub(crate) fn json(&self) -> Value {
        let Self { id, reason, alert, held, link, made } = self;
        let Alert { tally, state, by, escalations, route, .. } = alert;
        let example = &tally.example;
        let common: Map<String, Value> =
            alert.group.iter().map(|common| (common.by.clone(), json!(common.value))).collect();
        json!({
            "id": id,
            "reason": reason.as_str(),
            "time": made.to_string(),
            "summary": self.summary(),
            "alert": {
                "id": alert.id,
                "state": state.as_str(),
                "alert_route": route,
                "severity": tally.severity.as_str(),
                "title": example.title,
                "message": example.message,
                "kind": example.kind.as_str(),
                "rule": example.rule,
                "author": example.author,
                "group": common,
                "address": self.common("address"),
                "user": self.common("user"),
                "organization": self.common("organization"),
                "route": self.common("route"),
                "count": tally.count,
                "first": tally.first.to_string(),
                "last": tally.last.to_string(),
                "done": tally.done,
                "events": tally.events,
                "requests": tally.requests,
                "explain": tally.requests.last().map(|request| format!("bartizan explain {request}")),
                "link": link,
                "escalations": escalations,
                "by": by.as_ref().map(|by| &by.who),
                "note": by.as_ref().and_then(|by| by.note.as_ref()),
            },
            "held_back": { "count": held.count, "titles": held.titles },
        })
    }

    /// What a placeholder of a template is replaced by.
    pub(crate) fn placeholder(&self, name: &str) -> String {
        let Alert { tally, id, .. } = &self.alert;
        let example = &tally.example;
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        match name {
            "id" => id.clone(),
            "reason" => self.reason.as_str().into(),
            "title" => example.title.clone(),
            "message" => example.message.clone(),
            "severity" => tally.severity.to_string(),
            "count" => tally.count.to_string(),
            "first" => tally.first.to_string(),
            "last" => tally.last.to_string(),
            "rule" => text(example.rule.as_deref()),
            "author" => text(example.author.as_deref()),
            "request" => text(tally.requests.last().map(String::as_str)),
            "link" => text(self.link.as_deref()),
            "summary" => self.summary(),
            common => text(self.common(common)),
        }
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

/// The words of other services for how bad it is.
pub(crate) fn pagerduty_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "info",
    }
}

/// Opsgenie's words for the same.
pub(crate) fn opsgenie_priority(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "P1",
        Severity::High => "P2",
        Severity::Medium => "P3",
        Severity::Low => "P4",
        Severity::Informational => "P5",
    }
}
