//! Classes of rules, by tag, whose findings have other consequences than those of all rules.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{ClassAction, Waf, WafAction};
use bartizan_identity::Identified;
use bartizan_model::PrincipalKind;
use bartizan_seclang::{Disruption, Exclusion, RuleInfo, RuleSet, Transaction, ast::RuleSelector};

use super::{FirewallError, unusable};

/// The rules of a firewall that do not simply count.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    /// They only report.
    reporting: Option<Arc<Exclusion>>,
    /// They refuse at once.
    refusing: Vec<(Arc<Exclusion>, Disruption)>,
    challenging: Option<Challenging>,
    /// What they find costs more: their numbers.
    limiting: Arc<BTreeSet<u64>>,
}

/// Rules that refuse whoever has not proven of late who they are.
#[derive(Debug, Clone)]
struct Challenging {
    rules: Arc<Exclusion>,
    numbers: Arc<BTreeSet<u64>>,
    /// These, and those that only report: what only reports where somebody has proven it.
    or_reporting: Option<Arc<Exclusion>>,
}

/// How long a second factor answers a challenge of the firewall.
pub(crate) const PROVEN_FOR: Duration = Duration::from_mins(15);

/// What a caller has to answer a challenge with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Caller {
    /// Nothing: nobody knows who it is, or it is a program with a key or a certificate.
    #[default]
    Unasked,
    /// A person, who can be asked for a second factor.
    Unproven,
    /// A person who has shown one of late, at the place where they are.
    Proven,
}

impl Caller {
    /// What is known of whoever asks at this time.
    pub(crate) fn of(identified: Option<&Identified>, now: SystemTime) -> Self {
        let Some(identified) = identified else { return Self::Unasked };
        let Identified { principal, proof, .. } = identified;
        if !matches!(principal.kind, PrincipalKind::Session | PrincipalKind::Token) {
            return Self::Unasked;
        }
        // A clock that is ahead of this one is no reason to ask again.
        let is_late = proof.at.is_none_or(|at| now.duration_since(at).is_ok_and(|since| since > PROVEN_FOR));
        if principal.multi_factor && !is_late && !identified.has_moved() {
            Self::Proven
        } else {
            Self::Unproven
        }
    }
}

impl Classes {
    /// What the actions of `config` make of the rules; of the actions for a rule the last counts.
    pub(super) fn new(rules: &RuleSet, config: &Waf) -> Result<Self, FirewallError> {
        // Above the paranoia level rules look without leading to a refusal.
        let counts = |rule: &RuleInfo| rule.paranoia_level().is_none_or(|level| level <= config.paranoia);
        let of = |action: WafAction| {
            let has = |rule: &&RuleInfo| last(&config.actions, rule) == Some(action);
            among(rules, rules.rules().filter(has).filter(|rule| counts(rule)))
        };
        let refusing = [(WafAction::Deny, Disruption::Deny), (WafAction::Drop, Disruption::Drop)];
        let refusing =
            refusing.map(|(action, how)| Ok::<_, FirewallError>(of(action)?.map(|rules| (rules, how))));
        let only_reports =
            |rule: &&RuleInfo| matches!(last(&config.actions, rule), Some(WafAction::Log | WafAction::Limit));
        let limits = |rule: &&RuleInfo| last(&config.actions, rule) == Some(WafAction::Limit);
        let limiting = rules.rules().filter(limits).filter(|rule| counts(rule)).map(|rule| rule.id);
        let challenging = of(WafAction::Challenge)?.map(|challenging| {
            let is = |rule: &&RuleInfo| last(&config.actions, rule) == Some(WafAction::Challenge);
            let reports = |rule: &&RuleInfo| is(rule) || only_reports(rule);
            Ok::<_, FirewallError>(Challenging {
                rules: challenging,
                numbers: Arc::new(rules.rules().filter(is).map(|rule| rule.id).collect()),
                or_reporting: among(rules, rules.rules().filter(reports))?,
            })
        });
        Ok(Self {
            challenging: challenging.transpose()?,
            limiting: Arc::new(limiting.collect()),
            reporting: among(rules, rules.rules().filter(only_reports))?,
            refusing: refusing
                .into_iter()
                .filter_map(Result::transpose)
                .collect::<Result<_, FirewallError>>()?,
        })
    }

    /// Says it to an exchange of this caller.
    pub(super) fn tell(&self, transaction: &mut Transaction, caller: Caller) {
        let mut reporting = self.reporting.as_ref();
        match &self.challenging {
            Some(challenging) if caller == Caller::Proven => reporting = challenging.or_reporting.as_ref(),
            Some(challenging) => {
                transaction.refuse_by_these(Arc::clone(&challenging.rules), Disruption::Deny);
            }
            None => {}
        }
        if let Some(rules) = reporting {
            transaction.only_report_these(Arc::clone(rules));
        }
        for (rules, how) in &self.refusing {
            transaction.refuse_by_these(Arc::clone(rules), how.clone());
        }
    }

    /// Whether what this rule has found costs more.
    pub(super) fn limit(&self, rule: u64) -> bool {
        self.limiting.contains(&rule)
    }

    /// Whether what this rule has found asks its caller for proof.
    pub(super) fn challenge(&self, rule: u64) -> bool {
        self.challenging.as_ref().is_some_and(|challenging| challenging.numbers.contains(&rule))
    }
}

fn last(actions: &[Arc<ClassAction>], rule: &RuleInfo) -> Option<WafAction> {
    actions.iter().rfind(|action| rule.tags.contains(&action.tag)).map(|action| action.action)
}

/// These rules; `None` where there are none.
fn among<'r>(
    rules: &RuleSet,
    chosen: impl Iterator<Item = &'r RuleInfo>,
) -> Result<Option<Arc<Exclusion>>, FirewallError> {
    let ids: Vec<_> = chosen.map(|rule| rule.id..=rule.id).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let selected = Exclusion::new(rules, &RuleSelector::Ids(ids), None);
    selected.map(|selected| Some(Arc::new(selected))).map_err(|problem| unusable("a rule", &problem))
}
