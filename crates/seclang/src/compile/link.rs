//! One link of a rule: what it looks at, through which transformations, and the gate that its operator needs.

use std::sync::Arc;

use super::{Text, effects, rule::RuleCompiler};
use crate::{
    Operator, Transformation,
    ast::{self, Action, Link, OperatorName, Selector, Target, TargetUse, Variable},
    buffers::Chain,
    error::Problem,
    exclusion::{Excluded, Names},
    gate::Gate,
    rule_set::{Captures, CompiledLink, CompiledTarget, OnMatch, Selection, TxSelection},
};

impl RuleCompiler<'_, '_> {
    pub(super) fn link(&mut self, link: &Link, is_first: bool) -> Result<CompiledLink, Problem> {
        let chain = Chain::new(transformations(self.defaults, &link.actions));
        let multi_match = link.actions.contains(&Action::MultiMatch);
        let (operator, gate, argument) = match &link.operator {
            Some(operator) => {
                let (operator, gate) = self.operator(link, operator)?;
                let argument =
                    operator.argument().map(|argument| Text::new(argument, &mut self.shared.mentioned));
                (Some(operator), gate, argument)
            }
            None => (None, Gate::default(), None),
        };
        let (excluded, targets): (Vec<_>, Vec<_>) =
            link.targets.iter().partition(|target| target.used_as == TargetUse::Exclusion);
        let targets: Box<[_]> = targets
            .into_iter()
            .map(|target| self.target(target, &chain, multi_match))
            .collect::<Result<_, _>>()?;
        let bundle = if gate.is_open() { None } else { self.bundle(&targets) };
        // What the default actions do besides deciding is done once, by the first link.
        let inherited = if is_first { self.defaults } else { &[] };
        let actions = || inherited.iter().chain(&link.actions);
        let on_match: Box<[_]> =
            actions().filter_map(|action| effects::on_match(action, self.shared)).collect();
        let captures = match &operator {
            _ if !link.actions.contains(&Action::Capture) => Captures::Never,
            Some(operator) if operator.captures_anew() && !looks_at_captures(&targets, &on_match) => {
                Captures::OfLast
            }
            _ => Captures::Always,
        };
        Ok(CompiledLink {
            targets,
            bundle,
            excluded: excluded.into_iter().map(Excluded::new).collect::<Result<_, _>>()?,
            operator,
            argument,
            gate,
            chain,
            // What asks what a value is not must be asked of every value.
            seeks_attacks: self.seeks_attacks
                && link.operator.as_ref().is_some_and(|operator| !operator.negated),
            multi_match,
            captures,
            on_match,
            effects: effects::effects(actions(), &link.place, self.shared)?,
        })
    }

    fn operator(&mut self, link: &Link, operator: &ast::Operator) -> Result<(Operator, Gate), Problem> {
        let data = self.shared.data.of(&link.place, operator).ok_or_else(|| Problem::Missing {
            name: format!("@{}", operator.name),
            expected: "its data file, loaded together with the rule",
        })?;
        let operator = match self.shared.data.locations() {
            Some(locations) if operator.name == OperatorName::GeoLookup => {
                Operator::locating(Arc::clone(locations), operator.negated)
            }
            _ => Operator::compile(operator, &data)?,
        };
        let required = operator.required();
        let gate = Gate {
            literal: required.literals.map(|literals| self.shared.gates.gate(literals)).transpose()?,
            sets: required.sets.into(),
            shortest: u32::try_from(required.shortest).unwrap_or(u32::MAX),
        };
        Ok((operator, gate))
    }

    /// The groups among the targets, which are asked together whether any of them opens the gate.
    fn bundle(&mut self, targets: &[CompiledTarget]) -> Option<usize> {
        let group = |target: &CompiledTarget| match target {
            CompiledTarget::Group(number) => Some(*number),
            _ => None,
        };
        let groups: Vec<usize> = targets.iter().filter_map(group).collect();
        (!groups.is_empty()).then(|| self.shared.bundle(groups))
    }

    fn target(
        &mut self,
        target: &Target,
        chain: &Chain,
        every_step: bool,
    ) -> Result<CompiledTarget, Problem> {
        check_path(target)?;
        self.shared.mentioned.mention(target.variable);
        let names = || Names::new(target.selector.as_ref());
        let counts = target.used_as == TargetUse::Count;
        match (&target.selector, target.variable) {
            (Some(Selector::Name(name)), Variable::Tx) if counts => {
                Ok(CompiledTarget::SlotCount(self.shared.mentioned.claim(name.as_bytes())))
            }
            (_, variable) if counts => Ok(CompiledTarget::Count(Selection { variable, names: names()? })),
            (Some(Selector::Name(name)), Variable::Tx) => {
                Ok(CompiledTarget::Slot(self.shared.mentioned.claim(name.as_bytes())))
            }
            (_, Variable::Tx) => {
                Ok(CompiledTarget::Tx(TxSelection { names: names()?, slots: Box::default() }))
            }
            (_, variable) if variable.changes_within_phase() => {
                Ok(CompiledTarget::Changing(Selection { variable, names: names()? }))
            }
            _ => Ok(CompiledTarget::Group(self.shared.group(target, chain, every_step)?)),
        }
    }
}

/// Whether what was captured of one value is looked at or changed before the next one is asked.
fn looks_at_captures(targets: &[CompiledTarget], on_match: &[OnMatch]) -> bool {
    !targets.iter().all(|target| matches!(target, CompiledTarget::Group(_)))
        || on_match.iter().any(OnMatch::concerns_captures)
}

/// The two paths into a document that rule sets use.
fn check_path(target: &Target) -> Result<(), Problem> {
    match &target.selector {
        Some(Selector::Path(path)) if !matches!(path.as_str(), "/*" | "//@*") => Err(Problem::Unsupported {
            what: "path",
            name: path.clone(),
            reason: "`XML:/*` is all text and `XML://@*` all attributes of a document",
        }),
        None if target.variable == Variable::Xml && target.used_as != TargetUse::Exclusion => {
            Err(Problem::Missing { name: "XML".to_owned(), expected: "a path: `XML:/*` or `XML://@*`" })
        }
        _ => Ok(()),
    }
}

/// What is done to a value: those of the default actions come first, unless `t:none` takes them away.
fn transformations(defaults: &[Action], actions: &[Action]) -> Vec<Transformation> {
    let mut steps = Vec::new();
    for action in defaults.iter().chain(actions) {
        match action {
            Action::Transformation(Transformation::None) => steps.clear(),
            Action::Transformation(transformation) => steps.push(*transformation),
            _ => {}
        }
    }
    steps
}
