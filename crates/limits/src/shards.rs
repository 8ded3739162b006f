//! A table in parts, each behind its own lock, so that threads seldom meet; and a way to hold several at once that
//! cannot deadlock: they are always taken in the same order, and nothing else is waited for while they are held.

use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use crate::{key::Key, lane::own_lane};

pub(crate) struct Shards<T> {
    /// A power of two of them.
    shards: Box<[OwnLine<T>]>,
}

/// A shard on cache lines of its own: to lock one must not slow down its neighbour.
#[repr(align(64))]
struct OwnLine<T>(Mutex<T>);

/// The shards of some keys, locked.
pub(crate) struct Locked<'a, T> {
    /// In the order of their index.
    guards: SmallVec<[(usize, MutexGuard<'a, T>); 4]>,
    last: usize,
}

impl<T> Shards<T> {
    /// So many shards, rounded up to a power of two.
    pub(crate) fn new(count: usize, mut shard: impl FnMut() -> T) -> Self {
        Self { shards: (0..count.next_power_of_two()).map(|_| OwnLine(Mutex::new(shard()))).collect() }
    }

    /// Locks what these keys need, all at once.
    pub(crate) fn lock(&self, keys: impl IntoIterator<Item = Key>) -> Locked<'_, T> {
        let last = self.shards.len() - 1;
        let mut wanted: SmallVec<[usize; 4]> = keys.into_iter().map(|key| index(key, last)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let guards = wanted
            .into_iter()
            .filter_map(|index| self.shards.get(index).map(|shard| (index, shard.0.lock())))
            .collect();
        Locked { guards, last }
    }

    /// Locks what this key needs. `None` never happens: there is a shard for every key.
    pub(crate) fn lock_one(&self, key: Key) -> Option<MutexGuard<'_, T>> {
        self.shards.get(index(key, self.shards.len() - 1)).map(|shard| shard.0.lock())
    }

    /// Locks what this thread has to itself, or shares with few others. `None` never happens, as above.
    pub(crate) fn lock_own(&self) -> Option<MutexGuard<'_, T>> {
        self.shards.get(own_lane() & (self.shards.len() - 1)).map(|shard| shard.0.lock())
    }

    /// Locks each shard in turn, one at a time.
    pub(crate) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.shards.iter().map(|shard| shard.0.lock())
    }
}

impl<T> Locked<'_, T> {
    /// Where among those that are locked the shard of a key is. `None` when the key was not among those asked for.
    pub(crate) fn position(&self, key: Key) -> Option<usize> {
        let index = index(key, self.last);
        self.guards.binary_search_by_key(&index, |(index, _)| *index).ok()
    }

    /// The shard at a position.
    pub(crate) fn at(&mut self, position: usize) -> Option<&mut T> {
        self.guards.get_mut(position).map(|(_, guard)| &mut **guard)
    }

    /// The shard of a key.
    pub(crate) fn shard(&mut self, key: Key) -> Option<&mut T> {
        self.at(self.position(key)?)
    }

    /// Every shard that is locked.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut T> {
        self.guards.iter_mut().map(|(_, guard)| &mut **guard)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are what counts")]
fn index(key: Key, last: usize) -> usize {
    key.shard as usize & last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(shard: u64) -> Key {
        Key { place: 0, shard }
    }

    #[test]
    fn keys_of_one_shard_share_one_lock() {
        let shards = Shards::new(3, || 0);
        let mut locked = shards.lock([key(5), key(2), key(1), key(2)]);
        for shard in [5, 1] {
            *locked.shard(key(shard)).unwrap() += 1;
        }
        assert!(locked.shard(key(3)).is_none(), "not asked for");
        assert_eq!(locked.each().count(), 2);
        drop(locked);
        assert_eq!([5, 1, 3].map(|number| *shards.lock_one(key(number)).unwrap()), [2, 2, 0]);
        assert_eq!(shards.each().map(|shard| *shard).collect::<Vec<_>>(), [0, 2, 0, 0]);
    }

    #[test]
    fn opposite_orders_do_not_deadlock() {
        let shards = Shards::new(4, || 0_u32);
        std::thread::scope(|scope| {
            for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
                let shards = &shards;
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        shards.lock(order.map(key)).each().for_each(|shard| *shard += 1);
                    }
                });
            }
        });
        assert_eq!(shards.each().map(|shard| *shard).sum::<u32>(), 80_000);
    }
}
