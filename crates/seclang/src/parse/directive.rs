//! One directive: its name, then its words.

use super::{
    actions::{self, Actions, ids},
    clauses::number,
    operator,
    quoted::Words,
    setting::{self, SettingName},
    targets,
};
use crate::{
    Place, Transformation,
    ast::{Action, DirectiveKind, Ids, Link, Phase, RuleSelector, named},
    error::Problem,
};

named! {
    /// The directives that are not settings.
    enum DirectiveName {
        Include = "Include",
        Action = "SecAction",
        ComponentSignature = "SecComponentSignature",
        DefaultAction = "SecDefaultAction",
        Marker = "SecMarker",
        Rule = "SecRule",
        RuleRemoveById = "SecRuleRemoveById",
        RuleRemoveByMsg = "SecRuleRemoveByMsg",
        RuleRemoveByTag = "SecRuleRemoveByTag",
        RuleUpdateActionById = "SecRuleUpdateActionById",
        RuleUpdateTargetById = "SecRuleUpdateTargetById",
        RuleUpdateTargetByMsg = "SecRuleUpdateTargetByMsg",
        RuleUpdateTargetByTag = "SecRuleUpdateTargetByTag",
    }
}

/// A directive, of which rules are not yet put together to chains.
#[derive(Debug)]
pub(super) enum Statement {
    /// `SecRule` or `SecAction`.
    Rule { id: Option<u64>, phase: Option<Phase>, chain: bool, link: Link },
    /// Any other.
    Other(DirectiveKind),
}

/// Reads one logical line.
pub(super) fn parse(line: &str, place: &Place) -> Result<Statement, Problem> {
    let end = line.find([' ', '\t']).unwrap_or(line.len());
    let (name, rest) = line.split_at_checked(end).unwrap_or((line, ""));
    let mut words = Words::of(rest);
    let Some(directive) = DirectiveName::from_name(name) else {
        let setting = setting::parse(setting_name(name)?, &mut words)?;
        words.end("a complete directive")?;
        return Ok(Statement::Other(DirectiveKind::Setting(setting)));
    };
    let name = directive.name();
    let text = |words: &mut Words<'_>| words.require(name, "a value").map(ToOwned::to_owned);
    let statement = match directive {
        DirectiveName::Rule => rule(&mut words, place)?,
        DirectiveName::Action => action(&mut words, place)?,
        DirectiveName::DefaultAction => Statement::Other(default_action(&mut words)?),
        DirectiveName::RuleUpdateActionById => Statement::Other(update_actions(&mut words)?),
        DirectiveName::Include => Statement::Other(DirectiveKind::Include(text(&mut words)?)),
        DirectiveName::Marker => Statement::Other(DirectiveKind::Marker(text(&mut words)?)),
        DirectiveName::ComponentSignature => {
            Statement::Other(DirectiveKind::ComponentSignature(text(&mut words)?))
        }
        DirectiveName::RuleRemoveById => remove_rules(RuleSelector::Ids(all_ids(name, &mut words)?)),
        DirectiveName::RuleRemoveByMsg => remove_rules(RuleSelector::Message(text(&mut words)?)),
        DirectiveName::RuleRemoveByTag => remove_rules(RuleSelector::Tag(text(&mut words)?)),
        DirectiveName::RuleUpdateTargetById => {
            let rules = RuleSelector::Ids(ids(name, words.require(name, "the id of a rule")?)?);
            update_targets(name, rules, &mut words)?
        }
        DirectiveName::RuleUpdateTargetByMsg => {
            let rules = RuleSelector::Message(text(&mut words)?);
            update_targets(name, rules, &mut words)?
        }
        DirectiveName::RuleUpdateTargetByTag => {
            let rules = RuleSelector::Tag(text(&mut words)?);
            update_targets(name, rules, &mut words)?
        }
    };
    words.end("a complete directive")?;
    Ok(statement)
}

/// The setting with this name; if there is none, what else it may have been.
fn setting_name(name: &str) -> Result<SettingName, Problem> {
    SettingName::from_name(name).ok_or_else(|| {
        setting::refused(name).unwrap_or_else(|| {
            let directives = DirectiveName::ALL.iter().map(|known| known.name());
            let settings = SettingName::ALL.iter().map(|known| known.name());
            Problem::unknown("directive", name, directives.chain(settings))
        })
    })
}

fn rule(words: &mut Words<'_>, place: &Place) -> Result<Statement, Problem> {
    let targets = targets::parse(words.require_targets("SecRule")?)?;
    let operator = operator::parse(words.require("SecRule", "an operator after the targets")?)?;
    let Actions { id, phase, chain, list } = match words.take()? {
        Some(text) => actions::parse(text)?,
        None => Actions::default(),
    };
    let link = Link { place: place.clone(), targets, operator: Some(operator), actions: list };
    Ok(Statement::Rule { id, phase, chain, link })
}

fn action(words: &mut Words<'_>, place: &Place) -> Result<Statement, Problem> {
    let Actions { id, phase, chain, list } = actions::parse(words.require("SecAction", "actions")?)?;
    let link = Link { place: place.clone(), targets: Vec::new(), operator: None, actions: list };
    Ok(Statement::Rule { id, phase, chain, link })
}

/// `SecRuleRemoveBy...`
fn remove_rules(rules: RuleSelector) -> Statement {
    Statement::Other(DirectiveKind::RemoveRules(rules))
}

/// `SecRuleUpdateTargetBy...`, of which the targets are still to be read.
fn update_targets(name: &str, rules: RuleSelector, words: &mut Words<'_>) -> Result<Statement, Problem> {
    let targets = targets::parse(words.require_targets(name)?)?;
    Ok(Statement::Other(DirectiveKind::UpdateTargets { rules, targets }))
}

/// Numbers and ranges up to the end of the directive.
fn all_ids(name: &str, words: &mut Words<'_>) -> Result<Vec<Ids>, Problem> {
    let mut all = ids(name, words.require(name, "the id of a rule")?)?;
    while let Some(word) = words.take()? {
        all.extend(ids(name, word)?);
    }
    Ok(all)
}

/// Reads the number of a rule, of a link if there is a colon, and actions.
fn update_actions(words: &mut Words<'_>) -> Result<DirectiveKind, Problem> {
    const EXPECTED: &str = "the id of a rule, or an id, a colon and the number of a link";
    let name = DirectiveName::RuleUpdateActionById.name();
    let word = words.require(name, EXPECTED)?;
    let (id, link) = word.split_once(':').unwrap_or((word, "0"));
    let invalid = || Problem::invalid(name, word, EXPECTED);
    let id = number(id).ok_or_else(invalid)?;
    let link = number(link).and_then(|link| u32::try_from(link).ok()).ok_or_else(invalid)?;
    let actions = actions::parse(words.require(name, "actions")?)?;
    match fixed(&actions) {
        Some(action) => {
            Err(Problem::invalid(name, action, "actions that may change after a rule is written"))
        }
        None => Ok(DirectiveKind::UpdateActions { id, link, actions: actions.list }),
    }
}

/// Reads what rules of a phase do by default.
fn default_action(words: &mut Words<'_>) -> Result<DirectiveKind, Problem> {
    let name = DirectiveName::DefaultAction.name();
    let actions = actions::parse(words.require(name, "actions")?)?;
    if actions.id.is_some() || actions.chain {
        return Err(Problem::invalid(
            name,
            if actions.chain { "chain" } else { "id" },
            "actions for many rules",
        ));
    }
    if let Some(own) = actions.list.iter().find_map(of_one_rule) {
        return Err(Problem::invalid(name, own, "actions for many rules"));
    }
    if !actions.list.iter().any(Action::is_disruptive) {
        return Err(Problem::Missing {
            name: name.to_owned(),
            expected: "a disruptive action, such as `pass`",
        });
    }
    let phase = actions.phase.unwrap_or_default();
    Ok(DirectiveKind::DefaultAction { phase, actions: actions.list })
}

/// What `SecRuleUpdateActionById` cannot change, if it is among these.
fn fixed(actions: &Actions) -> Option<&'static str> {
    [(actions.id.is_some(), "id"), (actions.phase.is_some(), "phase"), (actions.chain, "chain")]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
}

/// The name of an action that has no meaning for many rules at once.
fn of_one_rule(action: &Action) -> Option<&'static str> {
    match action {
        Action::Accuracy(_) => Some("accuracy"),
        Action::Maturity(_) => Some("maturity"),
        Action::Revision(_) => Some("rev"),
        Action::Version(_) => Some("ver"),
        Action::Transformation(Transformation::None) => Some("t:none"),
        Action::XmlNamespace { .. } => Some("xmlns"),
        // It means what the default actions say.
        Action::Block => Some("block"),
        _ => None,
    }
}

/// What the page about the language must name.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DirectiveName::ALL.iter().map(|known| known.name())
}
