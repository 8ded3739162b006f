//! All literals of all gates, sought together.
//!
//! An automaton of them has megabytes, of which a hostile value visits all. This looks at each position on its own: the
//! filter rules nearly every one out, and what is left is compared as a whole.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    filter::{Filter, Head, Heads},
    prefixes::{LONGEST, Prefixes, Window},
    seen::Seen,
};
use crate::{byte_set::ByteSet, error::Problem};

/// In values of this length, what was looked at is not looked at again.
const LONG: usize = 1024;

/// Collects the literals of gates.
#[derive(Debug, Default)]
pub(crate) struct GateIndexBuilder {
    /// For each literal, in lower case, the gates that it opens.
    literals: BTreeMap<Vec<u8>, Vec<u16>>,
    /// Gates with the same literals are the same.
    known: BTreeMap<Vec<Vec<u8>>, u16>,
}

/// The literals, compiled.
#[derive(Debug)]
pub(crate) struct GateIndex {
    filter: Filter,
    prefixes: Prefixes,
    /// Literals of one byte, and the gates that they open.
    single: Vec<(u8, Box<[u16]>)>,
    words: usize,
}

impl GateIndexBuilder {
    /// The number of the gate that any of these literals opens. Of long ones the beginning is sought: it is rare enough.
    pub(crate) fn gate(&mut self, mut literals: Vec<Vec<u8>>) -> Result<u16, Problem> {
        for literal in &mut literals {
            literal.make_ascii_lowercase();
            literal.truncate(LONGEST);
        }
        literals.sort_unstable();
        literals.dedup();
        if let Some(known) = self.known.get(&literals) {
            return Ok(*known);
        }
        let number = u16::try_from(self.known.len())
            .map_err(|_| Problem::TooMuch { what: "different rules", limit: u64::from(u16::MAX) })?;
        for literal in &literals {
            self.literals.entry(literal.clone()).or_default().push(number);
        }
        self.known.insert(literals, number);
        Ok(number)
    }

    pub(crate) fn build(self) -> GateIndex {
        let words = self.known.len().div_ceil(64);
        let (single, literals): (Vec<_>, Vec<_>) =
            self.literals.into_iter().partition(|(literal, _)| literal.len() == 1);
        let single = single.into_iter().map(|(literal, gates)| (literal[0], gates.into())).collect();
        let filter = Filter::new(literals.iter().map(|(literal, _)| literal.as_slice()));
        GateIndex { filter, single, prefixes: Prefixes::new(&literals), words }
    }
}

impl GateIndex {
    /// How many words of 64 gates there are.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Marks the gates that a value opens, which holds these bytes.
    pub(crate) fn scan(&self, value: &[u8], present: &ByteSet, hits: &mut [u64]) {
        for (byte, gates) in &self.single {
            if present.contains(*byte) || present.contains(byte.to_ascii_uppercase()) {
                open(gates, hits);
            }
        }
        let is_long = value.len() >= LONG;
        let mut following = Cow::Borrowed(self.filter.following());
        let mut seen = is_long.then(Seen::default);
        let mut from = 0;
        while let Some(at) = following.next(value, from) {
            from = at + 1;
            let rest = value.get(at..).unwrap_or_default();
            let heads = self.filter.heads(rest);
            let window = Window::new(rest);
            if heads.is_empty() || seen.as_mut().is_some_and(|seen| seen.has_or_adds(window)) {
                continue;
            }
            if self.open_at(window, heads, hits) && is_long {
                self.filter.forget_two(rest, following.to_mut());
            }
        }
        // Two bytes are left.
        let rest = value.get(value.len().saturating_sub(2)..).unwrap_or_default();
        self.open_at(Window::new(rest), self.filter.heads(rest), hits);
    }

    /// Opens the gates of the literals that stand at the beginning of a window; whether one of them has two bytes.
    fn open_at(&self, window: Window, heads: Heads, hits: &mut [u64]) -> bool {
        let mut is_two = false;
        for head in heads.iter() {
            for gates in self.prefixes.at(window, head) {
                open(gates, hits);
                is_two |= head == Head::Two;
            }
        }
        is_two
    }
}

fn open(gates: &[u16], hits: &mut [u64]) {
    for gate in gates {
        hits[usize::from(gate >> 6)] |= 1 << (gate & 63);
    }
}
