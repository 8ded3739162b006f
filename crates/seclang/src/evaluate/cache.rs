//! What is the same for all rules of a phase: which values a target means, and what all of them have together.

use smallvec::SmallVec;

use crate::{
    RuleSet,
    buffers::{BufferId, Buffers, Profile},
    gate::Gate,
    rule_set::Group,
    values::{Entry, Values},
};

/// Values of a selection: seldom many.
pub(super) type Entries = SmallVec<[Entry; 4]>;

/// Of more values than this, those that a chain leaves alone are not added to a summary one by one: what all of them have
/// before any transformation is, and is more than they have.
const MANY: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Cache {
    /// What the version of an exchange's values is at first: later than any of an exchange before.
    first_version: u32,
    /// For each selection its values.
    selections: Box<[Known<Entries>]>,
    /// For each selection what its values have together before any transformation.
    raw: Box<[Known<Summary>]>,
    /// For each group what its values have together.
    groups: Box<[Known<Summary>]>,
    /// For each group what is asked of its values in the end.
    finals: Box<[KnownFinals]>,
    /// As for groups, for groups that are asked together.
    bundles: Box<[Known<Summary>]>,
    /// The gates that any value of a summary opens; those of nothing come first.
    hits: Vec<u64>,
}

/// Something, and up to which version of the values it holds; 0 is never one.
#[derive(Clone, Copy, Debug, Default)]
struct Known<T> {
    version: u32,
    known: T,
}

/// A value as gates see it: after all transformations of a chain, but for the case of letters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Final {
    pub(super) value: BufferId,
    /// Where the buffers have the gates that it opens.
    pub(super) hits: usize,
}

/// Of each value of a group, in order.
#[derive(Debug, Default)]
pub(super) struct Finals(Vec<Final>);

impl Finals {
    pub(super) fn get(&self, at: usize) -> Option<Final> {
        self.0.get(at).copied()
    }
}

/// They hold until the values change, or what transformations made is forgotten.
#[derive(Debug, Default)]
struct KnownFinals {
    version: u32,
    forgotten: u32,
    known: Finals,
}

/// What several values have together.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    profile: Profile,
    /// Where [`Cache::hits`] has the gates that they open.
    hits: usize,
    /// A place that nothing else has; 0 is none.
    own: usize,
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
            first_version: 0,
            selections: vec![Known::default(); rules.selections.len()].into(),
            raw: vec![Known::default(); rules.selections.len()].into(),
            groups: vec![Known::default(); rules.groups.len()].into(),
            finals: std::iter::repeat_with(KnownFinals::default).take(rules.groups.len()).collect(),
            bundles: vec![Known::default(); rules.bundles.len()].into(),
            hits: vec![0; rules.index.words()],
        }
    }

    pub(super) fn first_version(&self) -> u32 {
        self.first_version
    }

    /// Says that nothing of an exchange holds any longer whose values had this version at last; whether that can be said
    /// once more.
    pub(super) fn outdate(&mut self, version: u32) -> bool {
        const LAST: u32 = u32::MAX / 2;
        // What is known is marked with the version behind that of the values.
        self.first_version = version.saturating_add(2);
        self.first_version < LAST
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
            + size_of_val(&*self.finals)
            + self.finals.iter().map(|finals| finals.known.0.capacity() * size_of::<Final>()).sum::<usize>()
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

    /// What is asked of the values of a group in the end, to be handed back with [`Self::put_back_finals`].
    pub(super) fn take_finals(
        &mut self,
        number: usize,
        entries: &[Entry],
        looked: &mut Looked<'_>,
    ) -> Finals {
        let Group { selection, chain, .. } = &looked.rules.groups[number];
        let version = looked.values.version_of(looked.rules.selections[*selection].variable) + 1;
        let finals = &mut self.finals[number];
        if (finals.version, finals.forgotten) != (version, looked.buffers.forgotten()) {
            (finals.version, finals.forgotten) = (version, looked.buffers.forgotten());
            let buffers = &mut *looked.buffers;
            finals.known.0.clear();
            finals.known.0.reserve_exact(entries.len());
            finals.known.0.extend(entries.iter().map(|Entry { value, .. }| {
                let is_changed = chain.may_change(buffers.profile(*value));
                let value = if is_changed { buffers.transformed(*value, chain) } else { *value };
                Final { value, hits: buffers.place_of_hits(value, &looked.rules.index) }
            }));
        }
        std::mem::take(&mut finals.known)
    }

    pub(super) fn put_back_finals(&mut self, number: usize, finals: Finals) {
        // None were taken where none are asked for.
        if !finals.0.is_empty() {
            self.finals[number].known = finals;
        }
    }

    /// Whether any value of a group may open a gate.
    pub(super) fn group_may_admit(&mut self, gate: &Gate, number: usize, looked: &mut Looked<'_>) -> bool {
        self.summarise_group(number, looked);
        self.admits(gate, &self.groups[number].known)
    }

    /// Whether any value of groups that are asked together may open a gate.
    pub(super) fn bundle_may_admit(&mut self, gate: &Gate, number: usize, looked: &mut Looked<'_>) -> bool {
        if self.bundles[number].version != looked.values.version() + 1 {
            self.summarise_bundle(number, looked);
        }
        self.admits(gate, &self.bundles[number].known)
    }

    fn admits(&self, gate: &Gate, summary: &Summary) -> bool {
        gate.admits_hits(self.hits.get(summary.hits..).unwrap_or_default())
            && gate.admits_profile(&summary.profile)
    }

    /// What a selection's values have together before any transformation.
    fn summarise_raw(&mut self, number: usize, version: u32, looked: &mut Looked<'_>) -> Summary {
        let Known { version: earlier, known } = self.raw[number];
        if earlier == version {
            return known;
        }
        let mut summary = self.emptied(&known, looked.rules.index.words());
        let entries = self.take(number, looked.rules, looked.values, looked.buffers);
        for entry in &entries {
            self.add_value(&mut summary, entry.value, looked);
        }
        self.put_back(number, entries);
        // A value in lower case opens the same gates: it has no place of its own here.
        summary.profile = summary.profile.in_any_case();
        self.raw[number] = Known { version, known: summary };
        summary
    }

    fn summarise_group(&mut self, number: usize, looked: &mut Looked<'_>) {
        let group = &looked.rules.groups[number];
        let variable = looked.rules.selections[group.selection].variable;
        let version = looked.values.version_of(variable) + 1;
        let Known { version: earlier, known } = self.groups[number];
        if earlier == version {
            return;
        }
        let raw = self.summarise_raw(group.selection, version, looked);
        let summary = if group.chain.may_change(&raw.profile) {
            let empty = self.emptied(&known, looked.rules.index.words());
            self.transformed(group, empty, looked)
        } else {
            Summary { own: known.own, ..raw }
        };
        self.groups[number] = Known { version, known: summary };
    }

    /// What the values of a group have together, some of which its chain may change.
    fn transformed(&mut self, group: &Group, mut summary: Summary, looked: &mut Looked<'_>) -> Summary {
        let entries = self.take(group.selection, looked.rules, looked.values, looked.buffers);
        let are_many = entries.len() > MANY;
        if are_many {
            self.add_summary(&mut summary, &self.raw[group.selection].known.clone(), looked);
        }
        let mut before = Profile::default();
        for Entry { value, .. } in &entries {
            if !group.chain.may_change(looked.buffers.profile(*value)) {
                if !are_many {
                    self.add_value(&mut summary, *value, looked);
                }
            } else if group.every_step {
                self.add_value(&mut summary, *value, looked);
                let mut value = *value;
                for step in group.chain.steps() {
                    value = looked.buffers.step(value, *step);
                    self.add_value(&mut summary, value, looked);
                }
            } else {
                let value = looked.buffers.transformed(*value, &group.chain);
                self.add_value(&mut summary, value, looked);
            }
            before.add(looked.buffers.profile(*value));
        }
        self.put_back(group.selection, entries);
        summary.profile = summary.profile.in_any_case();
        // Transformations that were tried in vain need not be tried for other groups.
        self.raw[group.selection].known.profile.is_touched_only_by(&before);
        summary
    }

    fn summarise_bundle(&mut self, number: usize, looked: &mut Looked<'_>) {
        let known = self.bundles[number].known;
        let mut summary = if let [group] = *looked.rules.bundles[number] {
            self.summarise_group(group, looked);
            Summary { own: known.own, ..self.groups[group].known }
        } else {
            self.emptied(&known, looked.rules.index.words())
        };
        if let [_, _, ..] = *looked.rules.bundles[number] {
            for group in &looked.rules.bundles[number] {
                self.summarise_group(*group, looked);
                self.add_summary(&mut summary, &self.groups[*group].known.clone(), looked);
            }
        }
        self.bundles[number] = Known { version: looked.values.version() + 1, known: summary };
    }

    /// A summary of nothing, in a place of its own.
    fn emptied(&mut self, earlier: &Summary, words: usize) -> Summary {
        let own = if earlier.own == 0 { self.hits.len() } else { earlier.own };
        self.hits.resize(self.hits.len().max(own + words), 0);
        self.hits[own..own + words].fill(0);
        Summary { profile: Profile::default(), hits: own, own }
    }

    fn add_summary(&mut self, summary: &mut Summary, one: &Summary, looked: &Looked<'_>) {
        summary.profile.add(&one.profile);
        // The one that is added to was made for that, and stands behind or before the other, never in it.
        let words = looked.rules.index.words();
        let (sum, one) = if summary.hits < one.hits {
            let (before, behind) = self.hits.split_at_mut(one.hits);
            (&mut before[summary.hits..], &*behind)
        } else {
            let (before, behind) = self.hits.split_at_mut(summary.hits);
            (behind, &before[one.hits..])
        };
        sum.iter_mut().zip(one).take(words).for_each(|(sum, one)| *sum |= one);
    }

    fn add_value(&mut self, summary: &mut Summary, value: BufferId, looked: &mut Looked<'_>) {
        summary.profile.add(looked.buffers.profile(value));
        let hits = looked.buffers.hits(value, &looked.rules.index);
        self.hits[summary.hits..].iter_mut().zip(hits).for_each(|(all, one)| *all |= one);
    }
}
