//! Values under hashed keys, in a fixed number of places.
//!
//! Keys are hashed with a secret of the process, so nobody can choose an account or address that displaces a certain
//! other. A set has eight places; when they are taken, the value that matters least goes.

use std::hash::{BuildHasher, Hash, RandomState};

const WAYS: usize = 8;

/// What a table can hold.
pub(super) trait Held {
    /// Greater is more worth keeping.
    fn worth(&self, now: u64) -> (bool, usize, u64);
}

#[derive(Debug)]
pub(super) struct Table<T> {
    sets: Vec<Vec<(u64, T)>>,
}

impl<T: Held + Default> Table<T> {
    /// Memory is taken as it is needed, for `capacity` values at most.
    pub(super) fn new(capacity: usize) -> Self {
        let sets = (capacity / WAYS).max(1);
        Self { sets: std::iter::repeat_with(Vec::new).take(sets).collect() }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let set = self.set(key)?;
        set.iter_mut().find(|(held, _)| *held == key.0).map(|(_, value)| value)
    }

    /// The value of `key`, a new one if there is none.
    pub(super) fn entry(&mut self, key: Key, now: u64) -> Option<&mut T> {
        let set = self.set(key)?;
        let place = if let Some(place) = set.iter().position(|(held, _)| *held == key.0) {
            place
        } else if set.len() < WAYS {
            set.push((key.0, T::default()));
            set.len() - 1
        } else {
            let (place, (held, value)) =
                set.iter_mut().enumerate().min_by_key(|(_, (_, value))| value.worth(now))?;
            (*held, *value) = (key.0, T::default());
            place
        };
        set.get_mut(place).map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(set) = self.set(key) {
            set.retain(|(held, _)| *held != key.0);
        }
    }

    /// Looks at every value: for what seldom happens.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        self.sets.iter_mut().for_each(|set| set.retain_mut(|(_, value)| keep(value)));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.sets.iter().map(Vec::len).sum()
    }

    fn set(&mut self, Key(key): Key) -> Option<&mut Vec<(u64, T)>> {
        let sets = self.sets.len() as u64;
        let index = usize::try_from(key.checked_rem(sets)?).ok()?;
        self.sets.get_mut(index)
    }
}

/// A hashed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn of(secret: &RandomState, parts: impl Hash) -> Self {
        Self(secret.hash_one(parts))
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}
