//! `cost` of a route.

mod built_in;

use std::{collections::HashSet, num::NonZeroU32};

use super::limits::LimitedRoute;
use crate::{
    Amount, Costs, LimitPolicy, OperationCost, OperationPattern,
    file::Cost,
    forms::Parsed,
    located::{Optional, Position},
    problems::Problems,
};

/// What the requests of a route cost that has these limits.
pub(crate) fn resolve(
    file: &Optional<Parsed<Cost>>,
    is_limited: bool,
    route: &LimitedRoute<'_>,
    limits: &[&LimitPolicy],
    problems: &mut Problems<'_>,
) -> Costs {
    let Some(at) = file.as_ref() else { return Costs::default() };
    if !is_limited {
        problems
            .warning(at.position, "`cost` has no effect: this route has no `limit`")
            .help("add `limit` with the name of a policy");
    }
    match problems.borrow(at) {
        None => Costs::default(),
        Some(Cost::Every(cost)) => {
            let every = OperationPattern { method: None, path: route.path.clone() };
            affordable(
                at.position,
                "a request",
                &OperationCost { operation: every, cost: *cost },
                route,
                limits,
                problems,
            );
            Costs::new(Vec::new(), *cost)
        }
        Some(Cost::BuiltIn(name)) => {
            let operations = built_in::operations(name, at.position, route, problems);
            for listed in &operations {
                let who = format!("`{}` of `cost: {name}`", listed.operation);
                affordable(at.position, &who, listed, route, limits, problems);
            }
            Costs::new(operations, NonZeroU32::MIN)
        }
        Some(Cost::ByOperation(entries)) => {
            let (mut operations, mut seen) = (Vec::new(), HashSet::new());
            for (key, value) in &entries.0 {
                let (operation, cost) = (problems.read(key), problems.read(value));
                let (Some(operation), Some(cost)) = (operation, cost) else { continue };
                if !seen.insert((operation.method.clone(), operation.path.segments().to_vec())) {
                    problems.error(key.position, format!("`{operation}` is listed twice"));
                }
                let (who, is_served) = (format!("`{operation}`"), route.serves(&operation));
                let listed = OperationCost { operation, cost };
                if is_served {
                    affordable(value.position, &who, &listed, route, limits, problems);
                    operations.push(listed);
                } else {
                    problems
                        .warning(
                            key.position,
                            format!("{who} is no operation of this route: its cost has no effect"),
                        )
                        .help("write the whole path, as under `path`, and a method that the route admits");
                }
            }
            Costs::new(operations, NonZeroU32::MIN)
        }
    }
}

/// Whether no rule that counts the operation holds less than it costs: then every such request would be refused.
fn affordable(
    position: Position,
    who: &str,
    listed: &OperationCost,
    route: &LimitedRoute<'_>,
    limits: &[&LimitPolicy],
    problems: &mut Problems<'_>,
) {
    let mut rules =
        limits.iter().flat_map(|policy| route.counting(policy)).filter(|rule| rule.meets(&listed.operation));
    let too_small = rules.find_map(|rule| match rule.amount {
        Amount::Rate(quota) if quota.burst() < listed.cost => Some((rule, quota.burst())),
        _ => None,
    });
    if let Some((rule, burst)) = too_small {
        let message = format!(
            "{who} costs {}, and the rule `{}` ({}) never holds more than {burst}",
            listed.cost, rule.name, rule.line
        );
        problems.error(position, message).help("lower the cost, or raise the rule's `burst` or `rate`");
    }
}
