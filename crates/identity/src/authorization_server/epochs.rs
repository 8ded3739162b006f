//! Which tokens have been revoked, known without asking.
//!
//! A token says for its person and its organisation which epoch it was issued in. Whoever revokes begins another epoch of
//! one subject: a person, an organisation, a session, an authorisation or one token. Every gateway reads the new epochs
//! twice a second and keeps them in memory, as long as a token from before may live. An epoch is a moment in
//! milliseconds, or one more than the last, so clocks only need to agree to within an hour. Where they differ by more than
//! a minute, what was revoked is seen within seconds: every few reads begin where nothing can have been missed.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use bartizan_store::{Statement, Store, StoreError, Transaction};
use parking_lot::RwLock;
use serde_json::Value;

use crate::{
    session::moment::{milliseconds, now, span},
    token::json::Object,
};

/// How far back rows are looked for: a transaction may become visible long after its moment.
const OVERLAP: Duration = Duration::from_mins(1);
/// How long rows stay: twice the longest access token that can be configured.
const KEPT: Duration = Duration::from_hours(2);
/// How many subjects are kept in memory.
const CAPACITY: usize = 200_000;

const ADVANCE: &str = "INSERT INTO token_epochs (subject, epoch, changed_at) VALUES ($1, $2, $2) \
    ON CONFLICT (subject) DO UPDATE SET changed_at = excluded.changed_at, \
    epoch = CASE WHEN excluded.epoch > token_epochs.epoch THEN excluded.epoch ELSE token_epochs.epoch + 1 END";
const READ: &str = "SELECT subject, epoch FROM token_epochs WHERE changed_at > $1";
/// What the epochs of a token call the services that it was exchanged by.
const EXCHANGED_BY: &str = "exchanged_by";
const CURRENT: &str = "SELECT epoch FROM token_epochs WHERE subject = $1";

/// The epochs that this gateway knows.
#[derive(Debug)]
pub(crate) struct TokenEpochs {
    known: RwLock<Known>,
    is_empty: AtomicBool,
    /// When the last read that succeeded began: what is older was read by then.
    read_at: AtomicI64,
    /// The same by a clock that nobody sets: milliseconds since `made`.
    confirmed: AtomicU64,
    made: Instant,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Known {
    epochs: HashMap<Box<str>, i64>,
    /// The oldest first.
    by_age: BTreeSet<(i64, Box<str>)>,
    /// Tokens that were issued up to this moment are refused: what was known of them had to make room.
    floor: i64,
}

/// The epochs in which a token is issued; 0 where none has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Epochs {
    pub(crate) subject: i64,
    pub(crate) organization: i64,
    pub(crate) session: i64,
}

impl Epochs {
    /// How a token says them, with those of the services that it was exchanged by.
    pub(crate) fn claim(self, exchanged_by: &[(String, i64)]) -> Option<Value> {
        let Self { subject, organization, session } = self;
        let named = [("sub", subject), ("org_id", organization), ("sid", session)];
        let begun = named.into_iter().filter(|(_, epoch)| *epoch != 0);
        let mut begun: Object = begun.map(|(name, epoch)| (name.to_owned(), epoch.into())).collect();
        if !exchanged_by.is_empty() {
            let services = exchanged_by.iter().map(|(service, epoch)| (service.clone(), (*epoch).into()));
            begun.insert(EXCHANGED_BY.into(), Value::Object(services.collect()));
        }
        (!begun.is_empty()).then(|| Value::Object(begun))
    }

    /// What a token says of them.
    pub(crate) fn of(claims: &Object) -> Self {
        let epoch = |name: &str| {
            claims.get("epochs").and_then(|epochs| epochs.get(name)).and_then(Value::as_i64).unwrap_or(0)
        };
        Self { subject: epoch("sub"), organization: epoch("org_id"), session: epoch("sid") }
    }
}

/// What a token can be revoked by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subjects {
    /// Each with the epoch that the token was issued in; 0 where none had begun.
    named: Vec<(Box<str>, i64)>,
    issued_at: i64,
}

impl TokenEpochs {
    pub(crate) fn new() -> Self {
        Self::holding(CAPACITY)
    }

    fn holding(capacity: usize) -> Self {
        Self {
            known: RwLock::default(),
            is_empty: AtomicBool::new(true),
            read_at: AtomicI64::new(0),
            confirmed: AtomicU64::new(0),
            made: Instant::now(),
            capacity,
        }
    }

    /// Whether what is known was all there was to know so long ago, or less.
    pub(crate) fn is_current(&self, patience: Duration) -> bool {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        self.made.elapsed().saturating_sub(confirmed) < patience
    }

    /// Whether a token with these subjects has been revoked.
    pub(crate) fn revoke(&self, subjects: &Subjects) -> bool {
        if self.is_empty.load(Ordering::Acquire) {
            return false;
        }
        let known = self.known.read();
        subjects.issued_at <= known.floor
            || subjects
                .named
                .iter()
                .any(|(name, issued)| known.epochs.get(name).is_some_and(|epoch| epoch > issued))
    }

    /// Begins another epoch of `subject`: every token that was issued before is revoked.
    pub(crate) async fn advance(transaction: &mut Transaction, subject: &str) -> Result<(), StoreError> {
        transaction.execute(Statement::new(ADVANCE).text(subject).integer(now())).await.map(|_| ())
    }

    /// The epoch in which a token of `subject` is issued now. To be read before whatever the token is issued for: then
    /// a revocation at the same time either is seen there, or makes this the epoch before.
    pub(crate) async fn current(store: &Store, subject: &str) -> Result<i64, StoreError> {
        match store.row(Statement::new(CURRENT).text(subject)).await? {
            Some(row) => row.integer("epoch"),
            None => Ok(0),
        }
    }

    /// Reads every epoch that may matter.
    pub(crate) async fn load(&self, store: &Store) -> Result<(), StoreError> {
        let now = now();
        self.read_since(store, now.saturating_sub(span(KEPT)), now).await
    }

    /// Reads what is new since the last read that succeeded, however long ago that was.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), StoreError> {
        let now = now();
        let since = self.read_at.load(Ordering::Acquire).min(now).saturating_sub(span(OVERLAP));
        self.read_since(store, since.max(now.saturating_sub(span(KEPT))), now).await
    }

    async fn read_since(&self, store: &Store, since: i64, began: i64) -> Result<(), StoreError> {
        let elapsed = self.made.elapsed();
        let rows = store.rows(Statement::new(READ).integer(since)).await?;
        for row in &rows {
            self.note(&row.text("subject")?, row.integer("epoch")?);
        }
        self.forget(began);
        self.read_at.store(began, Ordering::Release);
        self.confirmed.store(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        Ok(())
    }

    fn note(&self, subject: &str, epoch: i64) {
        let mut known = self.known.write();
        if known.epochs.get(subject).is_some_and(|known| *known >= epoch) {
            return;
        }
        if let Some(earlier) = known.epochs.insert(subject.into(), epoch) {
            known.by_age.remove(&(earlier, subject.into()));
        }
        known.by_age.insert((epoch, subject.into()));
        while known.epochs.len() > self.capacity {
            let Some((epoch, oldest)) = known.by_age.pop_first() else { break };
            known.epochs.remove(&oldest);
            known.floor = known.floor.max(epoch);
        }
        self.is_empty.store(false, Ordering::Release);
    }

    fn forget(&self, now: i64) {
        let mut known = self.known.write();
        let before = now.saturating_sub(span(KEPT));
        while known.by_age.first().is_some_and(|(epoch, _)| *epoch < before) {
            let Some((_, oldest)) = known.by_age.pop_first() else { break };
            known.epochs.remove(&oldest);
        }
        self.is_empty.store(known.epochs.is_empty() && known.floor == 0, Ordering::Release);
    }

    /// Removes rows that no living token can be from before.
    pub(crate) async fn tidy(store: &Store) -> Result<(), StoreError> {
        const TIDY: &str = "DELETE FROM token_epochs WHERE changed_at < $1";
        let before = milliseconds(SystemTime::now() - 2 * KEPT);
        store.execute(Statement::new(TIDY).integer(before)).await.map(|_| ())
    }
}

impl Subjects {
    /// Those of a verified token of this gateway.
    pub(crate) fn of(claims: &Object) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let epoch = |name: &str| {
            let epochs = claims.get("epochs").and_then(Value::as_object);
            epochs.and_then(|epochs| epochs.get(name)).and_then(Value::as_i64).unwrap_or(0)
        };
        let mut named = Vec::with_capacity(5);
        for name in ["sub", "org_id", "sid", "grant_id", "jti"] {
            named.extend(text(name).map(|subject| (subject.into(), epoch(name))));
        }
        named.extend(origins(claims).map(|origin| (origin.into(), 0)));
        named.extend(exchanged_by(claims).map(|(service, epoch)| (service.into(), epoch)));
        let issued_at = claims.get("iat").and_then(Value::as_i64).unwrap_or(0).saturating_mul(1000);
        Self { named, issued_at }
    }
}

/// The tokens that a token was exchanged from.
pub(crate) fn origins(claims: &Object) -> impl Iterator<Item = &str> {
    let listed = claims.get("origin_jti").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(Value::as_str)
}

/// The services that a token was exchanged by, each with the epoch in which.
pub(crate) fn exchanged_by(claims: &Object) -> impl Iterator<Item = (&str, i64)> {
    let services =
        claims.get("epochs").and_then(|epochs| epochs.get(EXCHANGED_BY)).and_then(Value::as_object);
    services.into_iter().flatten().map(|(service, epoch)| (service.as_str(), epoch.as_i64().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A store in which `subject` was revoked `ago`.
    async fn revoked(folder: &tempfile::TempDir, subject: &str, ago: Duration) -> Store {
        let location = bartizan_config::StoreLocation::Sqlite(folder.path().join("bartizan.db"));
        let store = Store::open(&location).await.unwrap();
        let at = now() - span(ago);
        store.execute(Statement::new(ADVANCE).text(subject).integer(at)).await.unwrap();
        store
    }

    #[tokio::test]
    async fn what_was_revoked_while_the_store_was_out_of_reach_is_read_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = revoked(&folder, "ada", Duration::from_mins(10)).await;
        let epochs = TokenEpochs::new();
        epochs.read_at.store(now() - span(Duration::from_mins(20)), Ordering::Release);
        let token = subjects(&json!({ "sub": "ada", "iat": 0 }));
        epochs.follow(&store).await.unwrap();
        assert!(epochs.revoke(&token), "the last read was before");
        let later = TokenEpochs::new();
        later.read_at.store(now(), Ordering::Release);
        later.follow(&store).await.unwrap();
        assert!(!later.revoke(&token), "it was read already, or a clock differs");
        later.load(&store).await.unwrap();
        assert!(later.revoke(&token));
    }

    fn subjects(claims: &Value) -> Subjects {
        Subjects::of(claims.as_object().unwrap())
    }

    #[test]
    fn a_token_ends_with_any_of_its_subjects() {
        let token = subjects(&json!({
            "sub": "ada", "org_id": "acme", "sid": "s", "grant_id": "g", "jti": "t", "iat": 1000,
            "epochs": { "sub": 7, "org_id": 9, "exchanged_by": { "billing": 5, "mailer": 0 } }, "origin_jti": ["first", "second"],
        }));
        for (subject, epoch, revoked) in [
            ("ada", 7, false),
            ("ada", 8, true),
            ("acme", 9, false),
            ("acme", 10, true),
            ("s", 1, true),
            ("g", 1, true),
            ("t", 1, true),
            ("second", 1, true),
            ("billing", 5, false),
            ("billing", 6, true),
            ("mailer", 1, true),
            ("bob", 100, false),
        ] {
            let epochs = TokenEpochs::new();
            assert!(!epochs.revoke(&token));
            epochs.note(subject, epoch);
            assert_eq!(epochs.revoke(&token), revoked, "{subject} {epoch}");
        }
    }

    #[test]
    fn what_finds_no_room_is_refused_and_not_forgotten() {
        let epochs = TokenEpochs::holding(2);
        for (subject, epoch) in [("a", 5_000), ("b", 3_000), ("c", 4_000)] {
            epochs.note(subject, epoch);
        }
        let of = |subject: &str, iat: u64| subjects(&json!({ "sub": subject, "iat": iat }));
        assert!(epochs.revoke(&of("b", 2)), "it had to make room");
        assert!(epochs.revoke(&of("z", 3)), "nobody knows any longer");
        assert!(!epochs.revoke(&of("z", 4)));
        assert!(epochs.revoke(&of("a", 9)));
    }

    #[test]
    fn what_no_token_can_be_from_before_is_forgotten() {
        let epochs = TokenEpochs::new();
        epochs.note("a", 1_000);
        epochs.note("a", 500);
        epochs.forget(1_000 + span(KEPT));
        assert!(epochs.revoke(&subjects(&json!({ "sub": "a", "iat": 0 }))));
        epochs.forget(1_001 + span(KEPT));
        assert!(!epochs.revoke(&subjects(&json!({ "sub": "a", "iat": 0 }))));
        assert!(epochs.is_empty.load(Ordering::Acquire));
    }
}
