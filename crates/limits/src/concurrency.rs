//! How many requests may be on their way at once for one value. Nothing here knows time: a place is taken when a
//! request enters and given back when its [`Place`] is dropped, also when the request is cancelled.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use hashbrown::{HashTable, hash_table::Entry};
use smallvec::SmallVec;

use crate::{
    key::{Key, KeyHasher},
    shards::Shards,
};

const SHARDS: usize = 64;

/// What a request asks of one concurrency limit.
#[derive(Debug, Clone, Copy)]
pub struct InFlight<'a> {
    /// Names the limit: requests in limits of one name count together.
    pub name: &'a str,
    /// Who is counted. Any bytes of any length.
    pub value: &'a [u8],
    /// How many requests at once.
    pub at_most: NonZeroU32,
}

/// No place is left in the limit at this index of those that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no place is left in concurrency limit {0}")]
pub struct Full(pub usize);

/// Counts requests in flight, for one process. A clone counts together with its original.
///
/// It keeps only values that have requests in flight, and at most `max_keys` of them. A value beyond them is refused as
/// though its limit were reached; with room for as many keys as there may be requests, times the limits that one
/// request meets, that never happens.
#[derive(Clone)]
pub struct Concurrency(Arc<Table>);

/// Places that a request has taken. They are free again when this is dropped.
#[must_use = "the places are free again as soon as this is dropped"]
pub struct Place {
    table: Arc<Table>,
    keys: SmallVec<[Key; 2]>,
    before: SmallVec<[u32; 2]>,
}

struct Table {
    hasher: KeyHasher,
    shards: Shards<HashTable<Taken>>,
    keys: AtomicUsize,
    max_keys: usize,
}

struct Taken {
    key: Key,
    places: u32,
}

impl Concurrency {
    /// Counts for so many values at once.
    pub fn new(max_keys: usize) -> Self {
        let (hasher, shards) = (KeyHasher::new(), Shards::new(SHARDS, HashTable::new));
        Self(Arc::new(Table { hasher, shards, keys: AtomicUsize::new(0), max_keys }))
    }

    /// Takes one place in each of the limits, or in none when any of them has no place left.
    pub fn try_enter(&self, asked: &[InFlight<'_>]) -> Result<Place, Full> {
        let keys: SmallVec<[Key; 2]> =
            asked.iter().map(|asked| self.0.hasher.hash(asked.name, 0, asked.value)).collect();
        let mut before = SmallVec::new();
        let mut shards = self.0.shards.lock(keys.iter().copied());
        for (index, (asked, key)) in asked.iter().zip(&keys).enumerate() {
            let taken = shards.shard(*key).and_then(|shard| self.0.take(shard, *key, asked.at_most));
            if let Some(taken) = taken {
                before.push(taken);
            } else {
                for key in keys.iter().take(index) {
                    shards.shard(*key).into_iter().for_each(|shard| self.0.give_back(shard, *key));
                }
                return Err(Full(index));
            }
        }
        drop(shards);
        Ok(Place { table: Arc::clone(&self.0), keys, before })
    }

    /// How many requests of a value are in flight.
    pub fn in_flight(&self, name: &str, value: &[u8]) -> u32 {
        let key = self.0.hasher.hash(name, 0, value);
        let mut shards = self.0.shards.lock([key]);
        let taken = shards.shard(key).and_then(|shard| shard.find(key.place, |taken| taken.key == key));
        taken.map_or(0, |taken| taken.places)
    }

    /// How many values have requests in flight.
    pub fn len(&self) -> usize {
        self.0.keys.load(Ordering::Relaxed)
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Table {
    /// Takes a place, if there is one, and says how many were taken before.
    fn take(&self, shard: &mut HashTable<Taken>, key: Key, at_most: NonZeroU32) -> Option<u32> {
        match shard.entry(key.place, |taken| taken.key == key, |taken| taken.key.place) {
            Entry::Occupied(mut taken) => {
                let before = taken.get().places;
                let is_free = before < at_most.get();
                taken.get_mut().places += u32::from(is_free);
                is_free.then_some(before)
            }
            Entry::Vacant(vacant) => {
                let counted = self.keys.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |keys| {
                    (keys < self.max_keys).then_some(keys + 1)
                });
                counted.ok()?;
                vacant.insert(Taken { key, places: 1 });
                Some(0)
            }
        }
    }

    fn give_back(&self, shard: &mut HashTable<Taken>, key: Key) {
        let Ok(mut taken) = shard.find_entry(key.place, |taken| taken.key == key) else { return };
        taken.get_mut().places -= 1;
        if taken.get().places == 0 {
            taken.remove();
            self.keys.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Place {
    /// How many requests were in flight in each of the limits when it was taken.
    pub fn before(&self) -> &[u32] {
        &self.before
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for key in &self.keys {
            let mut shards = self.table.shards.lock([*key]);
            shards.shard(*key).into_iter().for_each(|shard| self.table.give_back(shard, *key));
        }
    }
}

impl fmt::Debug for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Concurrency").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("limits", &self.keys.len()).finish_non_exhaustive()
    }
}
