//! All literals of all gates, sought together.
//!
//! An automaton of them has megabytes, of which a hostile value visits all. This looks at each position on its own: the
//! filter rules nearly every one out, and what is left is compared as a whole.

use std::collections::BTreeMap;

use super::{
    filter::{Filter, Head, Heads},
    prefixes::{LONGEST, Prefixes, Window},
    seen::Seen,
    single::Singles,
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
    singles: Singles,
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
        let (singles, literals): (Vec<_>, Vec<_>) =
            self.literals.into_iter().partition(|(literal, _)| literal.len() == 1);
        let singles = Singles::new(singles.into_iter().map(|(literal, gates)| (literal[0], gates)));
        let filter = Filter::new(literals.iter().map(|(literal, _)| literal.as_slice()));
        GateIndex { filter, singles, prefixes: Prefixes::new(&literals), words }
    }
}

impl GateIndex {
    /// How many words of 64 gates there are.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Marks the gates that a value opens, which holds these bytes.
    pub(crate) fn scan(&self, value: &[u8], present: &ByteSet, hits: &mut [u64]) {
        self.singles.open(present, hits);
        if value.len() < LONG {
            self.open_everywhere(value, hits);
        } else {
            self.open_anew(value, hits);
        }
        // Two bytes are left.
        let rest = value.get(value.len().saturating_sub(2)..).unwrap_or_default();
        let heads = self.filter.heads(rest);
        if !heads.is_empty() {
            self.open_at(Window::new(rest), heads, hits);
        }
    }

    /// Opens the gates of all literals in a value, but for those in its last two bytes.
    fn open_everywhere(&self, value: &[u8], hits: &mut [u64]) {
        let mut from = 0;
        while let Some(at) = self.filter.following.next(value, from) {
            from = at + 1;
            let rest = value.get(at..).unwrap_or_default();
            let heads = self.filter.heads(rest);
            if !heads.is_empty() {
                self.open_at(Window::new(rest), heads, hits);
            }
        }
    }

    /// As [`Self::open_everywhere`], but what stood in the value before is not looked at again.
    fn open_anew(&self, value: &[u8], hits: &mut [u64]) {
        let mut everything = self.filter.everything();
        let mut seen = Seen::default();
        let mut from = 0;
        while let Some(at) = everything.next(value, from) {
            from = at + 1;
            let rest = value.get(at..).unwrap_or_default();
            let heads = self.filter.heads(rest);
            if heads.is_empty() {
                continue;
            }
            let window = Window::new(rest);
            if !seen.has_or_adds(window) && self.open_at(window, heads, hits) {
                everything.forget_two(rest);
            }
        }
    }

    /// Opens the gates of the literals that stand at the beginning of a window; whether one of them has two bytes.
    #[inline]
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

/// Opens these gates.
pub(super) fn open(gates: &[u16], hits: &mut [u64]) {
    for gate in gates {
        if let Some(word) = hits.get_mut(usize::from(gate >> 6)) {
            *word |= 1 << (gate & 63);
        }
    }
}
