//! Who asks for literals: rules whose values one chain of transformations has made.
//!
//! A long value that a chain has made for few rules is looked through for their literals alone: few of its positions
//! could begin one.

use super::filter::{self, Candidates};

/// The rules behind one chain, or those behind several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Askers(u64);

impl Askers {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// Those behind the chain with this number; beyond as many as are told apart, everyone.
    pub(crate) fn behind(chain: usize) -> Self {
        if chain < Self::MOST { Self(1 << chain) } else { Self::ALL }
    }

    /// Chains that are told apart. The last bit is nobody's: everyone is more than those behind all of these together.
    const MOST: usize = 63;

    pub(crate) fn include(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    #[must_use]
    pub(crate) fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The number of the one chain that these are behind.
    pub(super) fn chain(self) -> Option<usize> {
        self.0.is_power_of_two().then_some(self.0.trailing_zeros() as usize)
    }
}

/// How the literals of a few rules begin.
#[derive(Clone, Debug)]
pub(super) struct Beginnings {
    /// The pairs of classes of bytes with which one begins.
    pairs: Pairs,
    /// Of those the ones with which one of more than two bytes begins.
    of_longer: Pairs,
}

/// A bit for each pair of classes.
type Pairs = [u64; filter::PAIRS / 64];

impl Beginnings {
    /// Of literals of two bytes at least.
    pub(super) fn new<'l>(literals: impl Iterator<Item = &'l [u8]>) -> Self {
        let mut beginnings = Self { pairs: [0; _], of_longer: [0; _] };
        for literal in literals {
            let [first, second, rest @ ..] = literal else { continue };
            let (word, bit) = place(filter::pair(*first, *second));
            beginnings.pairs[word] |= bit;
            if !rest.is_empty() {
                beginnings.of_longer[word] |= bit;
            }
        }
        beginnings
    }
}

impl Candidates for Beginnings {
    fn next(&self, value: &[u8], from: usize) -> Option<usize> {
        let [first, behind @ ..] = value.get(from..)? else { return None };
        let mut first = *first;
        let may_begin = |second: &u8| {
            let (word, bit) = place(filter::pair(first, *second));
            first = *second;
            self.pairs[word] & bit != 0
        };
        behind.iter().position(may_begin).map(|at| from + at)
    }

    fn forget_two(&mut self, value: &[u8]) {
        if let Some(pair) = filter::told_apart(value) {
            let (word, bit) = place(pair);
            self.pairs[word] &= self.of_longer[word] | !bit;
        }
    }
}

fn place(pair: u32) -> (usize, u64) {
    ((pair as usize >> 6) % (filter::PAIRS / 64), 1 << (pair & 63))
}
