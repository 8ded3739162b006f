//! The memory store: what each key has used, within one process. The algorithms are in `algorithm`; here is where
//! their state lies, who may touch it when, and what goes when memory ends.

mod shard;
#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use bartizan_model::{Algorithm, Quota};
use smallvec::SmallVec;

use crate::{
    Charge, Decision, Factors, Limit, Nanos, Standing,
    algorithm::{Level, State, Wait},
    charge::{Effective, nanoseconds},
    key::{Key, KeyHasher},
    memory::shard::{Bucket, Shard},
    shards::{Locked, Shards},
};

/// A shard has room for at least so many keys: those of one request must never push out each other.
const LEAST_KEYS_PER_SHARD: usize = 256;
/// Two requests that are decided at the same time rarely meet in one, and one that grows holds up few.
const MOST_SHARDS: usize = 1024;

/// Counts in memory, for one process, in at most 85 bytes for each key that it may keep.
///
/// It keeps at most `max_keys` keys (and never fewer than 256), shared evenly among up to 1024 locks. A shard that is full first forgets what has
/// expired. When nothing has, the entry that expires first among eight goes: whoever used least of a short quota. Those
/// who flood the store with new keys so push out each other before they push out somebody who is being limited, but
/// whoever is pushed out begins with a fresh quota. Keys of a limit whose algorithm or window changes begin afresh; a
/// changed limit or burst applies to what is counted already: units in a window, the time left to refill in a bucket.
pub struct MemoryStore {
    hasher: KeyHasher,
    shards: Shards<Shard>,
}

/// One charge on its way through a decision.
struct Pending {
    key: Key,
    quota: Effective,
    lifetime: u64,
    /// Where its entry is: the position of the locked shard, and the bucket in it.
    place: Option<(usize, Bucket)>,
    /// Whether the entry is there for this decision only, so far.
    added: bool,
    /// What was kept before this charge, settled.
    before: State,
    refused: Option<Wait>,
}

impl MemoryStore {
    /// A store for so many keys. Memory is taken as keys come.
    pub fn new(max_keys: usize) -> Self {
        let count = (max_keys / LEAST_KEYS_PER_SHARD).clamp(1, MOST_SHARDS);
        // Down to a power of two, for no shard to get less than the least.
        let count = 1 << count.ilog2();
        let most = max_keys.div_ceil(count).max(LEAST_KEYS_PER_SHARD);
        Self { hasher: KeyHasher::new(), shards: Shards::new(count, || Shard::new(most)) }
    }

    /// Decides all charges together: all are charged, or none when any is refused. Charges that meet in one key count
    /// one after the other.
    pub fn decide(&self, now: Nanos, charges: &[Charge<'_>]) -> Decision {
        let now = now.get();
        let mut pending: SmallVec<[Pending; 4]> = charges
            .iter()
            .map(|charge| Pending::new(charge, self.hasher.of(charge.limit, charge.value)))
            .collect();
        let mut shards = self.shards.lock(pending.iter().map(|charge| charge.key));
        // From here to the end no entry moves, since there is room for all that may be added.
        shards.each().for_each(|shard| shard.make_room(charges.len(), now));
        // Finding all first lets the processor wait for the memory of all at once.
        pending.iter_mut().for_each(|charge| charge.find(&mut shards));
        pending.iter_mut().filter(|charge| charge.place.is_none()).for_each(|charge| charge.add(&mut shards));
        pending.iter_mut().for_each(|charge| charge.charge(&mut shards, now));
        let refused = pending.iter().any(|charge| charge.refused.is_some());
        if refused {
            // The other way round, so that of charges that met in one key the state before the first remains.
            pending.iter().rev().for_each(|charge| charge.undo(&mut shards));
        }
        let states: SmallVec<[State; 4]> = pending.iter().map(|charge| charge.state(&mut shards)).collect();
        if refused {
            pending.iter().filter(|charge| charge.added).for_each(|charge| charge.forget(&mut shards));
        }
        // What is left to do holds up nobody.
        drop(shards);
        let standings =
            pending.iter().zip(states).map(|(charge, state)| charge.standing(state, now)).collect();
        Decision { standings }
    }

    /// Gives back what [`MemoryStore::decide`] charged at `taken_at`, as when a later stage refuses the request. What
    /// no longer counts by now of a window is not given back; of a bucket see [`Standing::reset`](crate::Standing).
    pub fn give_back(&self, taken_at: Nanos, charges: &[Charge<'_>]) {
        for charge in charges {
            let mut charge = Pending::new(charge, self.hasher.of(charge.limit, charge.value));
            let mut shards = self.shards.lock([charge.key]);
            charge.find(&mut shards);
            let state = charge.state(&mut shards);
            charge.keep(&mut shards, state.give_back(&charge.quota, taken_at.get()));
        }
    }

    /// Takes over what another store has decided, so that charges count on from there. One that knows nothing of them
    /// (no standings) changes nothing, nor does one with a factor on the quota of a window: it does not tell how many
    /// units are used.
    pub fn follow(&self, now: Nanos, charges: &[Charge<'_>], decision: &Decision) {
        let now = now.get();
        for (charge, standing) in charges.iter().zip(&decision.standings) {
            let is_window = charge.limit.quota.algorithm() != Algorithm::TokenBucket;
            if is_window && charge.factors.quota() != Factors::ONE {
                continue;
            }
            let mut charge = Pending::new(charge, self.hasher.of(charge.limit, charge.value));
            let mut shards = self.shards.lock([charge.key]);
            shards.each().for_each(|shard| shard.make_room(1, now));
            charge.add(&mut shards);
            let level = Level { remaining: standing.remaining, reset: nanoseconds(standing.reset) };
            charge.keep(&mut shards, State::standing_at(&charge.quota, level, now));
        }
    }

    /// How a charge would stand, without charging it.
    pub fn standing(&self, now: Nanos, charge: &Charge<'_>) -> Standing {
        let now = now.get();
        let mut charge = Pending::new(charge, self.hasher.of(charge.limit, charge.value));
        let mut shards = self.shards.lock([charge.key]);
        charge.find(&mut shards);
        let state = charge.state(&mut shards).settle(&charge.quota, now);
        charge.refused = state.charge(&charge.quota, now).err();
        charge.standing(state, now)
    }

    /// Forgets what was counted of a value. Says whether there was anything.
    pub fn reset(&self, limit: &Limit, value: &[u8]) -> bool {
        let key = self.hasher.of(limit, value);
        let mut shards = self.shards.lock([key]);
        let Some(shard) = shards.shard(key) else { return false };
        shard.find(key).is_some_and(|bucket| shard.remove_bucket(bucket))
    }

    /// How many keys are kept, expired ones among them.
    pub fn len(&self) -> usize {
        self.shards.each().map(|shard| shard.len()).sum()
    }

    /// Whether no key is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets what has expired, gives memory back after a flood, and says how many keys went. Only ever one shard at
    /// a time is locked. Not needed to stay within bounds; worth a call every minute.
    pub fn sweep(&self, now: Nanos) -> usize {
        self.shards
            .each()
            .map(|mut shard| {
                let forgotten = shard.forget_expired(now.get());
                shard.shrink();
                forgotten
            })
            .sum()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Pending {
    fn new(charge: &Charge<'_>, key: Key) -> Self {
        Self {
            key,
            quota: Effective::of(charge),
            lifetime: lifetime(&charge.limit.quota),
            place: None,
            added: false,
            before: State::default(),
            refused: None,
        }
    }

    /// Finds the entry, where there is one.
    fn find(&mut self, shards: &mut Locked<'_, Shard>) {
        let Some(position) = shards.position(self.key) else { return };
        let bucket = shards.at(position).and_then(|shard| shard.find(self.key));
        self.place = bucket.map(|bucket| (position, bucket));
    }

    /// Adds the entry, where there is none. Of charges that meet in one key the second finds the entry of the first.
    fn add(&mut self, shards: &mut Locked<'_, Shard>) {
        self.find(shards);
        if self.place.is_some() {
            return;
        }
        let Some(position) = shards.position(self.key) else { return };
        self.place = shards.at(position).map(|shard| (position, shard.add(self.key)));
        self.added = true;
    }

    fn charge(&mut self, shards: &mut Locked<'_, Shard>, now: u64) {
        let before = self.state(shards).settle(&self.quota, now);
        let after = before.charge(&self.quota, now);
        self.keep(shards, after.unwrap_or(before));
        self.before = before;
        self.refused = after.err();
    }

    fn undo(&self, shards: &mut Locked<'_, Shard>) {
        self.keep(shards, self.before);
    }

    /// How it stands by what was kept.
    fn standing(&self, state: State, now: u64) -> Standing {
        let level = state.settle(&self.quota, now).level(&self.quota, now);
        Standing {
            quota: self.quota.burst,
            window: Duration::from_nanos(self.quota.window),
            remaining: level.remaining,
            reset: Duration::from_nanos(level.reset),
            retry_after: self.refused.map(|Wait(nanoseconds)| Duration::from_nanos(nanoseconds)),
        }
    }

    fn forget(&self, shards: &mut Locked<'_, Shard>) {
        if let Some((shard, bucket)) = self.entry(shards) {
            shard.remove_bucket(bucket);
        }
    }

    fn state(&self, shards: &mut Locked<'_, Shard>) -> State {
        let entry = self.entry(shards);
        entry.map_or_else(State::default, |(shard, bucket)| shard.state(bucket, self.lifetime))
    }

    fn keep(&self, shards: &mut Locked<'_, Shard>, state: State) {
        if let Some((shard, bucket)) = self.entry(shards) {
            shard.keep(bucket, state, self.lifetime);
        }
    }

    fn entry<'s>(&self, shards: &'s mut Locked<'_, Shard>) -> Option<(&'s mut Shard, Bucket)> {
        let (position, bucket) = self.place?;
        Some((shards.at(position)?, bucket))
    }
}

/// How long after its start a window may still count; a token bucket's state says itself when it ends.
fn lifetime(quota: &Quota) -> u64 {
    let window = Factors::STRICTEST.of_window(nanoseconds(quota.length()));
    match quota.algorithm() {
        Algorithm::TokenBucket => 0,
        Algorithm::FixedWindow => window,
        Algorithm::SlidingWindow => 2 * window,
    }
}
