//! What can be asked of stored events, and what is answered.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ipnet::IpNet;

use crate::{Class, Event, EventId, Kind, Severity};

/// The year 9999, which is as good as for ever and leaves room to count, in milliseconds since 1970.
pub(crate) const LAST: u64 = 253_402_300_800_000;

/// From when, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment, in milliseconds since 1970.
    pub(crate) since: u64,
    /// The first moment behind it.
    pub(crate) until: u64,
}

impl Span {
    /// From `since`, or ever since, until just before `until`, or now and later.
    pub fn new(since: Option<SystemTime>, until: Option<SystemTime>) -> Self {
        let milliseconds = |moment: SystemTime| {
            let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since_epoch.as_millis()).unwrap_or(LAST).min(LAST)
        };
        Self { since: since.map_or(0, milliseconds), until: until.map_or(LAST, milliseconds) }
    }

    /// The last so long.
    pub fn last(duration: Duration) -> Self {
        Self::new(SystemTime::now().checked_sub(duration), None)
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::new(None, None)
    }
}

/// Which events. What is empty asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// When they happened.
    pub span: Span,
    /// Of one of these kinds.
    pub kinds: Vec<Kind>,
    /// Of one of these classes.
    pub classes: Vec<Class>,
    /// At least so bad.
    pub severity: Option<Severity>,
    /// From an address of this network.
    pub network: Option<IpNet>,
    /// By this user.
    pub user: Option<String>,
    /// For this organisation.
    pub organization: Option<String>,
    /// By this route.
    pub route: Option<String>,
    /// That this rule matched.
    pub rule: Option<String>,
    /// Of the request with this id.
    pub request: Option<String>,
    /// With these words.
    pub text: Option<TextFilter>,
}

/// Words that an event has in its message or its details, whatever their case (of ASCII letters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFilter(pub(crate) String);

impl TextFilter {
    /// The most characters.
    pub const LONGEST: usize = 200;

    /// `None` for nothing, or too much of it.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.chars().count() <= Self::LONGEST).then(|| Self(text.to_ascii_lowercase()))
    }
}

impl Filter {
    /// Whether an event is one of them. Says the same as the statement that the store is asked.
    pub fn matches(&self, event: &Event) -> bool {
        let Self { span, kinds, classes, severity, network, user, organization, route, rule, request, text } =
            self;
        let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
        let at = event.id.milliseconds();
        (span.since..span.until).contains(&at)
            && (kinds.is_empty() || kinds.contains(&event.kind))
            && (classes.is_empty() || classes.contains(&event.kind.class()))
            && severity.is_none_or(|severity| event.severity >= severity)
            && network.is_none_or(|network| {
                event.address.is_some_and(|address| network.contains(&address.to_canonical()))
            })
            && is(user, &event.user)
            && is(organization, &event.organization)
            && is(route, &event.route)
            && is(request, &event.request)
            && rule.as_ref().is_none_or(|rule| event.rules.contains(rule))
            && text.as_ref().is_none_or(|text| text.is_in(event))
    }
}

impl TextFilter {
    fn is_in(&self, event: &Event) -> bool {
        let details = serde_json::to_string(&event.details).unwrap_or_default();
        [&event.message, &details].into_iter().any(|text| text.to_ascii_lowercase().contains(&self.0))
    }
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// Some of the events that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order that was asked for.
    pub events: Vec<Event>,
    /// Behind which the next page begins; `None`: this was the last.
    pub next: Option<EventId>,
    /// What is missing in it.
    pub unreadable: Unreadable,
}

/// How many events there were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// The pieces of time that had any, the oldest first.
    pub buckets: Vec<Bucket>,
    /// What is missing in them.
    pub unreadable: Unreadable,
}

/// The values that most events have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    /// The most frequent first.
    pub values: Vec<Ranked>,
    /// What is missing in it.
    pub unreadable: Unreadable,
}

/// What could not be read for an answer: damaged, or written by another release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unreadable {
    /// The days of which nothing more could be read, as in `2026-11-22`, the oldest first.
    pub days: Vec<String>,
    /// How many events of the other days.
    pub events: usize,
}

/// How many events of a kind a piece of time had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins.
    pub start: SystemTime,
    /// Of which kind.
    pub kind: Kind,
    /// How bad.
    pub severity: Severity,
    /// How many, those included that were not kept.
    pub count: u64,
}

/// By what events are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Where they came from.
    Address,
    /// Who did it.
    User,
    /// For which organisation.
    Organization,
    /// By which route.
    Route,
    /// What happened.
    Kind,
    /// Which rule matched. An event with several rules counts for each.
    Rule,
}

/// A value, and how many events have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// The value, as text.
    pub value: String,
    /// How many of the events that were kept.
    pub count: u64,
}

/// An address as its bytes: four or sixteen.
pub(crate) fn bytes(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The other way.
pub(crate) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    four().or_else(sixteen)
}
