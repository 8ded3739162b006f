//! Classes of rules, by tag, whose findings have other consequences than those of all rules.

use std::sync::Arc;

use bartizan_config::{ClassAction, Waf, WafAction};
use bartizan_seclang::{Disruption, Exclusion, RuleInfo, RuleSet, Transaction, ast::RuleSelector};

use super::{FirewallError, unusable};

/// The rules of a firewall that do not simply count.
#[derive(Debug, Clone)]
pub(super) struct Classes {
    /// They only report.
    reporting: Option<Arc<Exclusion>>,
    /// They refuse at once.
    refusing: Vec<(Arc<Exclusion>, Disruption)>,
}

impl Classes {
    /// What the actions of `config` make of the rules; of the actions for a rule the last counts.
    pub(super) fn new(rules: &RuleSet, config: &Waf) -> Result<Self, FirewallError> {
        // Above the paranoia level rules look without leading to a refusal.
        let counts = |rule: &RuleInfo| rule.paranoia_level().is_none_or(|level| level <= config.paranoia);
        let of = |action: WafAction| {
            let has = |rule: &&RuleInfo| last(&config.actions, rule) == Some(action);
            among(rules, rules.rules().filter(has).filter(|rule| action == WafAction::Log || counts(rule)))
        };
        let refusing = [(WafAction::Deny, Disruption::Deny), (WafAction::Drop, Disruption::Drop)];
        let refusing =
            refusing.map(|(action, how)| Ok::<_, FirewallError>(of(action)?.map(|rules| (rules, how))));
        Ok(Self {
            reporting: of(WafAction::Log)?,
            refusing: refusing
                .into_iter()
                .filter_map(Result::transpose)
                .collect::<Result<_, FirewallError>>()?,
        })
    }

    /// Says it to an exchange.
    pub(super) fn tell(&self, transaction: &mut Transaction) {
        if let Some(rules) = &self.reporting {
            transaction.only_report_these(Arc::clone(rules));
        }
        for (rules, how) in &self.refusing {
            transaction.refuse_by_these(Arc::clone(rules), how.clone());
        }
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
