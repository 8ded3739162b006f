//! One shard of the memory store: a table of entries that never grows beyond its share, and how it makes room.

use hashbrown::HashTable;

use crate::{algorithm::State, key::Key};

/// Entries that are compared when one must go.
const SAMPLE: usize = 8;

pub(super) struct Shard {
    entries: HashTable<Entry>,
    most: usize,
    /// Entries added since expired ones were last looked for.
    added: usize,
    /// The bucket at which the next search for an entry that can go begins.
    hand: usize,
}

/// What is kept of one key, in 32 bytes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    /// When it tells no more than its absence would; 0 when it tells nothing now. For a token bucket this is the
    /// arrival time itself, for a window its start and the lifetime.
    expires: u64,
    current: u32,
    previous: u32,
}

/// Where an entry lies until room is made the next time.
pub(super) type Bucket = usize;

impl Shard {
    /// Room for so many entries, none of it taken from the system yet.
    pub(super) fn new(most: usize) -> Self {
        Self { entries: HashTable::new(), most, added: 0, hand: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Makes room for so many more entries. Only here do entries move or get lost.
    pub(super) fn make_room(&mut self, more: usize, now: u64) {
        let needed = self.entries.len() + more;
        if needed > self.entries.capacity() || needed > self.most {
            self.clear_out(more, now);
        }
    }

    #[cold]
    fn clear_out(&mut self, more: usize, now: u64) {
        let most = self.most.max(more);
        // A search visits every entry; once per so many new ones it costs each of them four visits.
        if self.added >= self.entries.len() / 4 {
            self.forget_expired(now);
        }
        while self.entries.len() + more > most && self.evict() {}
        let needed = self.entries.len() + more;
        if needed > self.entries.capacity() {
            // Beyond `most` there is an eighth more: places of removed entries are only won back by moving all
            // entries, which must not happen at every eviction.
            self.rebuild((needed + needed / 2).min(most + most / 8).max(needed));
        }
    }

    /// Removes what has expired and says how much that was.
    pub(super) fn forget_expired(&mut self, now: u64) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.expires > now);
        self.added = 0;
        before - self.entries.len()
    }

    /// Gives memory back to the system after a flood.
    pub(super) fn shrink(&mut self) {
        if self.entries.len() < self.entries.capacity() / 4 {
            self.rebuild(self.entries.len() * 2);
        }
    }

    fn rebuild(&mut self, capacity: usize) {
        let mut entries = HashTable::with_capacity(capacity);
        for entry in &self.entries {
            entries.insert_unique(entry.key.place, *entry, |entry| entry.key.place);
        }
        self.entries = entries;
    }

    /// Removes the entry that expires first among the next few. Says whether there was one.
    fn evict(&mut self) -> bool {
        let buckets = self.entries.num_buckets();
        let (mut first, mut seen) = (None, 0);
        for _ in 0..buckets {
            self.hand = (self.hand + 1) % buckets;
            let Some(entry) = self.entries.get_bucket(self.hand) else { continue };
            if first.is_none_or(|(expires, _)| entry.expires < expires) {
                first = Some((entry.expires, self.hand));
            }
            seen += 1;
            if seen == SAMPLE {
                break;
            }
        }
        first.is_some_and(|(_, bucket)| self.remove_bucket(bucket))
    }

    pub(super) fn find(&self, key: Key) -> Option<Bucket> {
        self.entries.find_bucket_index(key.place, |entry| entry.key == key)
    }

    /// Adds an entry of which nothing is known, in room that was made for it.
    pub(super) fn add(&mut self, key: Key) -> Bucket {
        self.added += 1;
        let entry = Entry { key, expires: 0, current: 0, previous: 0 };
        self.entries.insert_unique(key.place, entry, |entry| entry.key.place).bucket_index()
    }

    /// The state in a bucket, where entries of this kind live for so long after their start.
    pub(super) fn state(&self, bucket: Bucket, lifetime: u64) -> State {
        self.entries.get_bucket(bucket).map_or_else(State::default, |entry| State {
            at: entry.expires.saturating_sub(lifetime),
            current: entry.current,
            previous: entry.previous,
        })
    }

    pub(super) fn keep(&mut self, bucket: Bucket, state: State, lifetime: u64) {
        if let Some(entry) = self.entries.get_bucket_mut(bucket) {
            let unused_window = lifetime > 0 && state.is_unused();
            entry.expires = if unused_window { 0 } else { state.at + lifetime };
            (entry.current, entry.previous) = (state.current, state.previous);
        }
    }

    /// Removes the entry in a bucket. Says whether there was one.
    pub(super) fn remove_bucket(&mut self, bucket: Bucket) -> bool {
        self.entries.get_bucket_entry(bucket).is_ok_and(|entry| {
            entry.remove();
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        // Spread over the table, as a hash would.
        Key { place: number.wrapping_mul(0x9e37_79b9_7f4a_7c15), shard: number }
    }

    fn add(shard: &mut Shard, number: u64, expires: u64, now: u64) {
        shard.make_room(1, now);
        let bucket = shard.add(key(number));
        shard.keep(bucket, State { at: expires, ..State::default() }, 0);
    }

    #[test]
    fn an_entry_is_32_bytes() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn a_flood_of_entries_that_live_stays_within_its_share() {
        let mut shard = Shard::new(1000);
        for number in 0..200_000 {
            add(&mut shard, number, 10 + number, 0);
            assert!(shard.len() <= 1000);
        }
        assert_eq!(shard.len(), 1000);
        assert!(shard.entries.num_buckets() <= 2048, "{}", shard.entries.num_buckets());
    }

    #[test]
    fn a_full_shard_takes_85_bytes_for_each_of_its_keys_whatever_their_number() {
        for most in [256, 1000, 1593, 1594, 7000, 12_743, 12_744, 39_063] {
            let mut shard = Shard::new(most);
            (0..most as u64).for_each(|number| add(&mut shard, number, 10, 0));
            assert_eq!(shard.len(), most);
            assert!(shard.entries.allocation_size() <= 85 * most + 64, "{most}");
        }
    }

    #[test]
    fn who_expires_last_outlives_a_flood() {
        let mut shard = Shard::new(64);
        add(&mut shard, 0, 1_000_000, 0);
        for number in 1..100_000 {
            add(&mut shard, number, 10, 0);
        }
        assert!(shard.find(key(0)).is_some());
    }

    #[test]
    fn what_has_expired_goes_before_anything_that_lives() {
        let mut shard = Shard::new(1000);
        for number in 0..1000 {
            add(&mut shard, number, if number % 2 == 0 { 5 } else { 100 }, 0);
        }
        for number in 1000..1500 {
            add(&mut shard, number, 100, 5);
        }
        assert!(
            (1..1500)
                .filter(|number| number % 2 == 1 || *number >= 1000)
                .all(|number| { shard.find(key(number)).is_some() })
        );
    }

    #[test]
    fn memory_is_given_back_after_a_flood() {
        let mut shard = Shard::new(100_000);
        for number in 0..100_000 {
            add(&mut shard, number, 10, 0);
        }
        add(&mut shard, 100_000, 100, 0);
        let before = shard.entries.allocation_size();
        assert_eq!(shard.forget_expired(10), 99_999);
        shard.shrink();
        assert!(shard.find(key(100_000)).is_some());
        assert!(shard.entries.allocation_size() < before / 1000);
    }
}
