//! What rules write: `TX`, and the collections that outlive an exchange.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use smallvec::SmallVec;

use crate::{
    ast::Collection,
    compile::{Mentioned, Slot},
};

/// A value that rules wrote: mostly a number, which needs no memory of its own.
pub(crate) type Written = SmallVec<[u8; 24]>;

/// `TX`: the variables of one exchange.
#[derive(Debug)]
pub(crate) struct Tx {
    slots: Box<[Option<Written>]>,
    /// Under names that rules put together.
    others: BTreeMap<Vec<u8>, Written>,
}

impl Tx {
    pub(crate) fn new(names: &Mentioned) -> Self {
        Self { slots: vec![None; names.len()].into(), others: BTreeMap::new() }
    }

    /// The memory that all of it takes.
    pub(crate) fn held_bytes(&self) -> usize {
        let spilled = |value: &Written| if value.spilled() { value.capacity() } else { 0 };
        let other = |(name, value): (&Vec<u8>, &Written)| {
            name.capacity() + spilled(value) + size_of::<(Vec<u8>, Written)>()
        };
        size_of_val(&*self.slots)
            + self.slots.iter().flatten().map(spilled).sum::<usize>()
            + self.others.iter().map(other).sum::<usize>()
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&[u8]> {
        self.slots.get(slot.0)?.as_deref()
    }

    pub(crate) fn set(&mut self, slot: Slot, value: Option<&[u8]>) {
        if let Some(place) = self.slots.get_mut(slot.0) {
            *place = value.map(Written::from_slice);
        }
    }

    pub(crate) fn get_named(&self, name: &[u8], names: &Mentioned) -> Option<&[u8]> {
        let name = name.to_ascii_lowercase();
        match names.slot(&name) {
            Some(slot) => self.get(slot),
            None => self.others.get(&name).map(AsRef::as_ref),
        }
    }

    pub(crate) fn set_named(&mut self, name: &[u8], value: Option<&[u8]>, names: &Mentioned) {
        let name = name.to_ascii_lowercase();
        match (names.slot(&name), value) {
            (Some(slot), value) => self.set(slot, value),
            (None, Some(value)) if self.others.len() < MOST_NAMED || self.others.contains_key(&name) => {
                self.others.insert(name, Written::from_slice(value));
            }
            (None, Some(_)) => {}
            (None, None) => {
                self.others.remove(&name);
            }
        }
    }

    /// Every value with its name.
    pub(crate) fn iter<'a>(&'a self, names: &'a Mentioned) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let slots = names.iter().filter_map(|(slot, name)| Some((name, self.get(slot)?)));
        slots.chain(self.others.iter().map(|(name, value)| (name.as_slice(), value.as_slice())))
    }
}

/// Most values that `TX` holds under names that rules put together. Rules that count parameters by their names must have
/// room for as many as are looked at: what is not counted is not found.
const MOST_NAMED: usize = 16_384;
/// Most values that a collection which outlives its exchange holds.
const MOST_VALUES: usize = 4096;

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

/// Where `IP`, `SESSION`, `USER`, `GLOBAL` and `RESOURCE` are kept from one exchange to the next.
///
/// A key is what `initcol` and its kin were given. Without such a store collections are empty at the beginning of
/// every exchange. The calls must be quick: exchanges wait for them.
pub trait CollectionStore: Send + Sync {
    /// What is kept under this key.
    fn load(&self, collection: Collection, key: &[u8]) -> Vec<StoredValue>;

    /// Keeps this under the key instead of what was kept.
    fn save(&self, collection: Collection, key: &[u8], values: Vec<StoredValue>);
}

/// The collections that outlive an exchange, as far as this one has opened them.
#[derive(Default)]
pub(crate) struct Collections {
    store: Option<Arc<dyn CollectionStore>>,
    opened: BTreeMap<Collection, Opened>,
}

#[derive(Debug, Default)]
struct Opened {
    key: Vec<u8>,
    values: BTreeMap<Vec<u8>, (Vec<u8>, Option<SystemTime>)>,
    changed: bool,
}

impl Collections {
    pub(crate) fn with_store(store: Arc<dyn CollectionStore>) -> Self {
        Self { store: Some(store), opened: BTreeMap::new() }
    }

    /// Opens a collection; the first key counts.
    pub(crate) fn open(&mut self, collection: Collection, key: &[u8], now: SystemTime) {
        if self.opened.contains_key(&collection) {
            return;
        }
        let kept = self.store.as_ref().map(|store| store.load(collection, key)).unwrap_or_default();
        let fresh = kept.into_iter().filter(|kept| kept.expires.is_none_or(|expires| expires > now));
        let values = fresh.map(|kept| (kept.name, (kept.value, kept.expires))).collect();
        self.opened.insert(collection, Opened { key: key.to_vec(), values, changed: false });
    }

    pub(crate) fn get(&self, collection: Collection, name: &[u8]) -> Option<&[u8]> {
        let (value, _) = self.opened.get(&collection)?.values.get(&name.to_ascii_lowercase())?;
        Some(value)
    }

    /// Writes a value; nothing happens to a collection that was not opened.
    pub(crate) fn set(&mut self, collection: Collection, name: &[u8], value: Option<&[u8]>) {
        let Some(opened) = self.opened.get_mut(&collection) else { return };
        let name = name.to_ascii_lowercase();
        opened.changed = true;
        match value {
            None => {
                opened.values.remove(&name);
            }
            Some(value) if opened.values.len() < MOST_VALUES || opened.values.contains_key(&name) => {
                let kept = opened.values.entry(name).or_default();
                kept.0 = value.to_vec();
            }
            Some(_) => {}
        }
    }

    pub(crate) fn expire(&mut self, collection: Collection, name: &[u8], after: Duration, now: SystemTime) {
        let Some(opened) = self.opened.get_mut(&collection) else { return };
        if let Some((_, expires)) = opened.values.get_mut(&name.to_ascii_lowercase()) {
            *expires = now.checked_add(after);
            opened.changed = true;
        }
    }

    pub(crate) fn iter(&self, collection: Collection) -> impl Iterator<Item = (&[u8], &[u8])> {
        let values = self.opened.get(&collection).map(|opened| &opened.values);
        values.into_iter().flatten().map(|(name, (value, _))| (name.as_slice(), value.as_slice()))
    }

    pub(crate) fn key(&self, collection: Collection) -> Option<&[u8]> {
        self.opened.get(&collection).map(|opened| opened.key.as_slice())
    }

    /// Keeps what has changed.
    pub(crate) fn save(&mut self) {
        let Some(store) = &self.store else { return };
        for (collection, opened) in &mut self.opened {
            if std::mem::take(&mut opened.changed) {
                let values = opened.values.iter().map(|(name, (value, expires))| StoredValue {
                    name: name.clone(),
                    value: value.clone(),
                    expires: *expires,
                });
                store.save(*collection, &opened.key, values.collect());
            }
        }
    }
}

impl fmt::Debug for Collections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Collections").field("opened", &self.opened).finish_non_exhaustive()
    }
}
