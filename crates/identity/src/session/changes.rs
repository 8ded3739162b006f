//! What must not be remembered any longer: sessions that have ended, people of whom something has changed.
//!
//! Each change is a row in the store, written with the change itself. The gateway that makes one notes it at once; the
//! others read the new rows twice a second. A row counts from the moment at which it is seen, so clocks need not agree;
//! rows are looked for a minute back, because a transaction may become visible long after its moment.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use bartizan_store::{Statement, Store, StoreError, Transaction};
use parking_lot::{Mutex, RwLock};

use super::moment::{milliseconds, now};
use crate::authorization_server::epochs::TokenEpochs;

/// How long what was read of a session is relied on.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(30);
/// How far back rows are looked for.
pub(crate) const OVERLAP: Duration = Duration::from_mins(1);
/// How long rows stay.
const KEPT: Duration = Duration::from_mins(10);

/// What has changed lately, by the id of a session or of a person.
#[derive(Debug, Default)]
pub(crate) struct SessionChanges {
    noted: RwLock<HashMap<Box<str>, Instant>>,
    /// The rows that have been noted.
    seen: Mutex<HashSet<String>>,
    is_empty: AtomicBool,
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
        [session, user].iter().any(|id| noted.get(*id).is_some_and(|at| read <= *at))
    }

    /// From now on, nothing that was read of `subject` before counts.
    pub(crate) fn note(&self, subject: &str) {
        let mut noted = self.noted.write();
        noted.insert(subject.into(), Instant::now());
        self.is_empty.store(false, Ordering::Release);
    }

    /// The row that tells the other gateways. Access tokens that were issued before end, too.
    pub(crate) async fn tell(transaction: &mut Transaction, subject: &str) -> Result<(), StoreError> {
        const TELL: &str = "INSERT INTO session_changes (id, at, subject) VALUES ($1, $2, $3)";
        let id = uuid::Uuid::now_v7().to_string();
        transaction.execute(Statement::new(TELL).text(id).integer(now()).text(subject)).await?;
        TokenEpochs::advance(transaction, subject).await
    }

    /// Notes what other gateways have told, and forgets what nothing remembered can be older than. Returns what is new.
    pub(crate) async fn follow(&self, store: &Store) -> Result<Vec<String>, StoreError> {
        const READ: &str = "SELECT id, subject FROM session_changes WHERE at > $1";
        let since = milliseconds(SystemTime::now() - OVERLAP);
        let rows = store.rows(Statement::new(READ).integer(since)).await?;
        let (mut ids, mut told) = (HashSet::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let (id, subject) = (row.text("id")?, row.text("subject")?);
            if !self.seen.lock().contains(&id) {
                self.note(&subject);
                told.push(subject);
            }
            ids.insert(id);
        }
        *self.seen.lock() = ids;
        let mut noted = self.noted.write();
        noted.retain(|_, at| at.elapsed() < REMEMBERED * 2);
        self.is_empty.store(noted.is_empty(), Ordering::Release);
        Ok(told)
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
}
