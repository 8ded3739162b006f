//! All literals of all gates in one automaton (Aho and Corasick, 1975).

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::filter::Filter;
use crate::{byte_set::ByteSet, error::Problem};

/// Of longer literals the beginning is sought: it is rare enough, and keeps the automaton small.
const LONGEST: usize = 8;

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
    automaton: Option<AhoCorasick>,
    /// For each literal, the gates that it opens.
    gates: Vec<Box<[u16]>>,
    /// Literals of one byte, and the gates that they open.
    single: Vec<(u8, Box<[u16]>)>,
    words: usize,
}

impl GateIndexBuilder {
    /// The number of the gate that any of these literals opens.
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

    pub(crate) fn build(self) -> Result<GateIndex, Problem> {
        let words = self.known.len().div_ceil(64);
        let (single, literals): (Vec<_>, Vec<_>) =
            self.literals.into_iter().partition(|(literal, _)| literal.len() == 1);
        let single = single.into_iter().map(|(literal, gates)| (literal[0], gates.into())).collect();
        let (literals, gates): (Vec<_>, Vec<_>) = literals.into_iter().unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals);
        let automaton = automaton.map_err(|_| Problem::TooMuch {
            what: "literals of all patterns",
            limit: u64::from(u32::MAX) / 2,
        })?;
        let automaton = (!literals.is_empty()).then_some(automaton);
        let filter = Filter::new(literals.iter().map(Vec::as_slice));
        Ok(GateIndex { filter, single, automaton, gates: gates.into_iter().map(Into::into).collect(), words })
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
            if present.contains(*byte) {
                open(gates, hits);
            }
        }
        let (Some(automaton), Some(first)) = (&self.automaton, self.filter.first(value)) else { return };
        for found in automaton.find_overlapping_iter(value.get(first..).unwrap_or_default()) {
            open(&self.gates[found.pattern().as_usize()], hits);
        }
    }
}

fn open(gates: &[u16], hits: &mut [u64]) {
    for gate in gates {
        hits[usize::from(gate >> 6)] |= 1 << (gate & 63);
    }
}
