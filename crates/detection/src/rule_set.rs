//! From files to rules that work together.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    sync::Arc,
};

use rsigma_parser::{CorrelationRule, SigmaRule, parse_sigma_yaml};
use serde::Deserialize;

use crate::{
    correlation::Correlation,
    document::{Document, RuleFile},
    error::{DetectionError, Problem, Reason},
    rule::{Rule, RuleKind, Severity},
    sigma::Conditions,
};

/// The most rules of a set.
const MAX_RULES: usize = 2_000;

/// Compiled rules.
pub struct RuleSet {
    /// All of them; the others call them by their numbers here.
    pub(crate) rules: Vec<Arc<Rule>>,
    pub(crate) conditions: Conditions,
    /// With the numbers of their rules; each behind those that it waits for.
    pub(crate) correlations: Vec<(usize, Correlation)>,
    /// Of each rule the correlations that wait for it: their places above, and the rule's place in them.
    pub(crate) waiting: Vec<Vec<(usize, usize)>>,
}

impl RuleSet {
    /// Compiles all rules of these files, or says what is wrong with each of those that are not understood.
    pub fn compile(files: &[RuleFile]) -> Result<Self, DetectionError> {
        let mut draft = Draft::default();
        for file in files {
            match file.documents() {
                Ok(documents) => documents.iter().for_each(|document| draft.read(document)),
                Err(problem) => draft.problems.push(problem),
            }
        }
        draft.finish()
    }

    /// Tells no more of the rules that are called so ([`Rule::is_called`]); what other rules make of them stays. Whether
    /// there was one.
    pub fn leave_out(&mut self, name: &str) -> bool {
        let mut is_known = false;
        for rule in self.rules.iter_mut().filter(|rule| rule.is_called(name)) {
            is_known = true;
            Arc::make_mut(rule).reports = false;
        }
        is_known
    }

    /// The rules, those that are only parts of others included.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }
}

/// Rules on their way.
#[derive(Default)]
struct Draft {
    rules: Vec<Rule>,
    conditions: Conditions,
    correlations: Vec<(usize, Correlation)>,
    /// Rules by id and by name.
    names: HashMap<String, usize>,
    problems: Vec<Problem>,
}

impl Draft {
    fn read(&mut self, document: &Document<'_>) {
        let parsed = match parse_sigma_yaml(document.text) {
            Ok(parsed) => parsed,
            Err(error) => return self.problems.push(document.malformed(&error.to_string())),
        };
        let malformed: Vec<_> = parsed.errors.iter().map(|words| document.malformed(words)).collect();
        if !malformed.is_empty() {
            return self.problems.extend(malformed);
        }
        let added = match (parsed.rules.as_slice(), parsed.correlations.as_slice()) {
            ([rule], []) => self.add_rule(document, rule).map_err(|reason| (rule.title.as_str(), reason)),
            ([], [rule]) => {
                self.add_correlation(document, rule).map_err(|reason| (rule.title.as_str(), reason))
            }
            _ => {
                let what = "a document that is neither a rule nor a correlation".into();
                let instead = "write filters into the rules, and repeated parts out";
                return self.problems.push(document.problem(None, Reason::Unsupported { what, instead }));
            }
        };
        if let Err((title, reason)) = added {
            self.problems.push(document.problem(Some(title), reason));
        }
    }

    fn add_rule(&mut self, document: &Document<'_>, rule: &SigmaRule) -> Result<(), Reason> {
        let number = self.room()?;
        let known = Rule {
            id: id(rule.id.as_ref(), rule.name.as_ref())?,
            name: rule.name.clone(),
            title: rule.title.clone(),
            description: rule.description.clone(),
            author: rule.author.clone(),
            date: rule.date.clone(),
            severity: rule.level.map_or(Severity::Medium, Severity::from),
            tags: rule.tags.clone(),
            falsepositives: rule.falsepositives.clone(),
            references: rule.references.clone(),
            kind: RuleKind::Condition,
            reports: true,
            file: document.file.into(),
            line: document.line,
        };
        self.conditions.add(number, rule)?;
        self.name(known)
    }

    fn add_correlation(&mut self, document: &Document<'_>, rule: &CorrelationRule) -> Result<(), Reason> {
        let number = self.room()?;
        Lists::of(document)?.check(rule)?;
        let correlation = Correlation::compile(rule)?;
        let known = Rule {
            id: id(rule.id.as_ref(), rule.name.as_ref())?,
            name: rule.name.clone(),
            title: rule.title.clone(),
            description: rule.description.clone(),
            author: rule.author.clone(),
            date: rule.date.clone(),
            severity: rule.level.map_or(Severity::Medium, Severity::from),
            tags: rule.tags.clone(),
            falsepositives: rule.falsepositives.clone(),
            references: rule.references.clone(),
            kind: correlation.kind(),
            reports: true,
            file: document.file.into(),
            line: document.line,
        };
        self.name(known)?;
        self.correlations.push((number, correlation));
        Ok(())
    }

    /// The number of the next rule.
    fn room(&self) -> Result<usize, Reason> {
        match self.rules.len() {
            MAX_RULES => Err(Reason::TooMuch { what: "the number of rules", limit: MAX_RULES }),
            number => Ok(number),
        }
    }

    fn name(&mut self, rule: Rule) -> Result<(), Reason> {
        let number = self.rules.len();
        let names: BTreeSet<_> =
            [Some(&rule.id), rule.name.as_ref()].into_iter().flatten().cloned().collect();
        for name in names {
            match self.names.entry(name) {
                Entry::Occupied(known) => return Err(Reason::Twice(known.key().clone())),
                Entry::Vacant(free) => free.insert(number),
            };
        }
        self.rules.push(rule);
        Ok(())
    }

    fn finish(mut self) -> Result<RuleSet, DetectionError> {
        if !self.problems.is_empty() {
            return Err(DetectionError::Refused(self.problems));
        }
        let (mut waits, mut is_part) = (Vec::new(), vec![false; self.rules.len()]);
        for (number, correlation) in &self.correlations {
            let mut places = Vec::new();
            for reference in &correlation.references {
                match self.names.get(reference) {
                    Some(&known) => places.push(known),
                    None => self.problems.push(self.problem(*number, Reason::UnknownRule(reference.clone()))),
                }
            }
            for &place in &places {
                is_part[place] |= !correlation.generates;
            }
            waits.push(places);
        }
        let order = self.order(&waits);
        if !self.problems.is_empty() {
            return Err(DetectionError::Refused(self.problems));
        }
        let mut waiting = vec![Vec::new(); self.rules.len()];
        let mut correlations: Vec<_> = self.correlations.into_iter().map(Some).collect();
        let mut ordered = Vec::new();
        for (place, index) in order.into_iter().enumerate() {
            for (step, rule) in waits[index].iter().enumerate() {
                waiting[*rule].push((place, step));
            }
            ordered.extend(correlations[index].take());
        }
        let rules = self.rules.into_iter().zip(is_part);
        let rules = rules.map(|(rule, is_part)| Arc::new(Rule { reports: !is_part, ..rule }));
        Ok(RuleSet { rules: rules.collect(), conditions: self.conditions, correlations: ordered, waiting })
    }

    /// The correlations, each behind those that it waits for. Notes those that wait for themselves.
    fn order(&mut self, waits: &[Vec<usize>]) -> Vec<usize> {
        let mut open: BTreeSet<usize> = self.correlations.iter().map(|(number, _)| *number).collect();
        let (mut order, mut left) = (Vec::new(), (0..waits.len()).collect::<Vec<usize>>());
        loop {
            let (free, others): (Vec<_>, Vec<_>) =
                left.iter().copied().partition(|&index| waits[index].iter().all(|rule| !open.contains(rule)));
            if free.is_empty() {
                let cycle = |index: usize| self.problem(self.correlations[index].0, Reason::Cycle);
                let cycles: Vec<_> = others.into_iter().map(cycle).collect();
                self.problems.extend(cycles);
                return order;
            }
            for &index in &free {
                open.remove(&self.correlations[index].0);
            }
            order.extend(free);
            left = others;
        }
    }

    fn problem(&self, number: usize, reason: Reason) -> Problem {
        let rule = &self.rules[number];
        Problem { file: rule.file.clone(), line: rule.line, rule: Some(rule.title.clone()), reason }
    }
}

/// Lists of a correlation as they are written: the parser leaves out members that are no text, which would make another
/// rule of it.
#[derive(Deserialize)]
struct Lists {
    correlation: Listed,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    rules: List,
    #[serde(default, rename = "group-by")]
    group_by: List,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    One(String),
    Several(Vec<String>),
}

impl Default for List {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl List {
    fn len(&self) -> usize {
        match self {
            Self::One(name) => usize::from(!name.is_empty()),
            Self::Several(several) => several.len(),
        }
    }
}

impl Lists {
    fn of(document: &Document<'_>) -> Result<Self, Reason> {
        serde_saphyr::from_str(document.text)
            .map_err(|_| Reason::Malformed("`rules` and `group-by` are lists of names".into()))
    }

    fn check(&self, rule: &CorrelationRule) -> Result<(), Reason> {
        let Listed { rules, group_by } = &self.correlation;
        if (rules.len(), group_by.len()) == (rule.rules.len(), rule.group_by.len()) {
            return Ok(());
        }
        Err(Reason::Malformed("`rules` and `group-by` are lists of names".into()))
    }
}

fn id(id: Option<&String>, name: Option<&String>) -> Result<String, Reason> {
    id.or(name).cloned().ok_or(Reason::Missing("an `id`, or a `name` where only correlations use it"))
}
