//! Events, gathered by the route that takes them and by what they have in common. Pure: what the clock says is in the events.

use std::{collections::HashMap, mem, sync::Arc};

use bartizan_config::{AlertGrouping, AlertRoute, Alerts};
use bartizan_events::{Class, Event};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tally::{Tally, short};

/// The most groups that are gathered at once. Beyond, events of new groups are gathered in one for their route.
const MOST_GROUPS: usize = 10_000;

/// What the events of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Common {
    /// What of them: `rule`, `kind`, `address`, `user`, `organization` or `route`.
    pub by: String,
    /// Its value; `None`: they have none.
    pub value: Option<String>,
}

/// Names a group, in this gateway and in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKey([u8; 16]);

/// Events of one group.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// Names the group.
    pub(crate) key: GroupKey,
    /// The name of the route that has taken them.
    pub(crate) route: String,
    /// What they have in common.
    pub(crate) group: Vec<Common>,
    /// What they come to.
    pub(crate) tally: Tally,
}

/// Gathers events until somebody takes them.
#[derive(Debug)]
pub struct Gathering {
    config: Arc<Alerts>,
    groups: HashMap<GroupKey, Gathered>,
}

impl Gathering {
    /// By the routes of `config`.
    pub fn new(config: Arc<Alerts>) -> Self {
        Self { config, groups: HashMap::new() }
    }

    /// Goes by other routes from now on; what is gathered stays.
    pub fn follow(&mut self, config: Arc<Alerts>) {
        self.config = config;
    }

    /// Takes an event into the groups of the routes that it fits. What is about alerts is none: nothing is ever raised about
    /// itself.
    pub fn observe(&mut self, event: &Event) {
        let is_own = event.kind.class() == Class::IncidentFinding
            || event.details.reason.as_deref().is_some_and(|reason| reason.starts_with("alert."));
        if is_own {
            return;
        }
        let config = Arc::clone(&self.config);
        for route in &config.routes {
            if !fits(route, event) {
                continue;
            }
            self.gather(route, event);
            if !route.goes_on {
                return;
            }
        }
    }

    fn gather(&mut self, route: &AlertRoute, event: &Event) {
        let key = GroupKey::of(route, Some(event));
        if let Some(known) = self.groups.get_mut(&key) {
            return known.tally.add(event);
        }
        if self.groups.len() >= MOST_GROUPS {
            return self.gather_overflow(route, event);
        }
        let gathered = Gathered {
            key,
            route: route.name.to_string(),
            group: common(route, event),
            tally: Tally::of(event),
        };
        self.groups.insert(key, gathered);
    }

    /// There are too many groups: what they have in common is the route.
    fn gather_overflow(&mut self, route: &AlertRoute, event: &Event) {
        let key = GroupKey::of(route, None);
        if let Some(known) = self.groups.get_mut(&key) {
            return known.tally.add(event);
        }
        let gathered =
            Gathered { key, route: route.name.to_string(), group: Vec::new(), tally: Tally::of(event) };
        self.groups.insert(key, gathered);
    }

    /// Whether there is anything to take.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Everything that was gathered.
    pub fn take(&mut self) -> Vec<Gathered> {
        mem::take(&mut self.groups).into_values().collect()
    }

    /// What could not be kept yet, so that it is taken another time.
    pub(crate) fn give_back(&mut self, gathered: Gathered) {
        match self.groups.get_mut(&gathered.key) {
            Some(known) => known.tally.merge(gathered.tally),
            None => drop(self.groups.insert(gathered.key, gathered)),
        }
    }
}

impl Gathered {
    /// The events of a group whose route has too many.
    pub(crate) fn into_overflow(self) -> Self {
        let key = GroupKey::overflow(&self.route);
        Self { key, group: Vec::new(), ..self }
    }

    pub(crate) fn is_overflow(&self) -> bool {
        self.key == GroupKey::overflow(&self.route)
    }
}

impl GroupKey {
    /// Each part with its length before it, so that no two groups are one. Without an event: that of what is too much.
    fn of(route: &AlertRoute, event: Option<&Event>) -> Self {
        let Some(event) = event else { return Self::overflow(route.name.as_str()) };
        let mut digest = Sha256::new();
        let mut add = |text: Option<&str>| {
            digest.update(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            digest.update(text.unwrap_or_default());
        };
        add(Some(route.name.as_str()));
        for by in &route.group_by {
            add(Some(by.as_str()));
            match by {
                AlertGrouping::Address => {
                    add(event.address.map(|address| address.to_canonical().to_string()).as_deref());
                }
                by => add(value(*by, event)),
            }
        }
        Self::finish(digest)
    }

    fn overflow(route: &str) -> Self {
        Self::finish(Sha256::new().chain_update("overflow").chain_update(route))
    }

    fn finish(digest: Sha256) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&digest.finalize()[..16]);
        Self(key)
    }
}

impl std::fmt::Display for GroupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn fits(route: &AlertRoute, event: &Event) -> bool {
    let listed = |list: &[String], value: Option<&str>| {
        list.is_empty() || value.is_some_and(|value| list.iter().any(|listed| listed == value))
    };
    event.severity.number() >= route.severity as u8
        && listed(&route.kinds, Some(event.kind.as_str()))
        && (route.rules.is_empty() || event.rules.iter().any(|rule| route.rules.contains(rule)))
        && listed(&route.organizations, event.organization.as_deref())
        && (route.paths.is_empty()
            || event.route.as_deref().is_some_and(|path| route.paths.iter().any(|known| known.matches(path))))
        && route.when.as_ref().is_none_or(|when| when.hold(event.id.moment()))
}

fn value(by: AlertGrouping, event: &Event) -> Option<&str> {
    match by {
        AlertGrouping::Rule => event.rules.first().map(String::as_str),
        AlertGrouping::Kind => Some(event.kind.as_str()),
        AlertGrouping::User => event.user.as_deref(),
        AlertGrouping::Organization => event.organization.as_deref(),
        AlertGrouping::Route => event.route.as_deref(),
        AlertGrouping::Address => None,
    }
}

fn common(route: &AlertRoute, event: &Event) -> Vec<Common> {
    let of = |by: &AlertGrouping| Common {
        by: by.as_str().to_owned(),
        value: match by {
            AlertGrouping::Address => event.address.map(|address| address.to_canonical().to_string()),
            by => value(*by, event).map(short),
        },
    };
    route.group_by.iter().map(of).collect()
}
