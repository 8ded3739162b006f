//! What the firewall found, counted by limits: a request in which a class of rules whose action is `limit` has found
//! something costs ten times more than others of the route.

use std::num::NonZeroU32;

use bartizan_limits::Limiter;
use smallvec::SmallVec;

use super::{Rate, charge, cost};
use crate::{
    Exchange, Stop,
    limits::{Kind, RuleReference},
};

/// How many requests more it counts for.
const MORE: u32 = 10;

/// Counts it in every rate of its route that enforces. All count it, or none and the request is refused.
pub(crate) async fn again(exchange: &mut Exchange, limiter: &Limiter) -> Result<(), Stop> {
    let Some(route) = exchange.route.clone() else { return Ok(()) };
    let cost = cost(exchange).saturating_mul(NonZeroU32::new(MORE).unwrap_or(NonZeroU32::MIN));
    let limits = &route.limits;
    let coarse = limits.coarse.iter().enumerate().map(|(at, rule)| (RuleReference::Coarse(at), rule));
    let fine = limits.fine.iter().enumerate().map(|(at, rule)| (RuleReference::Fine(at), rule));
    let mut rates = SmallVec::new();
    for (reference, rule) in coarse.chain(fine).filter(|(_, rule)| !rule.is_shadow()) {
        let Kind::Rate(limit) = &rule.kind else { continue };
        let Some(value) = rule.value(exchange, limiter) else { continue };
        let factors = exchange.risk.on(rule.kinds());
        rates.push(Rate { reference, rule, limit, value, cost, factors });
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
