//! All literals of all gates in one automaton (Aho and Corasick, 1975).

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use crate::error::Problem;

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
    automaton: Option<AhoCorasick>,
    /// For each literal, the gates that it opens.
    gates: Vec<Box<[u16]>>,
    words: usize,
}

impl GateIndexBuilder {
    /// The number of the gate that any of these literals opens.
    pub(crate) fn gate(&mut self, mut literals: Vec<Vec<u8>>) -> Result<u16, Problem> {
        for literal in &mut literals {
            literal.make_ascii_lowercase();
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
        let (literals, gates): (Vec<_>, Vec<_>) = self.literals.into_iter().unzip();
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&literals);
        let automaton = automaton.map_err(|_| Problem::TooMuch {
            what: "literals of all patterns",
            limit: u64::from(u32::MAX) / 2,
        })?;
        let automaton = (!literals.is_empty()).then_some(automaton);
        Ok(GateIndex { automaton, gates: gates.into_iter().map(Into::into).collect(), words })
    }
}

impl GateIndex {
    /// How many words of 64 gates there are.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Marks the gates that a value opens.
    pub(crate) fn scan(&self, value: &[u8], hits: &mut [u64]) {
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_overlapping_iter(value) {
            for gate in &self.gates[found.pattern().as_usize()] {
                hits[usize::from(gate >> 6)] |= 1 << (gate & 63);
            }
        }
    }
}
