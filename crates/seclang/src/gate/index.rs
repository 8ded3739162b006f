//! All literals of all gates, sought together.
//!
//! An automaton of them has megabytes, of which a hostile value visits all. This looks at each position on its own: the
//! filter rules nearly every one out, and what is left is compared as a whole.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    filter::Filter,
    prefixes::{LONGEST, Prefixes, Window},
};
use crate::{byte_set::ByteSet, error::Problem};

/// In values of this length, what was found is not sought again: a copy of the filter costs less.
const LONG: usize = 4096;

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
        let mut filter = Cow::Borrowed(&self.filter);
        let mut rest = value;
        while rest.len() > 1 {
            let heads = filter.heads(rest);
            if !heads.is_empty() {
                let window = Window::new(rest);
                for head in heads.iter() {
                    for found in self.prefixes.at(window, head) {
                        open(found.gates, hits);
                        if found.may_be_forgotten && value.len() >= LONG {
                            filter.to_mut().forget(rest, head);
                        }
                    }
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

fn open(gates: &[u16], hits: &mut [u64]) {
    for gate in gates {
        hits[usize::from(gate >> 6)] |= 1 << (gate & 63);
    }
}
