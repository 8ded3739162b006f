//! Decides how much: before it is known who asks by address, route and header, afterwards by user, organisation and
//! key. Memory decides in about a microsecond; a shared store costs one round trip in each of the two stages, and one more
//! where rules only report, none longer than its timeout. All rules of a stage are decided together: when one refuses, nothing is counted, and what the coarse stage
//! had counted is given back when the fine one refuses or nobody waits for it any more. What the request's risk makes of a
//! limit ([`Exchange::risk`]) applies to it alone.

mod again;
mod concurrent;
mod rate;
mod refund;
#[cfg(test)]
mod tests;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bartizan_limits::{Counted, Factors, Limit, Limiter, Outcome};
use bartizan_model::Line;
use http::header;
use smallvec::SmallVec;

pub(crate) use self::again::again;
use self::{
    concurrent::Concurrent,
    rate::{Rate, charge, report},
    refund::Refund,
};
use super::Passed;
use crate::{
    Code, CompiledRoute, Exchange, ProblemType, Refusal, RouteLimits, Stop,
    limits::{CompiledRule, Kind, RuleReference, Value, whole_seconds},
};

/// Limits that need not know who asks.
pub(crate) async fn coarse(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let Some(route) = limited_route(exchange, |limits| !limits.coarse.is_empty()) else {
        return Ok(unlimited(exchange));
    };
    let counted = decide(exchange, limiter, &route.limits.coarse, RuleReference::Coarse, None).await?;
    exchange.limited.coarse = counted;
    Ok(passed(&route, counted.is_some()))
}

/// Limits on requests that do not meet those of a route: preflights, and what no route takes.
pub(crate) async fn instead(
    exchange: &mut Exchange,
    limiter: &Limiter,
    limits: &Arc<RouteLimits>,
) -> Result<Passed, Stop> {
    exchange.limited.instead = Some(Arc::clone(limits));
    let counted = decide(exchange, limiter, &limits.coarse, RuleReference::Coarse, None).await?;
    Ok(Passed::because(said(counted.is_some()), Line::NONE))
}

/// Limits on who asks, and what their API key has of its own.
pub(crate) async fn fine(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let may_have_own = exchange.identified.as_ref().is_some_and(|identified| identified.quota.is_some());
    let Some(route) = limited_route(exchange, |limits| may_have_own || !limits.fine.is_empty()) else {
        return Ok(unlimited(exchange));
    };
    let own_rule = route.limits.own_rate.as_ref();
    let own_limit = own_rule.and_then(|rule| rule.own_limit(exchange));
    let refund = Refund { exchange, limiter, route: &route };
    let rules = &route.limits.fine;
    let counted =
        decide(refund.exchange, limiter, rules, RuleReference::Fine, own_rule.zip(own_limit.as_ref()))
            .await?;
    refund.cancel();
    Ok(passed(&route, counted.is_some()))
}

/// The route, if something limits this request in this stage.
fn limited_route(
    exchange: &Exchange,
    is_limited: impl FnOnce(&RouteLimits) -> bool,
) -> Option<Arc<CompiledRoute>> {
    exchange.route.as_ref().filter(|route| is_limited(&route.limits)).cloned()
}

fn unlimited(exchange: &Exchange) -> Passed {
    let line = exchange.route.as_ref().map_or(Line::NONE, |route| route.config.line);
    Passed::at_once("no limits", line)
}

fn passed(route: &CompiledRoute, any: bool) -> Passed {
    Passed::because(said(any), route.config.line)
}

fn said(any: bool) -> &'static str {
    if any { "within limits" } else { "no limits" }
}

/// Decides the rules of one stage, and the limit that an API key has of its own. Says where they were counted; `None` when none applies.
async fn decide(
    exchange: &mut Exchange,
    limiter: &Limiter,
    rules: &[CompiledRule],
    reference: fn(usize) -> RuleReference,
    own: Option<(&CompiledRule, &Limit)>,
) -> Result<Option<Counted>, Stop> {
    let cost = cost(exchange);
    let (mut rates, mut concurrent) = (SmallVec::new(), Vec::new());
    let mut shadow = SmallVec::<[Rate<'_>; 2]>::new();
    for (index, rule) in rules.iter().enumerate() {
        let Some(value) = rule.value(exchange, limiter) else { continue };
        let (reference, factors) = (reference(index), exchange.risk.on(rule.kinds()));
        match &rule.kind {
            Kind::Rate(limit) => {
                let rate = Rate { reference, rule, limit, value, cost, factors };
                if rule.is_shadow() { shadow.push(rate) } else { rates.push(rate) }
            }
            Kind::Concurrent { name, at_most } => {
                concurrent.push(Concurrent::new(reference, rule, name, *at_most, value, factors, limiter));
            }
        }
    }
    if let Some((rule, limit)) = own
        && let Some(value) = rule.value(exchange, limiter)
    {
        let factors = exchange.risk.on(rule.kinds());
        rates.push(Rate { reference: RuleReference::OwnRate, rule, limit, value, cost, factors });
    }
    let applied = !(rates.is_empty() && concurrent.is_empty());
    let place = concurrent::enter(exchange, limiter, &mut concurrent)?;
    let counted = charge(exchange, limiter, rates).await;
    if counted.is_ok() {
        // What is refused would not have been counted by them if they did enforce.
        report(exchange, limiter, shadow).await;
    }
    for concurrent in concurrent {
        if counted.is_ok() {
            concurrent.rule.count(limiter.now(), &concurrent.value, concurrent.outcome());
        }
        let effect = concurrent.effect(counted.is_ok());
        exchange.limited.standings.push(concurrent.stood(effect));
    }
    let counted = counted?;
    exchange.limited.places.extend(place);
    Ok(counted.or(applied.then_some(Counted::Nowhere)))
}

/// What the request costs. A preflight is not what it asks about.
fn cost(exchange: &Exchange) -> NonZeroU32 {
    let route = exchange.route.as_ref().filter(|_| exchange.limited.instead.is_none());
    route.map_or(NonZeroU32::MIN, |route| {
        route.config.costs.of(&exchange.head.method, exchange.path.matched(exchange.head.uri.path()))
    })
}

/// Counts and tells who was in the way.
fn refuse(exchange: &mut Exchange, limiter: &Limiter, violated: &[Violated<'_>], wait: Duration) -> Stop {
    let now = limiter.now();
    for Violated { rule, value, .. } in violated {
        rule.count(now, value, Outcome::Refused);
    }
    exchange.limited.line = violated.iter().find_map(|violated| violated.rule.line());
    let names: Vec<Arc<str>> = violated.iter().map(|violated| Arc::clone(&violated.rule.name)).collect();
    let seconds = whole_seconds(wait).max(1);
    let mut refusal = Refusal::new(Code::RateLimitExceeded, format!("over {}", names.join(", ")))
        .with_header(header::RETRY_AFTER, seconds.into());
    refusal.violated_policies = names;
    if violated.iter().any(|violated| violated.factors.are_strict()) {
        refusal.problem = ProblemType::AbnormalUsageDetected;
    }
    refusal.into()
}

/// A rule that is in the way, and of whom.
struct Violated<'a> {
    rule: &'a CompiledRule,
    value: &'a Value,
    /// What the request's risk made of the rule.
    factors: Factors,
}

impl CompiledRule {
    fn limit(&self) -> Option<&Limit> {
        match &self.kind {
            Kind::Rate(limit) => Some(limit),
            Kind::Concurrent { .. } => None,
        }
    }

    /// Where it stands in the file; built-in rules stand nowhere.
    fn line(&self) -> Option<Line> {
        self.rule().map(|rule| rule.line).filter(|line| *line != Line::NONE)
    }
}
