//! Classes of rules, by tag, whose findings are only reported.

use std::sync::Arc;

use bartizan_config::{ClassAction, WafAction};
use bartizan_seclang::{Exclusion, RuleSet, ast::RuleSelector};

use super::{FirewallError, unusable};

/// The rules whose last action is to report; `None` where all count.
pub(super) fn reporting(
    rules: &RuleSet,
    actions: &[Arc<ClassAction>],
) -> Result<Option<Exclusion>, FirewallError> {
    let only_reports = |tags: &[String]| {
        let last = actions.iter().rfind(|action| tags.contains(&action.tag));
        last.is_some_and(|action| action.action == WafAction::Log)
    };
    let ids: Vec<_> =
        rules.rules().filter(|rule| only_reports(&rule.tags)).map(|rule| rule.id..=rule.id).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let selected = Exclusion::new(rules, &RuleSelector::Ids(ids), None);
    selected.map(Some).map_err(|problem| unusable("a rule", &problem))
}
