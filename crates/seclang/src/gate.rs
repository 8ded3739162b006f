//! Gates: what a value must hold for a rule to match it at all.
//!
//! Of each operator it is worked out once which literals, bytes and length it cannot match without. All literals of all
//! rules are sought together, in one pass over each value; a rule looks only at values that open its gate. On
//! ordinary traffic that is nearly none. A gate may open in vain, and never stays shut for a value that matches.

mod bytes;
mod filter;
mod index;
mod literals;
mod lowered;
mod prefixes;
mod required;
mod seen;
mod single;

#[cfg(test)]
mod tests;

pub(crate) use index::{GateIndex, GateIndexBuilder};
pub(crate) use required::Required;

use crate::{buffers::Profile, byte_set::ByteSet};

/// What a value must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// One of the literals that stand under this number in the index.
    pub(crate) literal: Option<u16>,
    /// A byte of each of these sets.
    pub(crate) sets: Box<[ByteSet]>,
    /// This many bytes.
    pub(crate) shortest: u32,
}

impl Gate {
    /// Whether it keeps anything out.
    pub(crate) fn is_open(&self) -> bool {
        self.literal.is_none() && self.sets.is_empty() && self.shortest == 0
    }

    pub(crate) fn admits_profile(&self, profile: &Profile) -> bool {
        profile.length >= self.shortest && self.sets.iter().all(|set| set.intersects(&profile.present))
    }

    pub(crate) fn admits_hits(&self, hits: &[u64]) -> bool {
        self.literal
            .is_none_or(|bit| hits.get(usize::from(bit >> 6)).is_some_and(|word| word >> (bit & 63) & 1 == 1))
    }
}
