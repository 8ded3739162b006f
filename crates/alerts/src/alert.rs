//! One alert and its course: when it is told, told again, escalated and over. Pure: the moment is given.

use std::{collections::BTreeSet, time::Duration};

use bartizan_config::AlertRoute;
use bartizan_events::{Kind, Severity};
use bartizan_model::Name;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    AlertError, Moment,
    allowance::{Allowance, HeldBack},
    gathering::{Common, Gathered},
    tally::Tally,
};

/// When an alert whose route is gone is resolved.
const ORPHANED: Duration = Duration::from_hours(1);

/// What people are told of: events of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Which one. Other systems know it by this, too.
    pub id: String,
    /// The route that has raised it.
    pub route: String,
    /// What its events have in common; nothing, where there were too many groups.
    pub group: Vec<Common>,
    /// What its events come to.
    pub tally: Tally,
    /// How far somebody has got with it.
    pub state: State,
    /// When it was raised.
    pub raised: Moment,
    /// When something came of it last.
    pub touched: Moment,
    /// Who has acknowledged or resolved it last, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<By>,
    /// When it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<Moment>,
    /// From when on escalations count: its first notification of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates_from: Option<Moment>,
    /// How many escalations there were.
    #[serde(default)]
    pub escalations: usize,
    /// The channels that were told.
    #[serde(default)]
    pub told: BTreeSet<String>,
    /// Its notification is held back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<Held>,
}

/// A notification that is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    until: Moment,
    round: u64,
}

/// How far somebody has got with an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody has acknowledged it.
    Open,
    /// Somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl State {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Acknowledged, Self::Resolved]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no state: write `open`, `acknowledged` or `resolved`"))
    }
}

/// Who did something, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// Who.
    pub who: String,
    /// What they say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is told for the first time, or again.
    Tell { again: bool, to: Vec<Name>, held: HeldBack },
    /// Further people are told.
    Escalate { to: Vec<Name> },
    /// Nothing more has come: it is over.
    Resolve,
}

impl Step {
    /// The event that it is.
    pub(crate) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Tell { .. } => None,
            Self::Escalate { .. } => Some(Kind::AlertEscalated),
            Self::Resolve => Some(Kind::AlertResolved),
        }
    }
}

impl Alert {
    /// An alert about what was gathered.
    pub(crate) fn raise(gathered: &Gathered, now: Moment) -> Self {
        Self {
            id: Uuid::now_v7().to_string(),
            route: gathered.route.clone(),
            group: gathered.group.clone(),
            tally: gathered.tally.clone(),
            state: State::Open,
            raised: now,
            touched: now,
            by: None,
            notified: None,
            escalates_from: None,
            escalations: 0,
            told: BTreeSet::new(),
            held: None,
        }
    }

    /// More has come of its group.
    pub(crate) fn add(&mut self, more: Tally, now: Moment) {
        self.tally.merge(more);
        self.touched = self.touched.max(now);
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.tally.severity
    }

    /// Somebody looks after it: it is neither told again nor escalated.
    pub(crate) fn acknowledge(&mut self, by: By) -> Result<(), AlertError> {
        match self.state {
            State::Open => {
                (self.state, self.by, self.held) = (State::Acknowledged, Some(by), None);
                Ok(())
            }
            state => Err(AlertError::State { state: state.as_str() }),
        }
    }

    /// It is over. More of the same is another alert.
    pub(crate) fn resolve(&mut self, by: Option<By>) -> Result<(), AlertError> {
        if self.state == State::Resolved {
            return Err(AlertError::State { state: self.state.as_str() });
        }
        (self.state, self.by, self.held) = (State::Resolved, by, None);
        Ok(())
    }

    /// When something is due next, unless something happens. A silence that holds until `silenced` puts it off.
    pub(crate) fn due(&self, route: Option<&AlertRoute>, silenced: Option<Moment>) -> Option<Moment> {
        let quiet = self.quiet(route);
        match self.state {
            State::Resolved => None,
            State::Acknowledged => Some(quiet),
            State::Open => {
                let telling = route.map(|route| self.next_telling(route).min(self.next_escalation(route)));
                let telling = telling.map(|next| silenced.map_or(next, |silenced| next.max(silenced)));
                Some(telling.map_or(quiet, |next| next.min(quiet)))
            }
        }
    }

    /// Does the next thing that is due, if any is. Asked until it says nothing.
    pub(crate) fn advance(
        &mut self,
        route: Option<&AlertRoute>,
        silenced: Option<Moment>,
        allowance: &mut Allowance,
        now: Moment,
    ) -> Option<Step> {
        if self.state == State::Resolved {
            return None;
        }
        if now >= self.quiet(route) {
            (self.state, self.held) = (State::Resolved, None);
            return Some(Step::Resolve);
        }
        if self.state == State::Acknowledged || silenced.is_some_and(|until| now < until) {
            return None;
        }
        let route = route?;
        // Whoever was told of something else since was told of this, too.
        if self.held.is_some_and(|held| held.round < allowance.round()) {
            (self.held, self.notified) = (None, Some(now));
        }
        if now >= self.next_telling(route) {
            match allowance.take(route, now) {
                Ok(held) => {
                    let again = self.notified.is_some();
                    (self.held, self.notified) = (None, Some(now));
                    self.escalates_from.get_or_insert(now);
                    return Some(Step::Tell { again, to: route.to.clone(), held });
                }
                Err(until) => {
                    let round = match self.held {
                        Some(held) => held.round,
                        None => allowance.hold(&self.tally.example.title),
                    };
                    self.held = Some(Held { until, round });
                }
            }
        }
        if now >= self.next_escalation(route) {
            let step = route.escalate.get(self.escalations)?;
            self.escalations += 1;
            return Some(Step::Escalate { to: step.to.clone() });
        }
        None
    }

    fn quiet(&self, route: Option<&AlertRoute>) -> Moment {
        self.touched.after(route.map_or(ORPHANED, |route| route.resolve_after))
    }

    fn next_telling(&self, route: &AlertRoute) -> Moment {
        match (self.held, self.notified) {
            (Some(held), _) => held.until,
            (None, Some(notified)) => notified.after(route.repeat),
            (None, None) => self.raised.after(route.wait),
        }
    }

    /// Far away, where there is none.
    fn next_escalation(&self, route: &AlertRoute) -> Moment {
        let step = self.escalates_from.zip(route.escalate.get(self.escalations));
        step.map_or(Moment(i64::MAX), |(from, step)| from.after(step.after))
    }
}
