//! Where events are kept: files of one gateway ([`files`]), or a database that several share ([`postgres`]).
//!
//! One thread writes; others read, each question within a deadline. Either store keeps an event that is written twice once,
//! and counts it once.

mod day;
mod files;
mod postgres;

#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use self::postgres::Database;
pub(crate) use self::{day::Day, files::create_private_directory};
use self::{files::Files, postgres::Postgres};
use crate::{
    Counts, Dimension, Event, EventError, EventId, Filter, Kind, Order, Page, Ranking, following::Followers,
};

pub(crate) const MINUTE: u64 = 60 * 1000;

/// How many events of a kind a minute had that are not among those stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uncounted {
    /// The minute, in milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) kind: Kind,
    pub(crate) count: u64,
}

impl Uncounted {
    pub(crate) fn day(&self) -> Day {
        Day::of_milliseconds(self.at)
    }
}

/// Days whose part of a batch is not stored.
#[derive(Debug)]
pub(crate) struct Unstored {
    /// Why the first is not.
    pub(crate) error: EventError,
    pub(crate) days: Vec<Day>,
}

/// Whose events are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    Everything,
    /// Everybody's that this gateway has stored since it began.
    Own,
    /// Those of the organisation with this id.
    Organization(Arc<str>),
}

impl Scope {
    /// Whether an event is seen by whoever follows.
    pub(crate) fn admits(&self, event: &Event) -> bool {
        match self {
            Self::Everything | Self::Own => true,
            Self::Organization(id) => event.organization.as_deref() == Some(id),
        }
    }

    /// What is asked for, of what is seen; `by_address`: whether the answer tells of addresses.
    fn narrow(&self, filter: &Filter, by_address: bool) -> Wanted {
        match self {
            Self::Everything | Self::Own => filter.clone().into(),
            Self::Organization(id) => Wanted {
                filter: Filter { organization: Some(id.to_string()), ..filter.clone() },
                without_operators: by_address || filter.network.is_some(),
            },
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) filter: Filter,
    /// Without what operators have done: where they sit is not told.
    pub(crate) without_operators: bool,
}

impl From<Filter> for Wanted {
    fn from(filter: Filter) -> Self {
        Self { filter, without_operators: false }
    }
}

/// What stands in the details of what an operator has done, and nowhere else: within a text its quotes are escaped.
pub(crate) const BY_OPERATOR: &str = r#""actor":"operator""#;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Everything that happened, kept or not.
    All,
    /// What was kept and passes.
    Kept,
}

/// What one thread writes with.
#[derive(Debug)]
pub(crate) enum Store {
    Files(Files),
    Postgres(postgres::Writer),
}

/// What is read with. Every method works for a while: none belongs on a thread that others wait for.
#[derive(Debug)]
pub(crate) enum Reader {
    Files(files::Reader),
    Postgres(postgres::Reader),
}

/// A store of files, opened.
pub(crate) fn open_files(directory: PathBuf, now: SystemTime) -> Result<(Store, Reader), EventError> {
    let files = Files::open(directory.clone(), now)?;
    Ok((Store::Files(files), Reader::Files(files::Reader::new(directory))))
}

/// A database, opened. Whoever follows is shown what other gateways store there.
pub(crate) fn open_database(
    database: &Database,
    followers: &Arc<Followers>,
    now: SystemTime,
) -> Result<(Store, Reader), EventError> {
    let (writer, reader) = Postgres::open(database, followers, now)?;
    Ok((Store::Postgres(writer), Reader::Postgres(reader)))
}

impl Store {
    /// Stores events, and counts them and `uncounted`. An event that is there already is left as it is, and not counted
    /// again.
    pub(crate) fn append(&mut self, events: &[Event], uncounted: &[Uncounted]) -> Result<(), Unstored> {
        match self {
            Self::Files(files) => files.append(events, uncounted),
            Self::Postgres(writer) => writer.append(events, uncounted).map_err(|error| {
                // One transaction has all of it or nothing.
                let mut days: Vec<Day> = events.iter().map(Day::of_event).collect();
                days.extend(uncounted.iter().map(Uncounted::day));
                days.sort_unstable();
                days.dedup();
                Unstored { error, days }
            }),
        }
    }

    /// Removes the days that ended before the retention began.
    pub(crate) fn tidy(&mut self, retention: Duration, now: SystemTime) -> Result<Vec<Day>, EventError> {
        match self {
            Self::Files(files) => files.tidy(retention, now),
            Self::Postgres(writer) => writer.tidy(retention, now),
        }
    }
}

impl Reader {
    pub(crate) fn page(
        &self,
        scope: &Scope,
        filter: &Filter,
        order: Order,
        cursor: Option<EventId>,
        limit: usize,
        within: Duration,
    ) -> Result<Page, EventError> {
        let wanted = scope.narrow(filter, false);
        match self {
            Self::Files(files) => files.page(&wanted, order, cursor, limit, within),
            Self::Postgres(database) => database.page(scope, &wanted, order, cursor, limit, within),
        }
    }

    /// Of an organisation only what was kept is counted: nobody counts the rest for each.
    pub(crate) fn counts(
        &self,
        scope: &Scope,
        filter: &Filter,
        minutes: u32,
        within: Duration,
    ) -> Result<Counts, EventError> {
        let wanted = scope.narrow(filter, false);
        let counted = match scope {
            Scope::Everything | Scope::Own => Counted::All,
            Scope::Organization(_) => Counted::Kept,
        };
        match self {
            Self::Files(files) => files.counts(&wanted, counted, minutes, within),
            Self::Postgres(database) => database.counts(scope, &wanted, counted, minutes, within),
        }
    }

    pub(crate) fn top(
        &self,
        scope: &Scope,
        filter: &Filter,
        dimension: Dimension,
        limit: usize,
        within: Duration,
    ) -> Result<Ranking, EventError> {
        let wanted = scope.narrow(filter, dimension == Dimension::Address);
        match self {
            Self::Files(files) => files.top(&wanted, dimension, limit, within),
            Self::Postgres(database) => database.top(scope, &wanted, dimension, limit, within),
        }
    }

    /// Days that are gone are asked no more.
    pub(crate) fn forget(&self, gone: &[Day]) {
        match self {
            Self::Files(files) => files.forget(gone),
            Self::Postgres(_) => {}
        }
    }
}
