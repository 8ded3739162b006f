//! The values that are watched or on lease, in shards. Several are locked at once, so that the charges of one request
//! are taken together.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use hashbrown::{HashTable, hash_table::Entry as Slot};
use smallvec::SmallVec;

use super::entry::{Ask, Entry, LONGEST_TERM, Unused};
use crate::{
    Charge, Limit, Standing,
    key::{Key, KeyHasher},
    redis::{Granted, Question},
    shards::Shards,
};

const SHARDS: usize = 64;

/// For each charge how it stands, where it was taken from what is on lease.
pub(super) type Held = SmallVec<[Option<Standing>; 4]>;

/// So many units are to be leased for the charge at this index.
pub(super) struct Wanted {
    pub(super) index: usize,
    pub(super) units: u64,
}

pub(super) struct Table {
    hasher: KeyHasher,
    shards: Shards<Shard>,
    most_per_shard: usize,
    /// Values with leases.
    leased: AtomicUsize,
}

#[derive(Default)]
struct Shard {
    entries: HashTable<Entry>,
    /// Those with leases.
    leased: Vec<Key>,
    swept: u64,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        Self {
            hasher: KeyHasher::new(),
            shards: Shards::new(SHARDS, Shard::default),
            most_per_shard: most.div_ceil(SHARDS),
            leased: AtomicUsize::new(0),
        }
    }

    pub(super) fn ask(&self, charge: &Charge<'_>) -> Ask {
        Ask::new(charge, self.hasher.of(charge.limit, charge.value))
    }

    /// Takes from leases what they have, and says what is to be leased.
    pub(super) fn spend(&self, now: u64, asks: &[Ask]) -> (Held, SmallVec<[Wanted; 4]>) {
        let (mut held, mut wanted) = (Held::new(), SmallVec::new());
        let mut shards = self.shards.lock(asks.iter().filter(|ask| ask.is_leasable).map(|ask| ask.key));
        for (index, ask) in asks.iter().enumerate() {
            let shard = if ask.is_leasable { shards.shard(ask.key) } else { None };
            let entry = shard.and_then(|shard| shard.find_or_add(ask.key, now, self.most_per_shard));
            held.push(entry.and_then(|entry| {
                let standing = entry.spend(now, ask);
                wanted.extend(entry.wanted(now, ask).map(|units| Wanted { index, units }));
                standing
            }));
        }
        (held, wanted)
    }

    /// Keeps what was granted. Where nobody is left to use it, it is handed back.
    pub(super) fn keep(
        &self,
        began: u64,
        ask: &Ask,
        granted: &Granted,
        question: Question,
    ) -> Option<Unused> {
        let mut shard = self.shards.lock_one(ask.key)?;
        let Some(entry) = shard.find(ask.key) else {
            return Some(Unused { question, units: granted.units, leased_at: granted.at });
        };
        let had_leases = entry.has_leases();
        entry.keep(began, ask, granted, question);
        if !had_leases && entry.has_leases() {
            shard.leased.push(ask.key);
            self.leased.fetch_add(1, Ordering::Relaxed);
        }
        None
    }

    /// Whether a lease has taken back what was charged at `counted`.
    pub(super) fn put_back(&self, now: u64, counted: u64, ask: &Ask) -> bool {
        let Some(mut shard) = self.shards.lock_one(ask.key) else { return false };
        let entry = if ask.is_leasable { shard.find(ask.key) } else { None };
        entry.is_some_and(|entry| entry.put_back(now, counted, ask.quota.cost))
    }

    /// Takes out what has ended by now.
    pub(super) fn ended(&self, now: u64) -> Vec<Unused> {
        let mut ended = Vec::new();
        for mut shard in self.shards.each() {
            let Shard { entries, leased, .. } = &mut *shard;
            let before = leased.len();
            leased.retain(|key| {
                let Some(entry) = entries.find_mut(key.place, |entry| entry.key == *key) else {
                    return false;
                };
                ended.extend(entry.ended(now));
                entry.has_leases()
            });
            self.leased.fetch_sub(before - leased.len(), Ordering::Relaxed);
        }
        ended
    }

    pub(super) fn has_leases(&self) -> bool {
        self.leased.load(Ordering::Relaxed) > 0
    }

    /// Forgets a value; says whether anything was on lease for it.
    pub(super) fn forget(&self, limit: &Limit, value: &[u8]) -> bool {
        let key = self.hasher.of(limit, value);
        let Some(mut shard) = self.shards.lock_one(key) else { return false };
        let Ok(entry) = shard.entries.find_entry(key.place, |entry| entry.key == key) else { return false };
        // Its place in the list of those with leases goes as soon as they are looked through.
        entry.remove().0.has_leases()
    }

    pub(super) fn sweep(&self, now: u64) {
        self.shards.each().for_each(|mut shard| shard.sweep(now));
    }
}

impl Shard {
    fn find(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.find_mut(key.place, |entry| entry.key == key)
    }

    /// `None` when there is no room.
    fn find_or_add(&mut self, key: Key, now: u64, most: usize) -> Option<&mut Entry> {
        if self.entries.len() >= most {
            // At most once a second, so that a flood of values does not make this slow.
            if now.saturating_sub(self.swept) >= LONGEST_TERM {
                self.sweep(now);
            }
            if self.entries.len() >= most {
                return self.find(key);
            }
        }
        match self.entries.entry(key.place, |entry| entry.key == key, |entry| entry.key.place) {
            Slot::Occupied(entry) => Some(entry.into_mut()),
            Slot::Vacant(slot) => Some(slot.insert(Entry::new(key, now)).into_mut()),
        }
    }

    fn sweep(&mut self, now: u64) {
        self.swept = now;
        self.entries.retain(|entry| !entry.is_idle(now));
        // After a flood.
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to_fit(|entry| entry.key.place);
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("leased", &self.leased).finish_non_exhaustive()
    }
}
