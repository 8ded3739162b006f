//! The web application firewall of a route: its rules, compiled, and how they look at requests there.
//!
//! Routes that name the same rules share one compiled set. What differs between them (the paranoia level, the
//! thresholds, exclusions) is said to each transaction at its beginning, by the variables of the Core Rule Set: its
//! initialization sets only what nobody has set before.

mod account;
mod classes;
mod doubt;
mod inspection;
mod inspectors;
mod locations;
mod mask;
mod proposal;
mod refusal;
mod rules;
mod unheeded;

use std::{sync::Arc, time::SystemTime};

use bartizan_config::{Config, ExcludedRules, OnLargeBody, Waf, WafMode};
use bartizan_seclang::{
    Connection, Exclusion, MemoryCollections, RuleSet, SeclangError, Transaction,
    ast::{DirectiveKind, RuleSelector, Target},
};

use crate::{Code, Refusal};

pub(crate) use self::classes::{Caller, PROVEN_FOR};
pub(crate) use self::doubt::doubts;
pub(crate) use self::inspectors::{Inspectors, Shown};
pub(crate) use self::proposal::Allowance;
pub use self::{
    account::{Inspected, Judged, MatchedRule, MatchedVariable},
    doubt::Doubt,
    inspection::{Inspection, RequestLine, Unseen},
    mask::{masked_address, masked_query},
    proposal::{Proposal, ProposedExclusion, Tried},
    rules::{RECOMMENDED, STARTER, compile},
};
use self::{classes::Classes, unheeded::Unheeded};

/// The firewall of one route.
#[derive(Debug, Clone)]
pub struct Firewall {
    config: Arc<Waf>,
    rules: Arc<RuleSet>,
    /// What own rule files say and the gateway does not do.
    unheeded: Arc<Unheeded>,
    collections: Arc<MemoryCollections>,
    exclusions: Vec<CompiledExclusion>,
    classes: Classes,
    variables: Vec<(&'static str, String)>,
    /// For bodies that are not seen to their end: rules must not object that it is missing.
    incomplete: Arc<Exclusion>,
}

#[derive(Debug, Clone)]
struct CompiledExclusion {
    config: Arc<bartizan_config::Exclusion>,
    compiled: Arc<Exclusion>,
}

/// Why the rules of a firewall cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FirewallError {
    /// A rule file is not understood.
    #[error(transparent)]
    Rules(#[from] SeclangError),
    /// An exclusion names something that rules cannot look at.
    #[error("`{target}` cannot be excluded: {reason}")]
    Target {
        /// What it names.
        target: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A route names rules that are not there.
    #[error("a route names rules that the configuration does not have")]
    NoRules,
}

/// The rules of a configuration, and what they remember of one exchange for the next.
#[derive(Debug)]
pub struct RuleSets {
    /// By their index.
    sets: Vec<(Arc<RuleSet>, Arc<Unheeded>)>,
    collections: Arc<MemoryCollections>,
}

impl RuleSets {
    /// Compiles those of `config`, which keep their collections there.
    pub fn compile(config: &Config, collections: &Arc<MemoryCollections>) -> Result<Self, FirewallError> {
        let types = response_types(config);
        let sets = config
            .rule_sets
            .iter()
            .map(|set| Ok((Arc::new(compile(set, &types)?), Arc::new(Unheeded::of(&set.include)?))));
        let sets = sets.collect::<Result<_, FirewallError>>()?;
        Ok(Self { sets, collections: Arc::clone(collections) })
    }
}

/// The media types that some route wants to have looked at.
fn response_types(config: &Config) -> Vec<String> {
    let firewalls = config.routes.iter().filter_map(|route| route.waf.as_ref());
    let responses = firewalls.filter_map(|waf| waf.responses.as_ref());
    let mut types: Vec<_> = responses.flat_map(|responses| responses.types.iter().cloned()).collect();
    types.sort_unstable();
    types.dedup();
    types
}

impl Firewall {
    /// The firewall that `config` describes, with its rules from `sets`.
    pub fn new(config: &Arc<Waf>, sets: &RuleSets) -> Result<Self, FirewallError> {
        let (rules, unheeded) = sets.sets.get(config.rules.0).ok_or(FirewallError::NoRules)?;
        let exclusions = config.exclusions.iter().map(|exclusion| {
            let compiled = compile_exclusion(rules, exclusion)?;
            Ok(CompiledExclusion { config: Arc::clone(exclusion), compiled: Arc::new(compiled) })
        });
        Ok(Self {
            exclusions: exclusions.collect::<Result<_, FirewallError>>()?,
            classes: Classes::new(rules, config)?,
            variables: variables(config),
            incomplete: Arc::new(rules::of_incomplete_bodies(rules)?),
            rules: Arc::clone(rules),
            unheeded: Arc::clone(unheeded),
            collections: Arc::clone(&sets.collections),
            config: Arc::clone(config),
        })
    }

    /// The same with the mode `log`: all rules look, also behind the first that would have refused.
    #[must_use]
    pub fn only_reporting(&self) -> Self {
        let config = Waf { mode: WafMode::Log, ..Waf::clone(&self.config) };
        Self { config: Arc::new(config), ..self.clone() }
    }

    /// How it is configured.
    pub fn config(&self) -> &Waf {
        &self.config
    }

    /// Its rules.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The refusal of a request body that is longer than it looks at; `None` where the front is enough.
    pub fn too_long(&self) -> Option<Refusal> {
        let Waf { mode, on_large_body, max_body, .. } = *self.config;
        let refuses = mode == WafMode::Block && on_large_body == OnLargeBody::Refuse;
        let reason = || format!("longer than the firewall looks at (`max_body`, {max_body} bytes)");
        refuses.then(|| Refusal::new(Code::BodyTooLarge, reason()).closing())
    }

    /// The beginning of an exchange of somebody who cannot be asked for proof: `path` is the request's, in its normal form.
    pub fn inspect(
        self: &Arc<Self>,
        connection: Connection,
        id: &str,
        path: &str,
        now: SystemTime,
    ) -> Inspection {
        self.inspect_of(Caller::Unasked, connection, id, path, now)
    }

    /// The same, of this caller.
    pub(crate) fn inspect_of(
        self: &Arc<Self>,
        caller: Caller,
        connection: Connection,
        id: &str,
        path: &str,
        now: SystemTime,
    ) -> Inspection {
        let mut transaction = Transaction::new(Arc::clone(&self.rules), connection, id);
        transaction.set_collections(self.collections.clone());
        if self.config.mode == WafMode::Log {
            transaction.only_report();
        }
        self.classes.tell(&mut transaction, caller);
        self.set_variables(&mut transaction);
        for CompiledExclusion { config, compiled } in &self.exclusions {
            if config.applies_at(now) && config.concerns(path) {
                transaction.exclude(Arc::clone(compiled));
            }
        }
        Inspection::new(Arc::clone(self), transaction, caller)
    }

    fn set_variables(&self, transaction: &mut Transaction) {
        for (name, value) in &self.variables {
            transaction.set_tx(name, value);
        }
    }
}

/// What the initialization of the rules finds set already.
fn variables(config: &Waf) -> Vec<(&'static str, String)> {
    let threshold = config.threshold;
    vec![
        ("blocking_paranoia_level", config.paranoia.to_string()),
        ("detection_paranoia_level", config.detection_paranoia.to_string()),
        ("inbound_anomaly_score_threshold", threshold.inbound.to_string()),
        ("outbound_anomaly_score_threshold", threshold.outbound.to_string()),
    ]
}

fn compile_exclusion(
    rules: &RuleSet,
    exclusion: &bartizan_config::Exclusion,
) -> Result<Exclusion, FirewallError> {
    let selector = match &exclusion.rules {
        ExcludedRules::Ids(ids) => RuleSelector::Ids(vec![ids.first..=ids.last]),
        ExcludedRules::Tag(tag) => RuleSelector::Tag(tag.clone()),
    };
    excluded(rules, &selector, exclusion.target.as_deref())
}

/// These rules, or what they look at, taken away.
fn excluded(
    rules: &RuleSet,
    selector: &RuleSelector,
    text: Option<&str>,
) -> Result<Exclusion, FirewallError> {
    let Some(text) = text else {
        return Exclusion::new(rules, selector, None).map_err(|problem| unusable("a rule", &problem));
    };
    let target = target(text)?;
    Exclusion::new(rules, selector, Some(&target)).map_err(|problem| unusable(text, &problem))
}

/// A target as rules write it.
fn target(text: &str) -> Result<Target, FirewallError> {
    let rule = format!("SecRule {text} \"@unconditionalMatch\" \"id:1,phase:1,pass\"");
    let parsed =
        bartizan_seclang::parse(&rule, "exclusion").map_err(|error| unusable(text, &error.problem))?;
    let targets = parsed.into_iter().find_map(|directive| match directive.kind {
        DirectiveKind::Rule(rule) => Some(rule.first.targets),
        _ => None,
    });
    let nothing = || FirewallError::Target { target: text.into(), reason: "it names nothing".into() };
    targets.and_then(|targets| targets.into_iter().next()).ok_or_else(nothing)
}

fn unusable(target: &str, problem: &bartizan_seclang::Problem) -> FirewallError {
    FirewallError::Target { target: target.into(), reason: problem.to_string() }
}

#[cfg(test)]
mod tests;
