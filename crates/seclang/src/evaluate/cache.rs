//! What is the same for all rules of a phase: which values a target means, and what all of them have together.

use crate::{
    RuleSet,
    buffers::Buffers,
    byte_set::ByteSet,
    gate::Gate,
    values::{Entry, Values},
};

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// For each selection its values, once they were sought.
    selections: Vec<Option<Vec<Entry>>>,
    /// For each group what its values have together, once they were looked at.
    summaries: Vec<Option<Summary>>,
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
        self.hits.clear();
    }

    /// The values of a selection, to be handed back with [`Self::put_back`].
    pub(super) fn take(
        &mut self,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &Buffers,
    ) -> Vec<Entry> {
        match self.selections[number].take() {
            Some(known) => known,
            None => values.select(&rules.selections[number], buffers).collect(),
        }
    }

    pub(super) fn put_back(&mut self, number: usize, entries: Vec<Entry>) {
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
        let summary = match self.summaries[number] {
            Some(known) => known,
            None => self.summarise(number, rules, values, buffers),
        };
        let start = summary.hits;
        gate.admits_profile(&summary.present, summary.longest)
            && gate.admits_hits(self.hits.get(start..start + rules.index.words()).unwrap_or_default())
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
        self.hits.resize(start + rules.index.words(), 0);
        let mut summary = Summary { hits: start, ..Summary::default() };
        for entry in &entries {
            let value = buffers.transformed(entry.value, &group.chain);
            let profile = buffers.profile(value);
            summary.present.add(&profile.present);
            summary.longest = summary.longest.max(profile.length);
            let hits = buffers.hits(value, &rules.index);
            self.hits[start..].iter_mut().zip(hits).for_each(|(all, one)| *all |= one);
        }
        self.put_back(group.selection, entries);
        *self.summaries[number].insert(summary)
    }
}
