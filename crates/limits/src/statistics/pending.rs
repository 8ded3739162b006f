//! What one thread has seen lately and has not added to what is seen by all: a few values of one minute, each with its
//! counts.

use super::{Counts, Outcome, label::Label};
use crate::key::Key;

/// Values that are held. Few enough to be searched one by one.
const VALUES: usize = 8;
/// The shortest part of a window: what is held belongs to one of them.
const MINUTE: u64 = 60_000_000_000;

/// No memory until there is something to hold.
#[derive(Default)]
pub(super) struct Pending {
    /// Nanoseconds: when the last of what is held was seen.
    last: u64,
    held: Vec<Held>,
}

/// A value, and how often it was seen.
pub(super) struct Held {
    pub(super) key: Key,
    pub(super) counts: Counts,
    pub(super) label: Label,
}

impl Pending {
    /// Whether a value of that time can be added before the others are taken out.
    pub(super) fn has_room(&self, now: u64, key: Key) -> bool {
        let is_same_minute = self.held.is_empty() || now / MINUTE == self.last / MINUTE;
        is_same_minute && (self.held.len() < VALUES || self.held.iter().any(|held| held.key == key))
    }

    /// Counts a value.
    pub(super) fn add(&mut self, now: u64, key: Key, value: &[u8], outcome: Outcome) {
        self.last = now;
        if let Some(held) = self.held.iter_mut().find(|held| held.key == key) {
            held.counts.count(outcome);
            return;
        }
        let mut counts = Counts::default();
        counts.count(outcome);
        self.held.reserve_exact(VALUES - self.held.len().min(VALUES));
        self.held.push(Held { key, counts, label: Label::of(value, key.place) });
    }

    /// When the last of what is held was seen.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Takes out all that is held; its memory stays.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Held> {
        self.held.drain(..)
    }
}
