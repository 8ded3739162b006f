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

#[derive(Debug)]
pub(super) struct Cache {
    /// For each selection its values.
    selections: Box<[Known<Entries>]>,
    /// For each group what its values have together.
    groups: Box<[Known<Summary>]>,
    /// As for groups, for groups that are asked together.
    bundles: Box<[Known<Summary>]>,
    /// The gates that any value of a group opens.
    hits: Vec<u64>,
}

/// Something, and up to which version of the values it holds; 0 is never one.
#[derive(Clone, Copy, Debug, Default)]
struct Known<T> {
    version: u32,
    known: T,
}

/// What the values of a group have together.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    present: ByteSet,
    longest: u32,
    hits: usize,
}

/// What of an exchange is looked at.
pub(super) struct Looked<'l> {
    pub(super) rules: &'l RuleSet,
    pub(super) values: &'l Values,
    pub(super) buffers: &'l mut Buffers,
}

impl Cache {
    pub(super) fn new(rules: &RuleSet) -> Self {
        Self {
            selections: vec![Known::default(); rules.selections.len()].into(),
            groups: vec![Known::default(); rules.groups.len()].into(),
            bundles: vec![Known::default(); rules.bundles.len()].into(),
            hits: Vec::new(),
        }
    }

    /// The memory that all of it takes.
    pub(super) fn held_bytes(&self) -> usize {
        let entries = |known: &Known<Entries>| {
            let entries = &known.known;
            if entries.spilled() { entries.capacity() * size_of::<Entry>() } else { 0 }
        };
        size_of_val(&*self.selections)
            + self.selections.iter().map(entries).sum::<usize>()
            + size_of_val(&*self.groups)
            + size_of_val(&*self.bundles)
            + self.hits.capacity() * size_of::<u64>()
    }

    /// The values of a selection, to be handed back with [`Self::put_back`].
    pub(super) fn take(
        &mut self,
        number: usize,
        rules: &RuleSet,
        values: &Values,
        buffers: &Buffers,
    ) -> Entries {
        let selection = &rules.selections[number];
        let known = &mut self.selections[number];
        let version = values.version_of(selection.variable) + 1;
        if known.version != version {
            known.version = version;
            known.known = values.select(selection, buffers).collect();
        }
        std::mem::take(&mut known.known)
    }

    pub(super) fn put_back(&mut self, number: usize, entries: Entries) {
        self.selections[number].known = entries;
    }

    /// Whether any value of a group may open a gate.
    pub(super) fn group_may_admit(&mut self, gate: &Gate, number: usize, looked: &mut Looked<'_>) -> bool {
        let summary = self.group(number, looked);
        self.admits(gate, &summary, looked.rules)
    }

    /// Whether any value of groups that are asked together may open a gate.
    pub(super) fn bundle_may_admit(&mut self, gate: &Gate, number: usize, looked: &mut Looked<'_>) -> bool {
        if self.bundles[number].version != looked.values.version() + 1 {
            self.summarise_bundle(number, looked);
        }
        self.admits(gate, &self.bundles[number].known, looked.rules)
    }

    fn admits(&self, gate: &Gate, summary: &Summary, rules: &RuleSet) -> bool {
        let hits = self.hits.get(summary.hits..summary.hits + rules.index.words());
        gate.admits_profile(&summary.present, summary.longest) && gate.admits_hits(hits.unwrap_or_default())
    }

    /// Where the gates of a summary stand, which has a place of its own from now on.
    fn place(&mut self, earlier: usize, version: u32, words: usize) -> usize {
        if version > 0 {
            self.hits[earlier..earlier + words].fill(0);
            return earlier;
        }
        let place = self.hits.len();
        self.hits.resize(place + words, 0);
        place
    }

    fn group(&mut self, number: usize, looked: &mut Looked<'_>) -> Summary {
        let group = &looked.rules.groups[number];
        let variable = looked.rules.selections[group.selection].variable;
        let version = looked.values.version_of(variable) + 1;
        let Known { version: earlier, known } = self.groups[number];
        if earlier == version {
            return known;
        }
        let words = looked.rules.index.words();
        let place = self.place(known.hits, earlier, words);
        let mut summary = Summary { hits: place, ..Summary::default() };
        let entries = self.take(group.selection, looked.rules, looked.values, looked.buffers);
        for entry in &entries {
            let value = looked.buffers.transformed(entry.value, &group.chain);
            let profile = looked.buffers.profile(value);
            summary.present.add(&profile.present);
            summary.longest = summary.longest.max(profile.length);
            let hits = looked.buffers.hits(value, &looked.rules.index);
            self.hits[place..place + words].iter_mut().zip(hits).for_each(|(all, one)| *all |= one);
        }
        self.put_back(group.selection, entries);
        self.groups[number] = Known { version, known: summary };
        summary
    }

    fn summarise_bundle(&mut self, number: usize, looked: &mut Looked<'_>) {
        let words = looked.rules.index.words();
        let Known { version: earlier, known } = self.bundles[number];
        let place = self.place(known.hits, earlier, words);
        let mut summary = Summary { hits: place, ..Summary::default() };
        for group in &looked.rules.bundles[number] {
            let one = self.group(*group, looked);
            summary.present.add(&one.present);
            summary.longest = summary.longest.max(one.longest);
            for word in 0..words {
                self.hits[place + word] |= self.hits[one.hits + word];
            }
        }
        self.bundles[number] = Known { version: looked.values.version() + 1, known: summary };
    }
}
