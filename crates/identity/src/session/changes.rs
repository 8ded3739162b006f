//! What must not be remembered any longer: sessions that have ended, people of whom something has changed.
//!
//! Each change is a row in the store, written with the change itself. The gateway that makes one notes it at once; the
//! others read the new rows twice a second. A row counts from the moment at which it is seen. Rows are looked for some
//! minutes back from the last time, because a transaction may become visible long after its moment, and clocks differ.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use bartizan_store::{Statement, Store, StoreError, Transaction};
use parking_lot::{Mutex, RwLock};

use super::moment::{milliseconds, now, span};
use crate::authorization_server::epochs::TokenEpochs;

/// How long what was read of a session is relied on.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(30);
/// How far back rows are looked for where there are many. Seeing one again does nothing.
pub(crate) const OVERLAP: Duration = Duration::from_mins(1);
/// How far back where there are few.
const WIDE_OVERLAP: Duration = Duration::from_mins(10);
const FEW: usize = 1000;
/// How long rows stay.
const KEPT: Duration = Duration::from_mins(30);
/// A clock that is ahead of the other by so much has been set, or the machine has slept.
const JUMP: Duration = Duration::from_secs(5);
/// What is noted where anything may have changed: no session or person is called so.
const EVERYBODY: &str = "";

/// What has changed lately, by the id of a session or of a person.
#[derive(Debug, Default)]
pub(crate) struct SessionChanges {
    noted: RwLock<HashMap<Box<str>, Instant>>,
    /// The rows that have been noted.
    seen: Mutex<HashSet<String>>,
    is_empty: AtomicBool,
    /// When they were read last.
    last: Mutex<Option<Reading>>,
}

/// What other gateways have told.
#[derive(Debug)]
pub(crate) struct Told {
    /// Of whom or what something has changed.
    pub(crate) subjects: Vec<String>,
    /// Whether there may be more that nobody will tell again.
    pub(crate) may_lack: bool,
}

/// A moment by both clocks.
#[derive(Debug, Clone, Copy)]
struct Reading {
    wall: SystemTime,
    steady: Instant,
}

impl Reading {
    fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// From when rows count that are read at `self`.
    fn since(self, last: Option<Self>, overlap: Duration) -> i64 {
        let from = last.map_or(self.wall, |last| last.wall.min(self.wall));
        milliseconds(from).saturating_sub(span(overlap))
    }

    /// Whether the clocks disagree about the time between two readings.
    fn has_jumped(self, last: Self) -> bool {
        let steady = self.steady.saturating_duration_since(last.steady);
        self.wall.duration_since(last.wall).map_or(true, |wall| wall.abs_diff(steady) > JUMP)
    }
}

impl SessionChanges {
    pub(crate) fn new() -> Self {
        Self { is_empty: AtomicBool::new(true), ..Self::default() }
    }

    /// Whether what was read of this session at `read` may be out of date.
    pub(crate) fn is_stale(&self, session: &str, user: &str, read: Instant) -> bool {
        if self.is_empty.load(Ordering::Acquire) {
            return false;
        }
        let noted = self.noted.read();
        [session, user, EVERYBODY].iter().any(|id| noted.get(*id).is_some_and(|at| read <= *at))
    }

    /// From now on, nothing that was read of `subject` before counts.
    pub(crate) fn note(&self, subject: &str) {
        let mut noted = self.noted.write();
        noted.insert(subject.into(), Instant::now());
        self.is_empty.store(false, Ordering::Release);
    }

    /// The row that tells the other gateways. Access tokens that were issued before go on.
    pub(crate) async fn tell(transaction: &mut Transaction, subject: &str) -> Result<(), StoreError> {
        const TELL: &str = "INSERT INTO session_changes (id, at, subject) VALUES ($1, $2, $3)";
        let id = uuid::Uuid::now_v7().to_string();
        let tell = Statement::new(TELL).text(id).integer(now()).text(subject);
        transaction.execute(tell).await.map(|_| ())
    }

    /// The same; access tokens that were issued before end, too.
    pub(crate) async fn tell_and_revoke(
        transaction: &mut Transaction,
        subject: &str,
    ) -> Result<(), StoreError> {
        Self::tell(transaction, subject).await?;
        TokenEpochs::advance(transaction, subject).await
    }

    /// Notes what other gateways have told, and forgets what nothing remembered can be older than.
    pub(crate) async fn follow(&self, store: &Store) -> Result<Told, StoreError> {
        const READ: &str = "SELECT id, subject FROM session_changes WHERE at > $1";
        let (reading, last) = (Reading::now(), *self.last.lock());
        let overlap = if self.seen.lock().len() < FEW { WIDE_OVERLAP } else { OVERLAP };
        let since = reading.since(last, overlap);
        let rows = store.rows(Statement::new(READ).integer(since)).await?;
        let (mut ids, mut subjects) = (HashSet::with_capacity(rows.len()), Vec::new());
        let may_lack = last.is_some_and(|last| reading.has_jumped(last));
        if may_lack {
            self.note(EVERYBODY);
        }
        for row in rows {
            let (id, subject) = (row.text("id")?, row.text("subject")?);
            if !self.seen.lock().contains(&id) {
                self.note(&subject);
                subjects.push(subject);
            }
            ids.insert(id);
        }
        *self.seen.lock() = ids;
        *self.last.lock() = Some(reading);
        let mut noted = self.noted.write();
        noted.retain(|_, at| at.elapsed() < REMEMBERED * 2);
        self.is_empty.store(noted.is_empty(), Ordering::Release);
        Ok(Told { subjects, may_lack })
    }

    /// Removes rows that everybody has read.
    pub(crate) async fn tidy(store: &Store) -> Result<(), StoreError> {
        const TIDY: &str = "DELETE FROM session_changes WHERE at < $1";
        let before = milliseconds(SystemTime::now() - KEPT);
        store.execute(Statement::new(TIDY).integer(before)).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_ends_what_was_read_before_it_only() {
        let changes = SessionChanges::new();
        let before = Instant::now();
        assert!(!changes.is_stale("session", "user", before));
        changes.note("user");
        assert!(changes.is_stale("session", "user", before));
        assert!(!changes.is_stale("session", "other", before));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!changes.is_stale("session", "user", Instant::now()));
        changes.note("session");
        assert!(changes.is_stale("session", "other", before));
    }

    #[test]
    fn a_clock_that_was_set_and_a_machine_that_slept_are_noticed() {
        let last = Reading::now();
        let at = |wall: u64, steady: u64| Reading {
            wall: last.wall + Duration::from_secs(wall),
            steady: last.steady + Duration::from_secs(steady),
        };
        assert!(!at(60, 60).has_jumped(last) && !at(64, 60).has_jumped(last));
        assert!(at(3600, 1).has_jumped(last), "it slept, or was set forward");
        assert!(at(1, 3600).has_jumped(last) && last.has_jumped(at(10, 0)), "it was set back");
        let minute = Duration::from_mins(1);
        let wall = milliseconds(last.wall);
        assert_eq!(at(3600, 1).since(Some(last), minute), wall - 60_000, "from the last time on");
        assert_eq!(last.since(Some(at(3600, 0)), minute), wall - 60_000, "a clock that was set back");
        assert_eq!(last.since(None, minute), wall - 60_000);
    }

    #[test]
    fn after_a_gap_nothing_that_was_read_before_counts() {
        let changes = SessionChanges::new();
        let before = Instant::now();
        changes.note(EVERYBODY);
        assert!(changes.is_stale("session", "user", before));
    }
}
