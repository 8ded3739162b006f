//! What came of a comparison: how much was the same, which known differences there were, and what nobody explained.

use std::{collections::BTreeMap, fmt};

/// As many unexplained differences are shown.
const SHOWN: usize = 20;

#[derive(Default)]
pub(crate) struct Tally {
    what: &'static str,
    compared: usize,
    /// What could not be compared, by reason.
    left_out: BTreeMap<&'static str, usize>,
    explained: BTreeMap<&'static str, usize>,
    unexplained: usize,
    shown: Vec<String>,
}

impl Tally {
    pub(crate) fn of(what: &'static str) -> Self {
        Self { what, ..Self::default() }
    }

    pub(crate) fn compared(&mut self) {
        self.compared += 1;
    }

    pub(crate) fn left_out(&mut self, reason: &'static str) {
        *self.left_out.entry(reason).or_default() += 1;
    }

    /// A difference of a class that `crates/seclang/tests/differences.md` explains.
    pub(crate) fn explained(&mut self, class: &'static str) {
        *self.explained.entry(class).or_default() += 1;
    }

    pub(crate) fn unexplained(&mut self, difference: impl FnOnce() -> String) {
        self.unexplained += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(difference());
        }
    }

    pub(crate) fn compared_so_far(&self) -> usize {
        self.compared
    }

    pub(crate) fn unexplained_so_far(&self) -> usize {
        self.unexplained
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {} compared, {} differences not explained",
            self.compared, self.what, self.unexplained
        )?;
        for (reason, count) in &self.left_out {
            writeln!(f, "  left out {count}: {reason}")?;
        }
        for (class, count) in &self.explained {
            writeln!(f, "  explained {count}: {class}")?;
        }
        for difference in &self.shown {
            writeln!(f, "  {difference}")?;
        }
        Ok(())
    }
}
