//! The keys of one store, all of them in memory, and how they stay what the store says.
//!
//! Everything is read once at the start, in pages. After that the changes that gateways tell each other
//! ([`SessionChanges`](crate::session::changes::SessionChanges)) say what to read again: one key, or one owner. After
//! a silence that may have swallowed a change, and every few minutes, everything is read again; while the store is silent, keys are good for half
//! a minute, and after that nobody can say whether they still are.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use bartizan_store::{Row, Statement, Store, StoreError};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::{sync::Mutex, time::timeout};

use super::{
    index::{KeyDigest, KeyIndex},
    owners::{self, Page, by_id},
    record::{LiveKey, Owner, OwnerId},
    uses::Uses,
};
use crate::session::changes::{OVERLAP, REMEMBERED, Told};

/// Changes read one by one; where there are more, everything is read again.
const MANY: usize = 1000;
/// How long one page of the store may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// What the changes call a key.
const KEY: &str = "key:";

macro_rules! keys {
    ($which:literal) => {
        concat!(
            "SELECT k.id, k.user_id, k.service_id, k.organization_id, k.permissions, k.addresses, k.rate, k.zone, \
             k.expires_at, k.suspended_at, s.hash, s.expires_at AS secret_expires_at \
             FROM api_keys k JOIN api_key_secrets s ON s.key_id = k.id WHERE k.revoked_at IS NULL AND ",
            $which
        )
    };
}

const ONE_KEY: &str = keys!("k.id = $1");
const KEY_PAGE: &str = keys!(
    "k.id IN (SELECT id FROM api_keys WHERE id > $1 AND revoked_at IS NULL ORDER BY id LIMIT 2000) ORDER BY k.id"
);
/// The API keys of one store.
#[derive(Debug)]
pub struct LiveKeys {
    store: Store,
    secret: hmac::Key,
    index: KeyIndex,
    uses: Uses,
    /// One after the other: of two readings of a key, the later one must count.
    reading: Mutex<()>,
    /// Everything is read by one at a time: what it knows of owners waits for their keys.
    reading_all: Mutex<()>,
    /// When it was last sure that nothing had been missed, in milliseconds after `epoch`.
    confirmed: AtomicU64,
    epoch: Instant,
    /// Whether nothing is missing.
    is_whole: AtomicBool,
}

impl LiveKeys {
    /// Reads every key.
    pub(crate) async fn open(store: Store, secret: &[u8; 32]) -> Result<Self, StoreError> {
        let began = Instant::now();
        let keys = Self {
            store,
            secret: hmac::Key::new(hmac::HMAC_SHA256, secret),
            index: KeyIndex::default(),
            uses: Uses::default(),
            reading: Mutex::new(()),
            reading_all: Mutex::new(()),
            confirmed: AtomicU64::new(0),
            epoch: began,
            is_whole: AtomicBool::new(true),
        };
        keys.read_all().await?;
        Ok(keys)
    }

    /// How a key is known here.
    pub(crate) fn digest(&self, key: &[u8]) -> KeyDigest {
        let mut digest = [0; 32];
        // INVARIANT: HMAC-SHA256 has 32 bytes.
        digest.copy_from_slice(hmac::sign(&self.secret, key).as_ref());
        KeyDigest(digest)
    }

    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<Arc<LiveKey>> {
        self.index.find(digest)
    }

    /// A key by its id, as the store has it now, with whoever it belongs to; `None`: no secret of such a key counts.
    pub(crate) async fn look_up(&self, id: &str, now: SystemTime) -> Result<Option<LiveKey>, StoreError> {
        let rows = self.store.everywhere().rows(Statement::new(ONE_KEY).text(id)).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let owner = owners::read(&self.store, &OwnerId::of(first)?).await?;
        let owner = Arc::new(ArcSwap::from_pointee(owner.unwrap_or_else(Owner::organization)));
        for row in &rows {
            let key = LiveKey::of(row, Arc::clone(&owner))?;
            if key.expires.is_none_or(|expires| now < expires) {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.uses
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether what is known may be relied on.
    pub(crate) fn is_current(&self) -> bool {
        self.unconfirmed() < REMEMBERED
    }

    fn unconfirmed(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        self.epoch.elapsed().saturating_sub(confirmed)
    }

    /// What the changes call a key.
    pub(crate) fn subject(key: &str) -> String {
        format!("{KEY}{key}")
    }

    /// Takes over what has been told since the last time, as of `began`.
    pub(crate) async fn follow(&self, began: Instant, told: &Told) -> Result<(), StoreError> {
        // A change that cannot be read again meanwhile takes it back, for the next time.
        let was_whole = self.is_whole.swap(true, Ordering::AcqRel);
        let is_behind = !was_whole || told.may_lack || self.unconfirmed() >= OVERLAP / 2;
        let read = if is_behind || told.subjects.len() > MANY {
            self.read_all().await
        } else {
            self.read_each(&told.subjects).await
        };
        if let Err(error) = read {
            self.is_whole.store(false, Ordering::Release);
            return Err(error);
        }
        let confirmed = began.saturating_duration_since(self.epoch).as_millis();
        self.confirmed.store(u64::try_from(confirmed).unwrap_or(u64::MAX), Ordering::Release);
        Ok(())
    }

    /// Reads one key again, which has just been changed here.
    pub(crate) async fn reread(&self, key: &str) {
        let _alone = self.reading.lock().await;
        self.make_up_for(self.in_time(self.read_key(key)).await);
    }

    /// Reads again what somebody's keys may do, where they have any.
    pub(crate) async fn reread_owner(&self, owner: &OwnerId) {
        let _alone = self.reading.lock().await;
        if self.index.has_owner(owner) {
            self.make_up_for(self.in_time(self.read_owner(owner)).await);
        }
    }

    /// Reads everything again, after a change of many keys here.
    pub(crate) async fn reread_all(&self) {
        self.make_up_for(self.read_all().await);
    }

    /// The change has happened, so it is no failure of the change: everything is read again soon.
    fn make_up_for(&self, read: Result<(), StoreError>) {
        if let Err(error) = read {
            tracing::error!(%error, "an API key that was changed cannot be read again: trying until it can");
            self.is_whole.store(false, Ordering::Release);
        }
    }

    async fn in_time<T>(&self, read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let late = |_| Err(StoreError::Busy { store: self.store.label().to_owned() });
        timeout(PATIENCE, read).await.unwrap_or_else(late)
    }

    async fn read_each(&self, told: &[String]) -> Result<(), StoreError> {
        let _alone = self.reading.lock().await;
        for subject in told {
            if let Some(key) = subject.strip_prefix(KEY) {
                self.in_time(self.read_key(key)).await?;
                continue;
            }
            for owner in [OwnerId::Person(subject.as_str().into()), OwnerId::Service(subject.as_str().into())]
            {
                if self.index.has_owner(&owner) {
                    self.in_time(self.read_owner(&owner)).await?;
                }
            }
        }
        Ok(())
    }

    async fn read_key(&self, id: &str) -> Result<(), StoreError> {
        let rows = self.store.everywhere().rows(Statement::new(ONE_KEY).text(id)).await?;
        if let Some(first) = rows.first() {
            self.read_owner(&OwnerId::of(first)?).await?;
        }
        let secrets = rows.iter().map(|row| self.secret_of(row)).collect::<Result<_, _>>()?;
        self.index.replace(id, secrets);
        Ok(())
    }

    async fn read_owner(&self, id: &OwnerId) -> Result<(), StoreError> {
        if let Some(owner) = owners::read(&self.store, id).await? {
            self.index.set_owner(id, owner);
        }
        Ok(())
    }

    /// Reads everything, in pages. Between two of them others may read what has just changed.
    pub(crate) async fn read_all(&self) -> Result<(), StoreError> {
        let _only = self.reading_all.lock().await;
        for page in [Page::People, Page::Services] {
            self.read_owners(page).await?;
        }
        let known = self.index.ids();
        let (mut after, mut seen) = (String::new(), HashSet::new());
        loop {
            let _alone = self.reading.lock().await;
            let page = Statement::new(KEY_PAGE).text(after.as_str());
            let rows = self.in_time(self.store.everywhere().rows(page)).await?;
            let Some(last) = rows.last() else { break };
            after = last.text("id")?;
            for (id, rows) in by_id(&rows)? {
                let secrets = rows.iter().map(|row| self.secret_of(row)).collect::<Result<_, _>>()?;
                self.index.replace(&id, secrets);
                seen.insert(id);
            }
            tokio::task::yield_now().await;
        }
        let _alone = self.reading.lock().await;
        // Those made meanwhile were not known before; no key comes back.
        for id in known.into_iter().filter(|id| !seen.contains(&**id)) {
            self.index.replace(&id, Vec::new());
        }
        self.index.forget_strangers();
        Ok(())
    }

    async fn read_owners(&self, page: Page) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let _alone = self.reading.lock().await;
            let owners = self.in_time(owners::read_page(&self.store, page, &after)).await?;
            let Some((last, _)) = owners.last() else { return Ok(()) };
            after.clone_from(last);
            for (id, owner) in owners {
                self.index.set_owner(&page.owner(&id), owner);
            }
            tokio::task::yield_now().await;
        }
    }

    fn secret_of(&self, row: &Row) -> Result<(KeyDigest, LiveKey), StoreError> {
        let owner = self.index.owner(&OwnerId::of(row)?);
        Ok((KeyDigest::stored(&row.text("hash")?)?, LiveKey::of(row, owner)?))
    }
}

impl KeyDigest {
    /// As the store has it.
    pub(crate) fn to_stored(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    fn stored(text: &str) -> Result<Self, StoreError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(StoreError::Nonsense { what: "the hash of an API key" })
    }
}
