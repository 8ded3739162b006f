//! What a rule does besides deciding.

use super::{Mentioned, Shared, Text};
use crate::{
    Place,
    ast::{self, Action, Collection, Control, SetOperation, Template},
    error::Problem,
    rule_set::{Effect, OnMatch, Operation, SetVariable, VariableName},
};

/// What happens for each value that matches.
pub(super) fn on_match(action: &Action, shared: &mut Shared<'_>) -> Option<OnMatch> {
    let names = &mut shared.mentioned;
    let (collection, key) = match action {
        Action::SetVariable(set) => return Some(OnMatch::Set(set_variable(set, names))),
        Action::InitCollection { collection, key } => (*collection, key),
        Action::SetUser(key) => (Collection::User, key),
        Action::SetSession(key) => (Collection::Session, key),
        Action::SetResource(key) => (Collection::Resource, key),
        _ => return None,
    };
    Some(OnMatch::Open { collection, key: Text::new(key, names) })
}

fn set_variable(set: &ast::SetVariable, names: &mut Mentioned) -> SetVariable {
    let ast::SetVariable { collection, name, operation } = set;
    SetVariable {
        collection: *collection,
        name: variable_name(*collection, name, names),
        is_score: name.as_literal().is_some_and(|name| name.contains("anomaly_score")),
        operation: match operation {
            SetOperation::Set(value) => Operation::Set(Text::new(value, names)),
            SetOperation::Add(value) => Operation::Add(Text::new(value, names)),
            SetOperation::Subtract(value) => Operation::Subtract(Text::new(value, names)),
            SetOperation::Unset => Operation::Unset,
        },
    }
}

/// What happens once the whole chain holds.
pub(super) fn effects<'a>(
    actions: impl Iterator<Item = &'a Action>,
    place: &Place,
    shared: &mut Shared<'_>,
) -> Result<Box<[Effect]>, Problem> {
    actions.filter_map(|action| effect(action, place, shared).transpose()).collect()
}

fn effect(action: &Action, place: &Place, shared: &mut Shared<'_>) -> Result<Option<Effect>, Problem> {
    let names = &mut shared.mentioned;
    Ok(Some(match action {
        Action::SetEnvironment { name, value } => {
            Effect::SetEnvironment { name: Text::new(name, names), value: Text::new(value, names) }
        }
        Action::ExpireVariable(expire) => Effect::Expire {
            collection: expire.collection,
            name: variable_name(expire.collection, &expire.name, names),
            seconds: Text::new(&expire.seconds, names),
        },
        Action::Control(control) => return Ok(self::control(control, shared)),
        Action::Skip(rules) => Effect::Skip(*rules),
        Action::SkipAfter(name) => {
            shared.skips.push((name.clone(), place.clone()));
            Effect::SkipAfter(shared.marker(name))
        }
        // Said by the rule as a whole, done for each value, or about records that this engine does not write.
        _ => return Ok(None),
    }))
}

fn control(control: &Control, shared: &mut Shared<'_>) -> Option<Effect> {
    Some(match control {
        Control::RuleEngine(mode) => Effect::Mode(*mode),
        Control::RequestBodyAccess(access) => Effect::RequestBodyAccess(*access),
        Control::ResponseBodyAccess(access) => Effect::ResponseBodyAccess(*access),
        Control::DetectJson(detect) => Effect::DetectJson(*detect),
        Control::ForceRequestBodyVariable(force) => Effect::ForceRequestBodyVariable(*force),
        Control::RequestBodyProcessor(processor) => Effect::RequestBodyProcessor(*processor),
        Control::RemoveRules(rules) => Effect::Exclude(shared.exclusion(rules, None)),
        Control::RemoveTarget { rules, target } => Effect::Exclude(shared.exclusion(rules, Some(target))),
        Control::AuditEngine(_) | Control::AuditLogParts(_) => return None,
    })
}

fn variable_name(collection: Collection, name: &Template, names: &mut Mentioned) -> VariableName {
    match (collection, name.as_literal()) {
        (Collection::Tx, Some(name)) => VariableName::Slot(names.claim(name.as_bytes())),
        _ => VariableName::Text(Text::new(name, names)),
    }
}
