//! What is the same for all rules of a phase: which values a target means, and what all of them have together.

use smallvec::SmallVec;

use crate::{
    RuleSet,
    buffers::Buffers,
    byte_set::ByteSet,
    gate::Gate,
    values::{Entry, Values},
};

/// Values of a selection: seldom many.
pub(super) type Entries = SmallVec<[Entry; 4]>;

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// For each selection its values, once they were sought.
    selections: Vec<Option<Entries>>,
    /// For each group what its values have together, once they were looked at.
    summaries: Vec<Option<Summary>>,
    /// As for groups, for groups that are asked together.
    bundles: Vec<Option<Summary>>,
    /// The gates that any value of a group opens.
    hits: Vec<u64>,
}

/// What the values of a group have together.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    present: ByteSet,
    longest: u32,
    hits: usize,
}

impl Cache {
    /// Forgets everything, because values may have changed since the last phase.
    pub(super) fn begin(&mut self, rules: &RuleSet) {
        self.selections.clear();
        self.selections.resize(rules.selections.len(), None);
        self.summaries.clear();
        self.summaries.resize(rules.groups.len(), None);
        self.bundles.clear();
        self.bundles.resize(rules.bundles.len(), None);
        self.hits.clear();
    }

    /// The values of a selection, to be handed back with [`Self::put_back`].
    pub(super) fn take(
        &mut self,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &Buffers,
    ) -> Entries {
        match self.selections[number].take() {
            Some(known) => known,
            None => values.select(&rules.selections[number], buffers).collect(),
        }
    }

    pub(super) fn put_back(&mut self, number: usize, entries: Entries) {
        self.selections[number] = Some(entries);
    }

    /// Whether any value of a group may open a gate.
    pub(super) fn may_admit(
        &mut self,
        gate: &Gate,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &mut Buffers,
    ) -> bool {
        let summary = self.group(number, rules, values, buffers);
        self.admits(gate, &summary, rules)
    }

    /// Whether any value of groups that are asked together may open a gate.
    pub(super) fn bundle_may_admit(
        &mut self,
        gate: &Gate,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &mut Buffers,
    ) -> bool {
        let summary = match self.bundles[number] {
            Some(known) => known,
            None => self.bundle(number, rules, values, buffers),
        };
        self.admits(gate, &summary, rules)
    }

    fn admits(&self, gate: &Gate, summary: &Summary, rules: &RuleSet) -> bool {
        let hits = self.hits.get(summary.hits..summary.hits + rules.index.words());
        gate.admits_profile(&summary.present, summary.longest) && gate.admits_hits(hits.unwrap_or_default())
    }

    fn group(&mut self, number: usize, rules: &RuleSet, values: &Values, buffers: &mut Buffers) -> Summary {
        match self.summaries[number] {
            Some(known) => known,
            None => self.summarise(number, rules, values, buffers),
        }
    }

    fn bundle(&mut self, number: usize, rules: &RuleSet, values: &Values, buffers: &mut Buffers) -> Summary {
        let words = rules.index.words();
        let mut together = Summary { hits: self.hits.len(), ..Summary::default() };
        self.hits.resize(together.hits + words, 0);
        for group in &rules.bundles[number] {
            let one = self.group(*group, rules, values, buffers);
            together.present.add(&one.present);
            together.longest = together.longest.max(one.longest);
            for word in 0..words {
                self.hits[together.hits + word] |= self.hits[one.hits + word];
            }
        }
        *self.bundles[number].insert(together)
    }

    fn summarise(
        &mut self,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &mut Buffers,
    ) -> Summary {
        let group = &rules.groups[number];
        let entries = self.take(group.selection, rules, values, buffers);
        let start = self.hits.len();
        let words = rules.index.words();
        self.hits.resize(start + words, 0);
        let mut summary = Summary { hits: start, ..Summary::default() };
        for entry in &entries {
            let value = buffers.transformed(entry.value, &group.chain);
            let profile = buffers.profile(value);
            summary.present.add(&profile.present);
            summary.longest = summary.longest.max(profile.length);
            let hits = buffers.hits(value, &rules.index);
            self.hits[start..start + words].iter_mut().zip(hits).for_each(|(all, one)| *all |= one);
        }
        self.put_back(group.selection, entries);
        *self.summaries[number].insert(summary)
    }
}
