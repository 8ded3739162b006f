//! The rules of a phase, one after the other.

mod answers;
mod cache;
mod changing;
mod effects;
mod last;
mod link;
mod text;
mod workspace;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use smallvec::SmallVec;

use crate::{
    Declaration, Disruption, Interruption, Matched, RuleMatch, RuleSet,
    ast::{AllowScope, BodyProcessor, EngineMode, Phase, Severity, Variable},
    buffers::{BufferId, Buffers},
    collections::{Collections, Tx},
    compile::Text,
    declared::Believed,
    exclusion::{Excluded, Exclusion},
    gate::Gate,
    operator::NumberComparison,
    rule_set::{CompiledDisruption, CompiledRule, Item, Marker, Number},
    values::Values,
};
use answers::Answers;
use cache::{Cache, Looked};
use last::{LastMatch, MatchedEntry};
use workspace::Workspace;
pub(crate) use workspace::Workspaces;

/// What an exchange holds and what has come of it so far.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) mode: EngineMode,
    pub(crate) buffers: Buffers,
    pub(crate) values: Values,
    pub(crate) tx: Tx,
    pub(crate) collections: Collections,
    pub(crate) environment: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) exclusions: Vec<Arc<Exclusion>>,
    pub(crate) declarations: Vec<Arc<Declaration>>,
    pub(crate) believed: Believed,
    pub(crate) matches: Vec<RuleMatch>,
    pub(crate) interruption: Option<Interruption>,
    /// Everything that would end the exchange, or has ended it.
    pub(crate) objections: Vec<Interruption>,
    /// Whether the exchange goes on all the same.
    pub(crate) only_reports: bool,
    /// Rules that report and do nothing about it.
    pub(crate) reporting: Option<Arc<Exclusion>>,
    /// Rules that end the exchange whatever they say themselves, and how; of several the last counts.
    pub(crate) refusing: Vec<(Arc<Exclusion>, Disruption)>,
    pub(crate) controls: Controls,
    pub(crate) started: Instant,
    /// `GEO`: where the address is that `@geoLookup` was asked about last.
    pub(crate) location: Vec<(&'static str, String)>,
    /// Bytes of all arguments, names and values.
    pub(crate) arguments_size: usize,
    /// Whether the query has more arguments than the limit.
    pub(crate) query_exceeded: bool,
    last: LastMatch,
    highest_severity: Option<Severity>,
    allowed: Option<AllowScope>,
    /// Rules are to be skipped up to this marker.
    marker: Option<Marker>,
    /// How many rules are still to be skipped.
    skip: u32,
    cache: Cache,
    answers: Answers,
}

/// What `ctl` has changed about bodies.
#[derive(Debug, Default)]
pub(crate) struct Controls {
    pub(crate) request_body_access: Option<bool>,
    pub(crate) response_body_access: Option<bool>,
    pub(crate) force_request_body_variable: bool,
    pub(crate) detect_json: bool,
    pub(crate) processor: Option<BodyProcessor>,
}

impl State {
    pub(crate) fn new(rules: &RuleSet) -> Self {
        let Workspace { mut buffers, cache } = rules.workspaces.take(rules);
        Self {
            mode: rules.settings.mode,
            values: Values::new(&mut buffers, cache.first_version()),
            buffers,
            tx: Tx::new(&rules.mentioned),
            collections: Collections::default(),
            environment: BTreeMap::new(),
            exclusions: Vec::new(),
            declarations: Vec::new(),
            believed: Believed::default(),
            matches: Vec::new(),
            interruption: None,
            objections: Vec::new(),
            only_reports: false,
            reporting: None,
            refusing: Vec::new(),
            controls: Controls::default(),
            started: Instant::now(),
            location: Vec::new(),
            arguments_size: 0,
            query_exceeded: false,
            last: LastMatch::default(),
            highest_severity: None,
            allowed: None,
            marker: None,
            skip: 0,
            cache,
            answers: Answers::default(),
        }
    }

    /// Hands its workspace on to the next exchange. Nothing may be asked of it any more.
    pub(crate) fn end(&mut self, rules: &RuleSet) {
        let (buffers, cache) = (std::mem::take(&mut self.buffers), std::mem::take(&mut self.cache));
        rules.workspaces.give_back(Workspace { buffers, cache }, self.values.version());
    }

    /// Ends the exchange, unless it is only reported what would.
    pub(crate) fn refuse(&mut self, interruption: Interruption) {
        if !self.only_reports {
            self.interruption = Some(interruption.clone());
        }
        self.objections.push(interruption);
    }

    /// The memory that all of it takes, but for what is small whatever comes.
    pub(crate) fn held_bytes(&self) -> usize {
        self.buffers.held_bytes()
            + self.values.held_bytes()
            + self.tx.held_bytes()
            + self.cache.held_bytes()
            + self.answers.held_bytes()
            + self.matches.capacity() * size_of::<RuleMatch>()
            + self.matches.iter().map(RuleMatch::held_bytes).sum::<usize>()
            + self.last.held_bytes()
    }

    /// Whether rules of this phase still have a say.
    fn listens(&self, phase: Phase) -> bool {
        if self.mode == EngineMode::Off {
            return false;
        }
        if phase == Phase::Logging {
            return true;
        }
        let allowed = match self.allowed {
            Some(AllowScope::Exchange) => true,
            Some(AllowScope::Request) => matches!(phase, Phase::RequestHeaders | Phase::RequestBody),
            Some(AllowScope::Phase) | None => false,
        };
        !allowed && self.interruption.is_none()
    }
}

/// Runs the rules of a phase.
pub(crate) fn run(rules: &RuleSet, state: &mut State, phase: Phase) {
    if !state.listens(phase) {
        return;
    }
    // What rules of another phase skipped or allowed does not concern this one, or it would not listen.
    (state.skip, state.marker, state.allowed) = (0, None, None);
    let mut evaluation = Evaluation {
        rules,
        state,
        rule: None,
        keeps: false,
        only_reports: false,
        refuses: None,
        uncaptured: None,
        reported: SmallVec::new(),
    };
    let program = rules.program(phase);
    let mut at = 0;
    while let Some(item) = program.items.get(at) {
        at += 1;
        evaluation.make_room();
        let rule = match item {
            Item::Gated { bundle, gate, .. } if !evaluation.may_match(*bundle, gate) => continue,
            Item::Numbered { of, comparison, .. } if !evaluation.number_holds(*of, *comparison) => continue,
            Item::Rule(rule) | Item::Gated { rule, .. } | Item::Numbered { rule, .. } => *rule,
        };
        evaluation.rule(rule);
        if !evaluation.state.listens(phase) || evaluation.state.allowed.is_some() {
            break;
        }
        if let Some(marker) = evaluation.state.marker.take() {
            at = program.behind(marker, at).unwrap_or(program.items.len());
        }
        at += std::mem::take(&mut evaluation.state.skip) as usize;
    }
    if state.allowed == Some(AllowScope::Phase) {
        state.allowed = None;
    }
}

/// What a macro says now.
pub(crate) fn variable(
    rules: &RuleSet,
    state: &State,
    variable: Variable,
    name: Option<&[u8]>,
) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    Reader { rules, state, rule: None }
        .first(variable, name, |first| value.extend_from_slice(first))
        .then_some(value)
}

/// The rules at work on an exchange.
struct Evaluation<'e> {
    rules: &'e RuleSet,
    state: &'e mut State,
    /// The rule that is being asked.
    rule: Option<&'e CompiledRule>,
    /// Whether anything will ask later what has matched it: its report, or the next link.
    keeps: bool,
    /// Whether it neither counts nor refuses.
    only_reports: bool,
    /// How it ends the exchange, whatever it says itself.
    refuses: Option<Disruption>,
    /// The value of which captures are still to be kept.
    uncaptured: Option<BufferId>,
    /// What has matched it, as far as it is reported.
    reported: SmallVec<[MatchedEntry; 4]>,
}

/// What the links of one rule do not look at.
#[derive(Default)]
struct ExcludedOfLinks {
    first: SmallVec<[Excluded; 2]>,
    others: SmallVec<[Excluded; 2]>,
}

impl ExcludedOfLinks {
    fn add(&mut self, target: &Excluded, is_of_all: bool) {
        self.first.push(target.clone());
        if is_of_all {
            self.others.push(target.clone());
        }
    }
}

impl Evaluation<'_> {
    fn number_holds(&self, of: Number, comparison: NumberComparison) -> bool {
        match of {
            Number::Value(slot) => self.state.tx.get(slot).is_some_and(|value| comparison.holds(value)),
            Number::Count(slot) => {
                comparison.holds(if self.state.tx.get(slot).is_some() { b"1" } else { b"0" })
            }
        }
    }

    /// Forgets what transformations made if that is too much. Also what only gates were asked about counts: what they were
    /// told is kept elsewhere.
    fn make_room(&mut self) {
        if self.state.buffers.is_crowded() {
            self.state.last.keep(&self.state.buffers);
            self.state.buffers.forget_derived();
        }
    }

    /// Whether any value of these groups may open the gate.
    fn may_match(&mut self, bundle: usize, gate: &Gate) -> bool {
        let State { cache, values, buffers, .. } = &mut *self.state;
        cache.bundle_may_admit(gate, bundle, &mut Looked { rules: self.rules, values, buffers })
    }

    fn rule(&mut self, number: usize) {
        let mut excluded = ExcludedOfLinks::default();
        for exclusion in self.state.exclusions.iter().filter(|exclusion| exclusion.covers(number)) {
            match exclusion.target() {
                None => return,
                Some(target) => excluded.add(target, exclusion.is_of_all_links()),
            }
        }
        let rule = &self.rules.rules[number];
        self.rule = Some(rule);
        self.keeps = rule.is_logged || rule.links.len() > 1;
        self.only_reports = self.state.reporting.as_ref().is_some_and(|rules| rules.covers(number));
        let refusing = self.state.refusing.iter().rfind(|(rules, _)| rules.covers(number));
        self.refuses = refusing.map(|(_, action)| action.clone());
        let (mark, version) = (self.state.buffers.mark(), self.state.values.version());
        if self.holds(rule, &excluded) {
            rule.links.iter().rev().flat_map(|link| &link.effects).for_each(|effect| self.effect(effect));
            self.conclude(rule);
        }
        self.reported.clear();
        self.state.last.all.clear();
        // What it looked at and no other rule will, unless it has said something new about the exchange.
        if self.state.values.version() == version {
            self.state.last.keep_if_behind(mark, &self.state.buffers);
            self.state.buffers.release(mark);
        }
    }

    fn holds(&mut self, rule: &CompiledRule, excluded: &ExcludedOfLinks) -> bool {
        rule.links.iter().enumerate().all(|(number, link)| {
            self.link(link, if number == 0 { &excluded.first } else { &excluded.others })
        })
    }

    /// A rule holds as a whole.
    fn conclude(&mut self, rule: &CompiledRule) {
        self.state.highest_severity = self.state.highest_severity.into_iter().chain(rule.info.severity).min();
        if rule.is_logged {
            let found = self.report(rule);
            self.state.matches.push(found);
        }
        if self.state.mode == EngineMode::On && rule.info.phase != Phase::Logging {
            self.disrupt(rule);
        }
    }

    fn disrupt(&mut self, rule: &CompiledRule) {
        let action = match (&rule.disruption, &self.refuses) {
            (Some(CompiledDisruption::Allow(scope)), _) => {
                self.state.allowed = Some(*scope);
                return;
            }
            _ if self.only_reports => return,
            (_, Some(action)) if rule.counts() => action.clone(),
            (None, _) => return,
            (Some(CompiledDisruption::Deny), _) => Disruption::Deny,
            (Some(CompiledDisruption::Drop), _) => Disruption::Drop,
            (Some(CompiledDisruption::Redirect(target)), _) => {
                Disruption::Redirect(self.reader().readable(target))
            }
        };
        self.state.refuse(Interruption { rule: Some(rule.info.id), status: rule.status, action });
    }

    fn report(&self, rule: &CompiledRule) -> RuleMatch {
        let reader = self.reader();
        let text = |text: &Option<Text>| text.as_ref().map(|text| reader.readable(text)).unwrap_or_default();
        RuleMatch {
            rule: rule.info.id,
            phase: rule.info.phase,
            message: text(&rule.message),
            log_data: text(&rule.log_data),
            severity: rule.info.severity,
            tags: rule.tags.iter().map(|tag| reader.readable(tag)).collect(),
            matched: self.reported.iter().map(|entry| reader.matched(entry)).collect(),
        }
    }

    fn reader(&self) -> Reader<'_> {
        Reader { rules: self.rules, state: self.state, rule: self.rule }
    }
}

/// Looks at an exchange without changing it.
struct Reader<'r> {
    rules: &'r RuleSet,
    state: &'r State,
    /// The rule that is being asked.
    rule: Option<&'r CompiledRule>,
}

impl Reader<'_> {
    fn matched(&self, entry: &MatchedEntry) -> Matched {
        let shortened = |text: &[u8]| text.get(..Matched::LONGEST).unwrap_or(text).to_vec();
        let mut name = Vec::new();
        let part = shortened(self.state.buffers.name(entry.name));
        append_full_name(entry.variable, entry.is_count, &part, &mut name);
        Matched {
            variable: String::from_utf8_lossy(&name).into_owned(),
            value: shortened(self.state.buffers.bytes(entry.value)),
        }
    }

    fn full_name(&self, entry: &MatchedEntry) -> Vec<u8> {
        let mut full = Vec::new();
        let name = self.state.buffers.name(entry.name);
        append_full_name(entry.variable, entry.is_count, name, &mut full);
        full
    }
}

/// `ARGS:id`, `REQUEST_URI`, `&ARGS`
fn append_full_name(variable: Variable, is_count: bool, name: &[u8], full: &mut Vec<u8>) {
    if is_count {
        full.push(b'&');
    }
    full.extend_from_slice(variable.name().as_bytes());
    if !name.is_empty() || (variable.takes_selector() && !is_count) {
        full.push(b':');
        full.extend_from_slice(name);
    }
}
