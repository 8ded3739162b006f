//! All literals of all gates, sought together.
//!
//! An automaton of them has megabytes, of which a hostile value visits all. This looks at each position on its own: the
//! filter rules nearly every one out, and what is left is compared as a whole.

use std::collections::BTreeMap;

use super::{
    askers::{Askers, Beginnings},
    filter::{Candidates, Filter, Head, Heads},
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
    /// For each gate who asks for it.
    askers: Vec<Askers>,
}

/// The literals, compiled.
#[derive(Debug)]
pub(crate) struct GateIndex {
    filter: Filter,
    prefixes: Prefixes,
    /// Literals of one byte, and the gates that they open.
    single: Vec<(u8, Box<[u16]>)>,
    words: usize,
    /// For each chain how the literals begin that rules behind it ask for, if they are few.
    few: Box<[Option<Beginnings>]>,
}

/// What part of all literals is still few.
const FEW: usize = 4;

impl GateIndexBuilder {
    /// The number of the gate that any of these literals opens. Of long ones the beginning is sought: it is rare enough.
    pub(crate) fn gate(&mut self, mut literals: Vec<Vec<u8>>, askers: Askers) -> Result<u16, Problem> {
        for literal in &mut literals {
            literal.make_ascii_lowercase();
            literal.truncate(LONGEST);
        }
        literals.sort_unstable();
        literals.dedup();
        if let Some(known) = self.known.get(&literals) {
            if let Some(all) = self.askers.get_mut(usize::from(*known)) {
                *all = all.and(askers);
            }
            return Ok(*known);
        }
        let number = u16::try_from(self.known.len())
            .map_err(|_| Problem::TooMuch { what: "different rules", limit: u64::from(u16::MAX) })?;
        for literal in &literals {
            self.literals.entry(literal.clone()).or_default().push(number);
        }
        self.known.insert(literals, number);
        self.askers.push(askers);
        Ok(number)
    }

    pub(crate) fn build(self) -> GateIndex {
        let words = self.known.len().div_ceil(64);
        let few = self.few();
        let (single, literals): (Vec<_>, Vec<_>) =
            self.literals.into_iter().partition(|(literal, _)| literal.len() == 1);
        let single = single.into_iter().map(|(literal, gates)| (literal[0], gates.into())).collect();
        let filter = Filter::new(literals.iter().map(|(literal, _)| literal.as_slice()));
        GateIndex { filter, single, prefixes: Prefixes::new(&literals), words, few }
    }

    fn few(&self) -> Box<[Option<Beginnings>]> {
        let asks = |chain: Askers, gates: &[u16]| {
            gates
                .iter()
                .filter_map(|gate| self.askers.get(usize::from(*gate)))
                .any(|askers| askers.include(chain))
        };
        let chains = (0..).map(Askers::behind).take_while(|chain| *chain != Askers::ALL);
        let beginnings = chains.map(|chain| {
            let asked =
                || self.literals.iter().filter(|(_, gates)| asks(chain, gates)).map(|(literal, _)| literal);
            (asked().count() <= self.literals.len() / FEW)
                .then(|| Beginnings::new(asked().map(Vec::as_slice)))
        });
        beginnings.collect()
    }
}

impl GateIndex {
    /// How many words of 64 gates there are.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Whether a value is looked through for less than all literals if only these ask: it is long, and they are few.
    pub(crate) fn has_less_for(&self, askers: Askers, length: usize) -> bool {
        length >= LONG && self.few_for(askers).is_some()
    }

    fn few_for(&self, askers: Askers) -> Option<&Beginnings> {
        self.few.get(askers.chain()?)?.as_ref()
    }

    /// Marks the gates that a value opens, which holds these bytes: those that are asked for, and perhaps others.
    pub(crate) fn scan(&self, value: &[u8], present: &ByteSet, askers: Askers, hits: &mut [u64]) {
        for (byte, gates) in &self.single {
            if present.contains(*byte) || present.contains(byte.to_ascii_uppercase()) {
                open(gates, hits);
            }
        }
        match self.few_for(askers) {
            Some(few) => self.open_all(value, few.clone(), hits),
            None => self.open_all(value, self.filter.everything(), hits),
        }
    }

    /// Opens the gates of all literals in a value that begin where they may.
    fn open_all(&self, value: &[u8], mut candidates: impl Candidates, hits: &mut [u64]) {
        let is_long = value.len() >= LONG;
        let mut seen = is_long.then(Seen::default);
        let mut from = 0;
        while let Some(at) = candidates.next(value, from) {
            from = at + 1;
            let rest = value.get(at..).unwrap_or_default();
            let heads = self.filter.heads(rest);
            let window = Window::new(rest);
            if heads.is_empty() || seen.as_mut().is_some_and(|seen| seen.has_or_adds(window)) {
                continue;
            }
            if self.open_at(window, heads, hits) && is_long {
                candidates.forget_two(rest);
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
