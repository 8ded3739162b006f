//! What the firewall found, counted by limits: a request in which a class of rules whose action is `limit` has found
//! something costs ten times more than others of the route.

use std::num::NonZeroU32;

use bartizan_limits::Limiter;
use smallvec::SmallVec;

use super::{Rate, charge, cost};
use crate::{
    Exchange, Stop,
    limits::{CompiledRule, Kind, RuleReference},
};

/// How many requests more it counts for.
const MORE: u32 = 10;

/// Counts it in every rate of its route that enforces. All count it, or none and the request is refused.
pub(crate) async fn again(exchange: &mut Exchange, limiter: &Limiter) -> Result<(), Stop> {
    let Some(route) = exchange.route.clone() else { return Ok(()) };
    let cost = cost(exchange).saturating_mul(NonZeroU32::new(MORE).unwrap_or(NonZeroU32::MIN));
    let mut rates = SmallVec::new();
    let stages: [(&[CompiledRule], fn(usize) -> RuleReference); 2] =
        [(&route.limits.coarse, RuleReference::Coarse), (&route.limits.fine, RuleReference::Fine)];
    for (rules, reference) in stages {
        for (index, rule) in rules.iter().enumerate() {
            let Kind::Rate(limit) = &rule.kind else { continue };
            if rule.is_shadow() {
                continue;
            }
            let Some(value) = rule.value(exchange, limiter) else { continue };
            let factors = exchange.risk.on(rule.kinds());
            rates.push(Rate { reference: reference(index), rule, limit, value, cost, factors });
        }
    }
    let before = std::mem::take(&mut exchange.limited.standings);
    let charged = charge(exchange, limiter, rates).await;
    // Each rule is told once, as it stands now.
    let now = std::mem::take(&mut exchange.limited.standings);
    let is_told = |rule: RuleReference| now.iter().any(|standing| standing.rule == rule);
    let mut standings: Vec<_> = before.into_iter().filter(|standing| !is_told(standing.rule)).collect();
    standings.extend(now);
    exchange.limited.standings = standings;
    charged.map(|_| ())
}
