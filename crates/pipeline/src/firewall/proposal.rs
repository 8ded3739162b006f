//! The exclusions that would let a refused request pass: found by trying them on the request itself.
//!
//! The request is shown to its rules once more while it is still at hand, without what they have found, and what they find
//! then is left out too, until they have nothing against it any more. Each trial costs as much as the request did, so that
//! only short requests that were refused are tried, and of those as many as an [`Allowance`] has room for.

mod allowance;
mod target;

use std::{collections::HashMap, sync::Arc};

use bartizan_seclang::{Matched, RuleInfo, RuleMatch, Transaction, ast::RuleSelector};

pub(crate) use self::allowance::Allowance;
use super::{Firewall, account, excluded};

/// The most trials of one request: mostly one is enough, and two where a rule has hidden another.
const MOST_TRIALS: usize = 4;
/// The most exclusions for one request.
const MOST_EXCLUSIONS: usize = 100;
/// The most targets of a rule of the same collection; more of them are the collection.
const MOST_TARGETS: usize = 8;

/// Exclusions for one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// Each for one rule, and one thing that it looks at.
    pub exclusions: Vec<ProposedExclusion>,
    /// What came of trying them on the request.
    pub tried: Tried,
}

/// What came of trying exclusions on the request for which they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tried {
    /// They were not tried: the request is too long for it, there were many others, or it is about a response.
    #[default]
    Not,
    /// With them the rules have nothing against the request.
    Passes,
    /// It is refused all the same.
    Refused,
}

/// What a rule would not look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedExclusion {
    /// The rule's number.
    pub rule: u64,
    /// As an exclusion names it; without one the rule does not run at all.
    pub target: Option<String>,
    /// What the rule says, as it is written.
    pub message: String,
}

impl Proposal {
    /// How much memory it holds, in bytes.
    pub(super) fn size(&self) -> usize {
        let one = |exclusion: &ProposedExclusion| {
            let target = exclusion.target.as_ref().map_or(0, String::capacity);
            size_of::<ProposedExclusion>() + target + exclusion.message.capacity()
        };
        self.exclusions.iter().map(one).sum()
    }

    /// From what has matched, without a trial.
    pub(super) fn untried(firewall: &Firewall, refused: &Transaction) -> Self {
        let mut proposal = Self::default();
        proposal.add_all(firewall, refused);
        proposal
    }

    /// Tries exclusions until the request passes with them. `body` is what the rules were shown of it; `allows` is asked
    /// before each trial with so many exclusions.
    pub(super) fn tried(
        firewall: &Firewall,
        refused: &Transaction,
        body: &[u8],
        mut allows: impl FnMut(usize) -> bool,
    ) -> Self {
        let mut proposal = Self::default();
        proposal.add_all(firewall, refused);
        for _ in 0..MOST_TRIALS {
            if !allows(proposal.exclusions.len()) {
                return Self { tried: Tried::Not, ..proposal };
            }
            let Some(again) = proposal.applied(firewall, refused, body) else { break };
            if again.objections().is_empty() {
                return Self { tried: Tried::Passes, ..proposal };
            }
            if !proposal.add_all(firewall, &again) {
                break;
            }
        }
        Self { tried: Tried::Refused, ..proposal }
    }

    /// Leaves out what leads to a refusal, or else whatever has matched; whether that was not left out before.
    fn add_all(&mut self, firewall: &Firewall, transaction: &Transaction) -> bool {
        let (known, mut targets) = (self.exclusions.clone(), Targets::default());
        // Rules that look above the level only report: without need they are left alone.
        let level = account::paranoia(firewall, transaction);
        let leads_to_it = |found: &&RuleMatch| {
            let of = firewall.rules().rule(found.rule).and_then(RuleInfo::paranoia_level);
            of.is_none_or(|of| of <= level)
        };
        for found in transaction.matches().iter().filter(leads_to_it) {
            self.add(firewall, transaction, found, &mut targets);
        }
        if self.exclusions == known {
            for found in transaction.matches() {
                self.add(firewall, transaction, found, &mut targets);
            }
        }
        self.exclusions != known
    }

    /// The request once more, with these exclusions; `None` where one cannot be used.
    fn applied(&self, firewall: &Firewall, refused: &Transaction, body: &[u8]) -> Option<Transaction> {
        let mut again = refused.again();
        again.only_report();
        firewall.set_variables(&mut again);
        for ProposedExclusion { rule, target, .. } in &self.exclusions {
            let selector = RuleSelector::Ids(vec![*rule..=*rule]);
            let exclusion = excluded(firewall.rules(), &selector, target.as_deref()).ok()?;
            again.exclude(Arc::new(exclusion));
        }
        again.request_headers_done();
        again.request_body(body);
        again.request_body_done();
        Some(again)
    }

    /// Leaves out what a rule has found.
    fn add<'m>(
        &mut self,
        firewall: &Firewall,
        transaction: &'m Transaction,
        found: &'m RuleMatch,
        targets: &mut Targets<'m>,
    ) {
        if self.exclusions.len() >= MOST_EXCLUSIONS || !finds(firewall, transaction, found) {
            return;
        }
        let targets = targets.of(found);
        // Without one that can be named the rule as a whole is what an exclusion is about; so it is where leaving it out has
        // changed nothing.
        let is_whole = targets.is_empty()
            || targets.iter().any(|target| target.is_none() || self.has(found.rule, target.as_deref()));
        let targets = if is_whole { vec![None] } else { shared_collections(&targets) };
        let message = firewall.rules().rule(found.rule).map(|rule| rule.message.clone()).unwrap_or_default();
        if is_whole {
            self.exclusions.retain(|known| known.rule != found.rule);
        }
        for target in targets {
            let known = self.has(found.rule, target.as_deref()) || self.has(found.rule, None);
            if !known && self.exclusions.len() < MOST_EXCLUSIONS {
                self.exclusions.push(ProposedExclusion {
                    rule: found.rule,
                    target,
                    message: message.clone(),
                });
            }
        }
    }

    fn has(&self, rule: u64, target: Option<&str>) -> bool {
        self.exclusions.iter().any(|known| known.rule == rule && known.target.as_deref() == target)
    }
}

/// What exclusions name of variables, each of which is worked out once: many rules find the same.
#[derive(Default)]
struct Targets<'m> {
    known: HashMap<&'m str, Option<String>>,
}

impl<'m> Targets<'m> {
    /// Those of a match, each once.
    fn of(&mut self, found: &'m RuleMatch) -> Vec<Option<String>> {
        let of_the_exchange = |one: &&Matched| account::is_of_the_exchange(one);
        let mut targets = Vec::new();
        for name in found.matched.iter().filter(of_the_exchange).map(account::own_name) {
            let target = self.known.entry(name).or_insert_with(|| target::of(name));
            if !targets.contains(target) {
                targets.push(target.clone());
            }
        }
        targets
    }
}

/// Whether a rule has found something itself, if only in what others had written down. One that decides by the score has
/// found nothing.
fn finds(firewall: &Firewall, transaction: &Transaction, found: &RuleMatch) -> bool {
    if found.matched.iter().any(account::is_of_the_exchange) {
        return true;
    }
    let level = firewall.rules().rule(found.rule).and_then(RuleInfo::paranoia_level);
    let counts = found.severity.is_some() && level.is_some();
    let by_score =
        || found.matched.iter().any(|one| one.variable.to_ascii_lowercase().contains("anomaly_score"));
    counts || (account::refuses(transaction, found.rule) && !by_score())
}

/// Collections instead of many of their values.
fn shared_collections(targets: &[Option<String>]) -> Vec<Option<String>> {
    let collection = |target: &Option<String>| {
        target.as_ref().map(|target| target.split(':').next().unwrap_or_default().to_owned())
    };
    let mut shared: Vec<Option<String>> = Vec::new();
    for target in targets {
        let of = collection(target);
        let is_one_of_many = targets.iter().filter(|other| collection(other) == of).count() > MOST_TARGETS;
        let target = if is_one_of_many { of } else { target.clone() };
        if !shared.contains(&target) {
            shared.push(target);
        }
    }
    shared
}
