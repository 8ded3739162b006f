//! The log as somebody may see it: all of it, or what belongs to one organisation.

use std::{sync::Arc, time::Duration};

use crate::{
    Counts, Dimension, Event, EventError, EventId, EventLog, Filter, Following, Order, Page, Ranking,
    log::Shared, store::Scope,
};

/// What somebody sees of the log. Every question works for a while, at most `within`: not for a thread that others wait for.
///
/// Of one organisation it finds that one's events alone, whatever the filter says. PostgreSQL holds it to that by row-level
/// security; in files the statement does. It shows them without what belongs to those who run the gateway; so that nobody
/// finds that out by guessing either, whoever asks for an organisation must not be let ask for rules or words, and is not
/// answered by where operators sit.
#[derive(Debug, Clone)]
pub struct EventView {
    shared: Arc<Shared>,
    scope: Scope,
}

impl EventLog {
    /// Everything, of every gateway that shares the store.
    pub fn everywhere(&self) -> EventView {
        self.view(Scope::Everything)
    }

    /// What this gateway has stored since it began. Without a shared store the same as [`EventLog::everywhere`].
    pub fn own(&self) -> EventView {
        self.view(Scope::Own)
    }

    /// What belongs to the organisation with this id.
    pub fn within(&self, organization: &str) -> EventView {
        self.view(Scope::Organization(organization.into()))
    }

    fn view(&self, scope: Scope) -> EventView {
        EventView { shared: self.shared(), scope }
    }
}

impl EventView {
    /// Events that pass, at most `limit`, behind `cursor` in the order that is asked for.
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        cursor: Option<EventId>,
        limit: usize,
        within: Duration,
    ) -> Result<Page, EventError> {
        let mut page = self.shared.reader.page(&self.scope, filter, order, cursor, limit, within)?;
        if let Scope::Organization(_) = self.scope {
            page.events = page.events.into_iter().map(Event::told).collect();
        }
        Ok(page)
    }

    /// How many events of each kind each piece of so many minutes had. Of everything those that were not kept count, too,
    /// and of the filter the span, the kinds, the classes and the severity; of an organisation those that were kept and
    /// pass.
    pub fn counts(&self, filter: &Filter, minutes: u32, within: Duration) -> Result<Counts, EventError> {
        self.shared.reader.counts(&self.scope, filter, minutes, within)
    }

    /// The values that most of the kept events which pass have, the most frequent first. In files, beyond ten thousand
    /// values a day, it is an estimate.
    pub fn top(
        &self,
        filter: &Filter,
        dimension: Dimension,
        limit: usize,
        within: Duration,
    ) -> Result<Ranking, EventError> {
        self.shared.reader.top(&self.scope, filter, dimension, limit, within)
    }

    /// Shows every event from now on, once it is there for good, also those that other gateways store. `None`: the log is
    /// closing.
    pub fn follow(&self) -> Option<Following> {
        self.shared.followers.follow_all(self.scope.clone())
    }
}
