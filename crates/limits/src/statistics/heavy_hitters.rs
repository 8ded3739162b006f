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
    /// The hash of each counter's value. Apart, as the counts are, because all of them are searched each time.
    hashes: Vec<u64>,
    /// At least as high as each value came often.
    counts: Vec<u64>,
    holders: Vec<Holder>,
}

/// Whose counter it is.
struct Holder {
    /// What of the count may have been others.
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
    /// Adds a value with this hash so many times.
    pub(super) fn add(&mut self, hash: u64, times: u64, label: &Label) {
        let known = self.hashes.iter().position(|known| *known == hash);
        if let Some(count) = known.and_then(|index| self.counts.get_mut(index)) {
            *count += times;
        } else if self.hashes.len() < COUNTERS {
            self.hashes.reserve_exact(COUNTERS - self.hashes.len());
            self.counts.reserve_exact(COUNTERS - self.counts.len());
            self.holders.reserve_exact(COUNTERS - self.holders.len());
            self.hashes.push(hash);
            self.counts.push(times);
            self.holders.push(Holder { error: 0, label: *label });
        } else {
            self.take_over(hash, times, label);
        }
    }

    fn take_over(&mut self, hash: u64, times: u64, label: &Label) {
        let smallest = self.counts.iter_mut().enumerate().min_by_key(|(_, count)| **count);
        let Some((index, count)) = smallest else { return };
        if let (Some(known), Some(holder)) = (self.hashes.get_mut(index), self.holders.get_mut(index)) {
            *known = hash;
            *holder = Holder { error: *count, label: *label };
            *count += times;
        }
    }

    pub(super) fn clear(&mut self) {
        self.hashes.clear();
        self.counts.clear();
        self.holders.clear();
    }

    /// How often a value that has no counter came at most.
    fn unseen(&self) -> u64 {
        if self.counts.len() < COUNTERS { 0 } else { self.counts.iter().copied().min().unwrap_or(0) }
    }
}

impl Merged {
    pub(super) fn of<'s>(sketches: impl Iterator<Item = &'s HeavyHitters>) -> Self {
        let mut merged = Self { values: HashMap::new(), unseen: 0 };
        for sketch in sketches {
            let unseen = sketch.unseen();
            merged.unseen += unseen;
            for ((hash, count), holder) in sketch.hashes.iter().zip(&sketch.counts).zip(&sketch.holders) {
                let fresh = Entry { label: holder.label, at_least: 0, count: 0, seen: 0 };
                let entry = merged.values.entry(*hash).or_insert(fresh);
                entry.at_least += count - holder.error;
                entry.count += count;
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

    /// Values that follow themselves are added together.
    fn sketch(stream: &[u64]) -> HeavyHitters {
        let mut sketch = HeavyHitters::default();
        for run in stream.chunk_by(|one, other| one == other) {
            let value = run[0];
            sketch.add(value, run.len() as u64, &Label::of(value.to_string().as_bytes(), value));
        }
        sketch
    }

    #[test]
    fn a_counter_is_96_bytes() {
        assert_eq!(2 * size_of::<u64>() + size_of::<Holder>(), 96);
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
                prop_assert!(sketch.holders.capacity() <= COUNTERS && sketch.hashes.capacity() <= COUNTERS);
                prop_assert_eq!(sketch.counts.iter().sum::<u64>(), stream.len() as u64);
            }
        }
    }
}
