//! One link of a rule: whether its operator holds for any of its targets.

use super::{
    Evaluation, MatchedEntry, State,
    cache::{Final, Finals, Looked},
};
use crate::{
    Captured, Operator, RuleMatch,
    ast::Variable,
    buffers::BufferId,
    collections::{Tx, Written},
    compile::{Mentioned, Slot},
    exclusion::Excluded,
    gate::Gate,
    rule_set::{Captures, CompiledLink, CompiledTarget, Selection, TxSelection},
};

/// What a link asks of every value.
#[derive(Clone, Copy)]
struct Question<'q> {
    link: &'q CompiledLink,
    operator: &'q Operator,
    argument: &'q [u8],
    /// Taken away while the exchange runs.
    excluded: &'q [Excluded],
}

impl Question<'_> {
    fn excludes(&self, variable: Variable, name: &[u8]) -> bool {
        let mut all = self.link.excluded.iter().chain(self.excluded);
        all.any(|excluded| excluded.covers(variable, name))
    }

    fn excludes_some(&self) -> bool {
        !self.link.excluded.is_empty() || !self.excluded.is_empty()
    }

    /// What is captured of a value for which the operator holds.
    fn answer(&self, value: &[u8]) -> Option<Vec<Captured>> {
        if self.link.captures == Captures::Always {
            return self.captures(value);
        }
        self.operator.holds(value, self.argument).then(Vec::new)
    }

    fn captures(&self, value: &[u8]) -> Option<Vec<Captured>> {
        self.operator.captures(value, self.argument).map(|found| found.captured)
    }
}

impl Evaluation<'_> {
    /// Whether the link holds. What it does for each value that matches is done then.
    pub(super) fn link(&mut self, link: &CompiledLink, excluded: &[Excluded]) -> bool {
        let Some(operator) = &link.operator else {
            self.on_match(link);
            return true;
        };
        let groups_may_match = link.bundle.is_none_or(|bundle| self.may_match(bundle, &link.gate));
        let argument = link.argument.as_ref().map(|text| self.reader().expanded(text)).unwrap_or_default();
        let question = Question { link, operator, argument: &argument, excluded };
        let mut holds = false;
        for target in &link.targets {
            holds |= match target {
                CompiledTarget::Group(number) => groups_may_match && self.group(question, *number),
                CompiledTarget::Slot(slot) => self.slot(question, *slot),
                CompiledTarget::Changing(selection) => self.changing(question, selection),
                CompiledTarget::Tx(selection) => self.tx(question, selection),
                CompiledTarget::Count(selection) => self.count(question, selection),
                CompiledTarget::SlotCount(slot) => {
                    let count = usize::from(self.state.tx.get(*slot).is_some());
                    self.counted(question, Variable::Tx, count)
                }
            };
        }
        if let Some(last) = self.uncaptured.take() {
            let State { tx, buffers, .. } = &mut *self.state;
            let value = buffers.bytes(last);
            keep_captures(&question.captures(value).unwrap_or_default(), value, tx);
        }
        holds
    }

    /// Values that stay the same while the phase runs.
    fn group(&mut self, question: Question<'_>, number: usize) -> bool {
        let rules = self.rules;
        let gate = &question.link.gate;
        let gated = !gate.is_open();
        let State { cache, values, buffers, .. } = &mut *self.state;
        if gated && !cache.group_may_admit(gate, number, &mut Looked { rules, values, buffers }) {
            return false;
        }
        let group = &rules.groups[number];
        let entries = cache.take(group.selection, rules, values, buffers);
        let variable = rules.selections[group.selection].variable;
        let finals = if gated && !question.link.multi_match {
            cache.take_finals(number, &entries, &mut Looked { rules, values, buffers })
        } else {
            Finals::default()
        };
        let mut holds = false;
        if self.state.buffers.has_repeated() {
            self.state.answers.begin();
        }
        let believes = question.link.seeks_attacks && !self.state.believed.is_empty();
        for (at, entry) in entries.iter().enumerate() {
            if finals.get(at).is_some_and(|last| !self.may_open(gate, last)) {
                continue;
            }
            if believes && self.state.believed.has(entry) {
                continue;
            }
            if question.excludes_some() && question.excludes(variable, self.state.buffers.name(entry.name)) {
                continue;
            }
            // Of several steps the answer for one says nothing of the others.
            if !question.link.multi_match && self.state.answers.of(entry.value) == Some(false) {
                continue;
            }
            let found = MatchedEntry { variable, is_count: false, name: entry.name, value: entry.value };
            holds |= if question.link.multi_match {
                self.every_step(question, found, gated)
            } else {
                let matches = self.last_step(question, found, gated);
                self.state.answers.keep(entry.value, matches);
                matches
            };
        }
        self.state.answers.end();
        self.state.cache.put_back(group.selection, entries);
        self.state.cache.put_back_finals(number, finals);
        holds
    }

    /// Whether a value may open a gate in the end.
    fn may_open(&mut self, gate: &Gate, last: Final) -> bool {
        let buffers = &mut self.state.buffers;
        gate.admits_hits(buffers.hits_at(last.hits))
            && gate.admits_profile(&buffers.profile(last.value).in_any_case())
    }

    /// A value, fully transformed.
    fn last_step(&mut self, question: Question<'_>, entry: MatchedEntry, gated: bool) -> bool {
        let value = self.state.buffers.transformed(entry.value, &question.link.chain);
        self.ask(question, MatchedEntry { value, ..entry }, gated)
    }

    /// `multiMatch`: a value as it came, and after each transformation that changes it.
    fn every_step(&mut self, question: Question<'_>, entry: MatchedEntry, gated: bool) -> bool {
        let mut holds = self.ask(question, entry, gated);
        let mut value = entry.value;
        for step in question.link.chain.steps() {
            let next = self.state.buffers.step(value, *step);
            if next != value {
                value = next;
                holds |= self.ask(question, MatchedEntry { value, ..entry }, gated);
            }
        }
        holds
    }

    /// Asks the operator, if the value opens the gate.
    fn ask(&mut self, question: Question<'_>, entry: MatchedEntry, gated: bool) -> bool {
        if gated {
            let buffers = &mut self.state.buffers;
            let gate = &question.link.gate;
            if !gate.admits_profile(buffers.profile(entry.value))
                || !gate.admits_hits(buffers.hits(entry.value, &self.rules.index))
            {
                return false;
            }
        }
        if let Some(location) = question.operator.locate(self.state.buffers.bytes(entry.value)) {
            self.state.location = location.values();
        }
        let Some(captured) = self.answer(question, entry.value) else { return false };
        if question.link.captures == Captures::OfLast {
            self.uncaptured = Some(entry.value);
        }
        self.matched_by(question.link, entry, &captured);
        true
    }

    /// What is captured of a value, if the operator holds for it.
    fn answer(&mut self, question: Question<'_>, value: BufferId) -> Option<Vec<Captured>> {
        let State { answers, buffers, .. } = &mut *self.state;
        match answers.of(value) {
            Some(false) => return None,
            Some(true) if question.link.captures != Captures::Always => return Some(Vec::new()),
            _ => {}
        }
        let answer = question.answer(buffers.bytes(value));
        answers.keep(value, answer.is_some());
        answer
    }

    fn matched_by(&mut self, link: &CompiledLink, entry: MatchedEntry, captured: &[Captured]) {
        let State { tx, buffers, last, .. } = &mut *self.state;
        keep_captures(captured, buffers.bytes(entry.value), tx);
        last.is(entry, buffers);
        last.all.push(entry);
        if self.reported.len() < RuleMatch::MOST_MATCHED {
            self.reported.push(entry);
        }
        self.on_match(link);
    }

    /// One variable of `TX`: most are numbers or flags, and match nothing.
    fn slot(&mut self, question: Question<'_>, slot: Slot) -> bool {
        let Some(value) = self.state.tx.get(slot) else { return false };
        let name = self.rules.mentioned.name(slot);
        if question.excludes_some() && question.excludes(Variable::Tx, name) {
            return false;
        }
        if !question.link.chain.steps().is_empty() {
            let value = Written::from_slice(value);
            return self.one_value(question, Variable::Tx, name, &value);
        }
        if let Some(location) = question.operator.locate(value) {
            self.state.location = location.values();
        }
        let Some(captured) = question.answer(value) else { return false };
        let value = Written::from_slice(value);
        self.matched_plainly(question.link, (Variable::Tx, false, name), &value, &captured);
        true
    }

    /// A value that has matched as it stands, and that gets a place among the others only if it is asked for later.
    fn matched_plainly(
        &mut self,
        link: &CompiledLink,
        (variable, is_count, name): (Variable, bool, &[u8]),
        value: &[u8],
        captured: &[Captured],
    ) {
        if self.keeps {
            let buffers = &mut self.state.buffers;
            let (name, value) = (buffers.push_name(name), buffers.push(value));
            return self.matched_by(link, MatchedEntry { variable, is_count, name, value }, captured);
        }
        let State { tx, last, .. } = &mut *self.state;
        keep_captures(captured, value, tx);
        last.is_copied(variable, is_count, name, value);
        self.on_match(link);
    }

    fn changing(&mut self, question: Question<'_>, selection: &Selection) -> bool {
        let mut holds = false;
        for (name, value) in self.reader().changing_values(selection) {
            if !question.excludes(selection.variable, &name) {
                holds |= self.one_value(question, selection.variable, &name, &value);
            }
        }
        holds
    }

    fn tx(&mut self, question: Question<'_>, selection: &TxSelection) -> bool {
        let mut holds = false;
        for (name, value) in self.reader().tx_values(selection) {
            if !question.excludes_some() || !question.excludes(Variable::Tx, &name) {
                holds |= self.one_value(question, Variable::Tx, &name, &value);
            }
        }
        holds
    }

    fn one_value(&mut self, question: Question<'_>, variable: Variable, name: &[u8], value: &[u8]) -> bool {
        let buffers = &mut self.state.buffers;
        let (name, value) = (buffers.push_name(name), buffers.push(value));
        let entry = MatchedEntry { variable, is_count: false, name, value };
        if question.link.multi_match {
            self.every_step(question, entry, false)
        } else {
            self.last_step(question, entry, false)
        }
    }

    fn count(&mut self, question: Question<'_>, selection: &Selection) -> bool {
        let count = if selection.variable.changes_within_phase() {
            self.reader().changing_values(selection).len()
        } else {
            self.state.values.select(selection, &self.state.buffers).count()
        };
        self.counted(question, selection.variable, count)
    }

    fn counted(&mut self, question: Question<'_>, variable: Variable, count: usize) -> bool {
        let mut digits = itoa::Buffer::new();
        let count = digits.format(count).as_bytes();
        let Some(captured) = question.answer(count) else { return false };
        self.matched_plainly(question.link, (variable, true, &[]), count, &captured);
        true
    }
}

fn keep_captures(captured: &[Captured], value: &[u8], tx: &mut Tx) {
    for (slot, captured) in (0..Mentioned::CAPTURES).map(Slot).zip(captured) {
        match captured {
            Captured::Part(range) => tx.set(slot, value.get(range.clone())),
            Captured::Text(text) => tx.set(slot, Some(text.as_bytes())),
            Captured::Nothing => {}
        }
    }
}
