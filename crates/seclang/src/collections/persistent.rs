//! `IP`, `SESSION`, `USER`, `GLOBAL` and `RESOURCE`: what outlives an exchange, and where it is kept.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::values::Values;
use crate::ast::Collection;

/// Names a collection that outlives an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionName {
    /// Which collection.
    pub collection: Collection,
    /// `SecWebAppId` of the rules: each application has collections of its own.
    pub application: String,
    /// What `initcol` and its kin were given.
    pub key: Vec<u8>,
}

/// A value of a collection that outlives its exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredValue {
    /// Its name, in lower case.
    pub name: Vec<u8>,
    /// What it is.
    pub value: Vec<u8>,
    /// When it is forgotten: `expirevar`.
    pub expires: Option<SystemTime>,
}

/// What a rule does to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueChange<'a> {
    /// It becomes this, and is forgotten when it was to be before.
    Set(&'a [u8]),
    /// This is added to it. What is not there, or no number, counts as 0.
    Add(i64),
    /// It is forgotten.
    Remove,
    /// It is forgotten then, if it is there.
    Expire(SystemTime),
}

/// Where `IP`, `SESSION`, `USER`, `GLOBAL` and `RESOURCE` are kept from one exchange to the next.
///
/// Without such a store collections are empty at the beginning of every exchange. [`crate::MemoryCollections`] is one that
/// keeps them in this process. The calls must be quick: exchanges wait for them.
pub trait CollectionStore: Send + Sync {
    /// What is kept under this name at this time.
    fn load(&self, name: &CollectionName, now: SystemTime) -> Vec<StoredValue>;

    /// Changes a value (its name is in lower case), and says what it is then. In one step: what exchanges add at the same time
    /// must all be counted. The whole collection is kept `until` then, unless something is changed in it before
    /// (`SecCollectionTimeout`).
    fn change(
        &self,
        name: &CollectionName,
        value: &[u8],
        change: ValueChange<'_>,
        now: SystemTime,
        until: SystemTime,
    ) -> Option<Vec<u8>>;
}

/// The longest that a collection is kept in which nothing is changed: ten years, which the clock can hold.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// The collections that outlive an exchange, as far as this one has opened them.
#[derive(Default)]
pub(crate) struct Collections {
    store: Option<Arc<dyn CollectionStore>>,
    /// Whether changes are forgotten with the exchange.
    forgets: bool,
    opened: BTreeMap<Collection, Opened>,
}

#[derive(Debug)]
struct Opened {
    name: CollectionName,
    /// What the store said at last.
    values: Values,
}

impl Collections {
    pub(crate) fn with_store(store: Arc<dyn CollectionStore>) -> Self {
        Self { store: Some(store), forgets: false, opened: BTreeMap::new() }
    }

    /// What another exchange finds there now, which keeps what it changes to itself.
    pub(crate) fn copy(&self) -> Self {
        Self { store: self.store.clone(), forgets: true, opened: BTreeMap::new() }
    }

    /// Opens a collection; the first key counts.
    pub(crate) fn open(&mut self, name: CollectionName, now: SystemTime) {
        if self.opened.contains_key(&name.collection) {
            return;
        }
        let kept = self.store.as_ref().map(|store| store.load(&name, now)).unwrap_or_default();
        self.opened.insert(name.collection, Opened { values: Values::of(kept), name });
    }

    /// Changes a value, for all exchanges at once; nothing happens to a collection that was not opened.
    pub(crate) fn change(
        &mut self,
        collection: Collection,
        value: &[u8],
        change: ValueChange<'_>,
        now: SystemTime,
        timeout: Duration,
    ) {
        let Some(Opened { name, values }) = self.opened.get_mut(&collection) else { return };
        let value = value.to_ascii_lowercase();
        let Some(store) = self.store.as_ref().filter(|_| !self.forgets) else {
            values.change(&value, change, now);
            return;
        };
        let until = now + timeout.min(LONGEST);
        match store.change(name, &value, change, now, until) {
            Some(changed) => values.change(&value, ValueChange::Set(&changed), now),
            None => values.change(&value, ValueChange::Remove, now),
        };
    }

    pub(crate) fn iter(&self, collection: Collection) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.opened.get(&collection).into_iter().flat_map(|opened| opened.values.iter())
    }

    pub(crate) fn key(&self, collection: Collection) -> Option<&[u8]> {
        self.opened.get(&collection).map(|opened| opened.name.key.as_slice())
    }
}

impl fmt::Debug for Collections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collections").field("opened", &self.opened).finish_non_exhaustive()
    }
}
