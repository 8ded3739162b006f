//! Which values came most often: the space saving algorithm (Metwally, Agrawal, El Abbadi: "Efficient computation of
//! frequent and top-k elements in data streams", 2005). A value without a counter takes over the smallest one, with its
//! count, which so is an upper bound; what it had then is its error.
//!
//! Of `n` additions, no count is off by more than `n / 16`, and every value that was added more often than that has a
//! counter.

use std::collections::HashMap;

use super::{TopValue, label::Label};

/// Counters of one sketch. Few enough to be searched one by one.
pub(super) const COUNTERS: usize = 16;

/// The counters; no memory until there is something to count.
#[derive(Default)]
pub(super) struct HeavyHitters {
    /// The hash of each counter's value. Apart from the counters, because all of them are searched each time.
    hashes: Vec<u64>,
    counters: Vec<Counter>,
}

struct Counter {
    /// At least as high as the value came often.
    count: u64,
    /// What of it may have been others.
    error: u64,
    label: Label,
}

/// Several sketches together, one for each part of a window.
pub(super) struct Merged {
    values: HashMap<u64, Entry>,
    /// What a value may have been in all sketches that have no counter for it.
    unseen: u64,
}

struct Entry {
    label: Label,
    at_least: u64,
    /// Above what `unseen` says.
    count: u64,
    /// What `unseen` holds of the sketches that have a counter for it.
    seen: u64,
}

impl HeavyHitters {
    /// Adds a value with this hash.
    pub(super) fn add(&mut self, hash: u64, value: &[u8]) {
        let known = self.hashes.iter().position(|known| *known == hash);
        if let Some(counter) = known.and_then(|index| self.counters.get_mut(index)) {
            counter.count += 1;
        } else if self.counters.len() < COUNTERS {
            self.hashes.reserve_exact(COUNTERS - self.hashes.len());
            self.counters.reserve_exact(COUNTERS - self.counters.len());
            self.hashes.push(hash);
            self.counters.push(Counter { count: 1, error: 0, label: Label::of(value, hash) });
        } else {
            self.take_over(hash, value);
        }
    }

    fn take_over(&mut self, hash: u64, value: &[u8]) {
        let smallest =
            self.hashes.iter_mut().zip(&mut self.counters).min_by_key(|(_, counter)| counter.count);
        let Some((known, counter)) = smallest else { return };
        *known = hash;
        *counter = Counter { count: counter.count + 1, error: counter.count, label: Label::of(value, hash) };
    }

    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.counters.clear();
    }

    /// How often a value that has no counter came at most.
    fn unseen(&self) -> u64 {
        if self.counters.len() < COUNTERS {
            return 0;
        }
        self.counters.iter().map(|counter| counter.count).min().unwrap_or(0)
    }
}

impl Merged {
    pub(super) fn of<'s>(sketches: impl Iterator<Item = &'s HeavyHitters>) -> Self {
        let mut merged = Self { values: HashMap::new(), unseen: 0 };
        for sketch in sketches {
            let unseen = sketch.unseen();
            merged.unseen += unseen;
            for (hash, counter) in sketch.hashes.iter().zip(&sketch.counters) {
                let fresh = Entry { label: counter.label, at_least: 0, count: 0, seen: 0 };
                let entry = merged.values.entry(*hash).or_insert(fresh);
                entry.at_least += counter.count - counter.error;
                entry.count += counter.count;
                entry.seen += unseen;
            }
        }
        merged
    }

    pub(super) fn into_values(self) -> impl Iterator<Item = TopValue> {
        let unseen = self.unseen;
        self.values.into_values().map(move |entry| TopValue {
            value: entry.label.text(),
            at_least: entry.at_least,
            at_most: entry.count + unseen - entry.seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Streams in which small numbers are frequent.
    fn streams() -> impl Strategy<Value = Vec<Vec<u64>>> {
        let value = prop_oneof![3 => 0..4_u64, 2 => 0..20_u64, 2 => 0..1000_u64];
        prop::collection::vec(prop::collection::vec(value, 0..400), 1..5)
    }

    fn sketch(stream: &[u64]) -> HeavyHitters {
        let mut sketch = HeavyHitters::default();
        for value in stream {
            sketch.add(*value, value.to_string().as_bytes());
        }
        sketch
    }

    #[test]
    fn a_counter_is_88_bytes() {
        assert_eq!(size_of::<Counter>(), 88);
    }

    proptest! {
        #[test]
        fn counts_lie_within_their_bounds_and_nobody_frequent_is_missing(streams in streams()) {
            let sketches: Vec<_> = streams.iter().map(|stream| sketch(stream)).collect();
            let merged: Vec<_> = Merged::of(sketches.iter()).into_values().collect();
            let truth = |value: &str| {
                streams.iter().flatten().filter(|other| other.to_string() == value).count() as u64
            };
            let bound: u64 = streams.iter().map(|stream| (stream.len() / COUNTERS) as u64).sum();
            for top in &merged {
                let true_count = truth(&top.value);
                prop_assert!((top.at_least..=top.at_most).contains(&true_count), "{top:?}: {true_count}");
                prop_assert!(top.at_most - top.at_least <= bound, "{top:?}: {bound}");
            }
            for value in streams.iter().flatten().map(u64::to_string) {
                let is_there = merged.iter().any(|top| top.value == value);
                prop_assert!(is_there || truth(&value) <= bound, "{value}");
            }
        }

        #[test]
        fn a_sketch_never_has_more_than_its_counters(streams in streams()) {
            for stream in streams {
                let sketch = sketch(&stream);
                prop_assert!(sketch.counters.capacity() <= COUNTERS && sketch.hashes.capacity() <= COUNTERS);
                prop_assert_eq!(sketch.counters.iter().map(|counter| counter.count).sum::<u64>(), stream.len() as u64);
            }
        }
    }
}
