//! What a rule does besides deciding.

use super::{Shared, SlotNames, Text};
use crate::{
    Place,
    ast::{self, Action, Collection, Control, SetOperation, Template},
    error::Problem,
    rule_set::{Effect, Operation, SetVariable, VariableName},
};

/// What happens for each value that matches.
pub(super) fn set_variable(action: &Action, shared: &mut Shared<'_>) -> Option<SetVariable> {
    let Action::SetVariable(ast::SetVariable { collection, name, operation }) = action else { return None };
    let names = &mut shared.names;
    Some(SetVariable {
        collection: *collection,
        name: variable_name(*collection, name, names),
        operation: match operation {
            SetOperation::Set(value) => Operation::Set(Text::new(value, names)),
            SetOperation::Add(value) => Operation::Add(Text::new(value, names)),
            SetOperation::Subtract(value) => Operation::Subtract(Text::new(value, names)),
            SetOperation::Unset => Operation::Unset,
        },
    })
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
    let names = &mut shared.names;
    Ok(Some(match action {
        Action::SetEnvironment { name, value } => {
            Effect::SetEnvironment { name: Text::new(name, names), value: Text::new(value, names) }
        }
        Action::InitCollection { collection, key } => {
            Effect::InitCollection { collection: *collection, key: Text::new(key, names) }
        }
        Action::SetUser(key) => Effect::SetUser(Text::new(key, names)),
        Action::SetSession(key) => Effect::SetSession(Text::new(key, names)),
        Action::SetResource(key) => Effect::SetResource(Text::new(key, names)),
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
        Control::ForceRequestBodyVariable(force) => Effect::ForceRequestBodyVariable(*force),
        Control::RequestBodyProcessor(processor) => Effect::RequestBodyProcessor(*processor),
        Control::RemoveRules(rules) => Effect::Exclude(shared.exclusion(rules, None)),
        Control::RemoveTarget { rules, target } => Effect::Exclude(shared.exclusion(rules, Some(target))),
        Control::AuditEngine(_) | Control::AuditLogParts(_) => return None,
    })
}

fn variable_name(collection: Collection, name: &Template, names: &mut SlotNames) -> VariableName {
    match (collection, name.as_literal()) {
        (Collection::Tx, Some(name)) => VariableName::Slot(names.claim(name.as_bytes())),
        _ => VariableName::Text(Text::new(name, names)),
    }
}
