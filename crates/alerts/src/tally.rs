//! What the events of one group come to: how many, how bad, since when, and which to look at.

use std::collections::BTreeMap;

use bartizan_events::{Decision, Event, Kind, Severity};
use serde::{Deserialize, Serialize};

use crate::Moment;

/// The most ids of events that are kept of a group.
const MOST_EVENTS: usize = 20;
/// The most ids of requests.
const MOST_REQUESTS: usize = 5;
/// The longest text, in characters. What is not ours may be of any length.
const LONGEST: usize = 512;

/// What the events of one group come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there were.
    pub count: u64,
    /// When the first happened.
    pub first: Moment,
    /// When the last happened.
    pub last: Moment,
    /// How bad the worst is.
    pub severity: Severity,
    /// The ids of the first and the latest events, up to twenty.
    pub events: Vec<String>,
    /// The ids of the latest requests, up to five.
    pub requests: Vec<String>,
    /// What was done already, and how often.
    pub done: BTreeMap<String, u64>,
    /// The worst event, the first of those.
    pub example: Example,
}

/// What is told of one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What happened, in a few words: the title of the rule, or the type of the event.
    pub title: String,
    /// What happened, in a sentence. Strangers may have written parts of it.
    pub message: String,
    /// The type of the event.
    pub kind: Kind,
    /// The rule that has found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Who wrote the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// For which organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// By which route of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl Tally {
    /// Of one event.
    pub(crate) fn of(event: &Event) -> Self {
        let moment = Moment::from(event.id.moment());
        let finding = event.details.finding.as_deref();
        let since = finding.map_or(moment, |finding| Moment(finding.first.clamp(0, moment.0)));
        Self {
            count: 1,
            first: since,
            last: moment,
            severity: event.severity,
            events: vec![event.id.to_string()],
            requests: event.request.iter().map(|request| short(request)).collect(),
            done: BTreeMap::from([(done(event).to_owned(), 1)]),
            example: Example::of(event),
        }
    }

    /// One more event.
    pub(crate) fn add(&mut self, event: &Event) {
        self.merge(Self::of(event));
    }

    /// With what else has come of the same group.
    pub(crate) fn merge(&mut self, more: Self) {
        self.count = self.count.saturating_add(more.count);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
        if more.severity > self.severity {
            (self.severity, self.example) = (more.severity, more.example);
        }
        for event in more.events {
            // The first half shows how it began, the second how it goes on.
            if self.events.len() >= MOST_EVENTS {
                self.events.remove(MOST_EVENTS / 2);
            }
            self.events.push(event);
        }
        for request in more.requests {
            if self.requests.len() >= MOST_REQUESTS {
                self.requests.remove(0);
            }
            self.requests.push(request);
        }
        for (what, times) in more.done {
            *self.done.entry(what).or_insert(0) += times;
        }
    }
}

impl Example {
    fn of(event: &Event) -> Self {
        let finding = event.details.finding.as_deref();
        let title =
            finding.map_or_else(|| event.kind.as_str().replace('_', " "), |finding| finding.title.clone());
        Self {
            title: short(&title),
            message: short(&event.message),
            kind: event.kind,
            rule: event.rules.first().map(|rule| short(rule)),
            author: finding.and_then(|finding| finding.author.as_deref()).map(short),
            address: event.address.map(|address| address.to_canonical().to_string()),
            user: event.user.as_deref().map(short),
            organization: event.organization.as_deref().map(short),
            route: event.route.as_deref().map(short),
        }
    }
}

/// What the gateway has done about an event already.
fn done(event: &Event) -> &'static str {
    match (event.kind, event.decision) {
        (Kind::RateLimitExceeded, _) => "limited",
        (Kind::AccountPaused, _) => "logins paused",
        (Kind::KeySuspended, _) => "key suspended",
        (Kind::TokenRevoked | Kind::TokenReused, _) => "tokens revoked",
        (Kind::SessionEnded, _) => "session ended",
        (_, Decision::Refused) => "refused",
        (_, Decision::Challenged) => "asked for more proof",
        (_, Decision::Allowed) => "allowed",
        (_, Decision::Observed) => "only noted",
    }
}

/// A text that takes no more room than it may.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
