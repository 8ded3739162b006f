//! The log of events: what records them, finds them and shows them as they come.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use metrics::{Counter, counter};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::{
    Counts, Database, Dimension, Event, EventError, EventId, Filter, Happening, Kind, Order, Page, Ranking,
    Severity, Tap,
    following::Followers,
    queue::{Queue, Taken},
    spill::Spill,
    store::{self, Reader, Uncounted},
    writer::Writer,
};

const SPILL: &str = "spill";

/// Where events are kept, and how much of them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The directory of the daily files, with the spill in it; with a database, of the spill alone.
    pub directory: PathBuf,
    /// How long they are kept. Days are removed whole.
    pub retention: Duration,
    /// How much may wait to be written.
    pub queue: QueueBounds,
    /// How many bytes the spill may hold.
    pub spill: u64,
}

/// How much may wait to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueBounds {
    /// Events.
    pub events: usize,
    /// The memory they hold.
    pub bytes: usize,
}

impl Default for QueueBounds {
    fn default() -> Self {
        Self { events: 65_536, bytes: 64 * 1024 * 1024 }
    }
}

/// The log of events. Cheap to clone; it writes until [`EventLog::finish`].
#[derive(Debug, Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What the log and the thread that writes it have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) reader: Reader,
    /// Of each kind, in their order: what is to be counted without being stored.
    pub(crate) uncounted: Vec<AtomicU64>,
    /// In seconds.
    retention: AtomicU64,
    pub(crate) followers: Arc<Followers>,
    dropped: [Counter; 5],
    /// Of each severity, since the start.
    lost: [AtomicU64; 5],
    /// Since the start.
    pub(crate) spilled: AtomicU64,
    /// Whether something is spilled that the store has not taken yet.
    pub(crate) has_spill: AtomicBool,
    /// How many may wait.
    room: usize,
}

/// How a log fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogHealth {
    /// How many events wait to be written.
    pub waiting: usize,
    /// How many may.
    pub room: usize,
    /// Of informational and low severity: how many were dropped since the start.
    pub dropped: u64,
    /// Of medium severity and above: how many are lost since the start.
    pub lost: u64,
    /// How many were spilled since the start.
    pub spilled: u64,
    /// Whether something is spilled that the store has not taken yet.
    pub has_spill: bool,
}

impl EventLog {
    /// Opens the log, and replays what a process before has spilled. Where today's file cannot be used, it begins with the
    /// spill alone.
    pub fn open(settings: Settings) -> Result<Self, EventError> {
        Self::open_tapped(settings, None)
    }

    /// The same, with somebody who is shown everything that is written from now on.
    pub fn open_tapped(settings: Settings, tap: Option<Arc<dyn Tap>>) -> Result<Self, EventError> {
        Self::open_in(settings, None, tap)
    }

    /// The same, in a `database` that gateways share, if there is one. Where it does not answer, the log begins with the
    /// spill alone; a role of it that could see every organisation's events is refused. It blocks its thread.
    pub fn open_in(
        settings: Settings,
        database: Option<&Database>,
        tap: Option<Arc<dyn Tap>>,
    ) -> Result<Self, EventError> {
        let Settings { directory, retention, queue, spill } = settings;
        let (followers, now) = (Arc::<Followers>::default(), SystemTime::now());
        let (store, reader) = match database {
            None => store::open_files(directory.clone(), now)?,
            Some(database) => store::open_database(database, &followers, now)?,
        };
        let spill = Spill::open(directory.join(SPILL), spill)?;
        let of =
            |severity: Severity| counter!("bartizan_events_dropped_total", "severity" => severity.as_str());
        let shared = Arc::new(Shared {
            queue: Queue::new(queue),
            reader,
            uncounted: Kind::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            retention: AtomicU64::new(retention.as_secs()),
            followers,
            dropped: Severity::ALL.map(of),
            lost: Severity::ALL.map(|_| AtomicU64::new(0)),
            spilled: AtomicU64::new(0),
            has_spill: AtomicBool::new(spill.has_some()),
            room: queue.events,
        });
        let writer = Writer::new(Arc::clone(&shared), store, spill, tap);
        let thread = thread::Builder::new().name("events".into()).spawn(move || writer.run());
        let writer = Arc::new(Mutex::new(Some(thread.map_err(EventError::Writer)?)));
        Ok(Self { shared, writer })
    }

    /// Records what has happened. Never waits: what there is no room for is dropped, and counted.
    pub fn record(&self, happening: impl Happening + 'static) {
        let (kind, severity) = (happening.kind(), happening.severity());
        if self.shared.queue.push(Box::new(happening)) == Taken::No {
            self.shared.drop_all([(kind, severity)].into_iter());
        }
    }

    /// Counts what happened without keeping it.
    pub fn count(&self, kind: Kind) {
        self.shared.count(kind, 1);
    }

    /// Shows every event of this gateway from now on, once it is there for good. A follower that is too slow misses some and is told how
    /// many. `None`: the log is closing.
    pub fn follow(&self) -> Option<broadcast::Receiver<Arc<Event>>> {
        self.shared.followers.follow_own()
    }

    /// Events that pass, at most `limit`, behind `cursor` in the order that is asked for. Works for a while, at most
    /// `within`: not for a thread that others wait for.
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        cursor: Option<EventId>,
        limit: usize,
        within: Duration,
    ) -> Result<Page, EventError> {
        self.everywhere().page(filter, order, cursor, limit, within)
    }

    /// How many events of each kind each piece of so many minutes had, those included that were not kept. Of the filter
    /// the span, the kinds, the classes and the severity count.
    pub fn counts(&self, filter: &Filter, minutes: u32, within: Duration) -> Result<Counts, EventError> {
        self.everywhere().counts(filter, minutes, within)
    }

    /// The values that most of the kept events which pass have, the most frequent first. Beyond ten thousand values a
    /// day it is an estimate.
    pub fn top(
        &self,
        filter: &Filter,
        dimension: Dimension,
        limit: usize,
        within: Duration,
    ) -> Result<Ranking, EventError> {
        self.everywhere().top(filter, dimension, limit, within)
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Keeps events for another time from now on.
    pub fn set_retention(&self, retention: Duration) {
        self.shared.retention.store(retention.as_secs(), Ordering::Relaxed);
    }

    /// How many events wait to be written.
    pub fn waiting(&self) -> usize {
        self.shared.queue.len()
    }

    /// How it fares.
    pub fn health(&self) -> LogHealth {
        let shared = &self.shared;
        let lost = |is_expendable: bool| {
            let counts = Severity::ALL.iter().zip(&shared.lost);
            let counts = counts.filter(|(severity, _)| severity.is_expendable() == is_expendable);
            counts.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
        };
        LogHealth {
            waiting: self.waiting(),
            room: shared.room,
            dropped: lost(true),
            lost: lost(false),
            spilled: shared.spilled.load(Ordering::Relaxed),
            has_spill: shared.has_spill.load(Ordering::Relaxed),
        }
    }

    /// Waits until everything that was recorded so far is there for good, or was dropped. It blocks its thread.
    pub fn flush(&self) {
        self.shared.queue.flush();
    }

    /// Shows events to organisations no more: whoever follows those of one comes to an end.
    pub fn dismiss_organizations(&self) {
        self.shared.followers.dismiss_organizations();
    }

    /// Shows events to nobody any more: whoever follows comes to an end.
    pub fn dismiss_followers(&self) {
        self.shared.followers.dismiss();
    }

    /// Writes what waits and stops; what is recorded later is dropped. It blocks its thread.
    pub fn finish(&self) {
        self.dismiss_followers();
        self.shared.queue.close();
        let writer = self.writer.lock().take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            tracing::error!("the writer of events has failed inside");
        }
    }
}

impl Shared {
    pub(crate) fn retention(&self) -> Duration {
        Duration::from_secs(self.retention.load(Ordering::Relaxed))
    }

    /// They are gone. They are counted all the same: as dropped, and as having happened.
    pub(crate) fn drop_all(&self, gone: impl Iterator<Item = (Kind, Severity)>) {
        for (kind, severity) in gone {
            let index = usize::from(severity.number() - 1);
            self.dropped[index].increment(1);
            self.lost[index].fetch_add(1, Ordering::Relaxed);
            self.count(kind, 1);
        }
    }

    /// What could not be written is counted another time.
    pub(crate) fn count_again(&self, uncounted: impl Iterator<Item = Uncounted>) {
        uncounted.for_each(|uncounted| self.count(uncounted.kind, uncounted.count));
    }

    fn count(&self, kind: Kind, count: u64) {
        if let Some(index) = Kind::ALL.iter().position(|known| *known == kind) {
            self.uncounted[index].fetch_add(count, Ordering::Relaxed);
        }
    }
}
