//! Decides how much: before it is known who asks by address, route and header, afterwards by user, organisation and
//! key. Memory decides in about a microsecond; a shared store costs one round trip in each of the two stages, never longer
//! than its timeout. All rules of a stage are decided together: when one refuses, nothing is counted, and what the coarse stage
//! had counted is given back when the fine one refuses.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bartizan_limits::{Charge, Counted, Decision, Factors, Full, InFlight, Limit, Limiter, Outcome, Place};
use bartizan_model::Line;
use http::{HeaderValue, header};
use smallvec::SmallVec;

use super::Passed;
use crate::{
    Code, CompiledRoute, Exchange, Refusal, RouteLimits, Stop,
    limits::{CompiledRule, Kind, RuleReference, Value},
};

/// A rate that counts the request, and whom it counts.
type Rates<'r> = SmallVec<[(usize, &'r CompiledRule, &'r Limit, Value); 3]>;

/// Limits that need not know who asks.
pub(crate) async fn coarse(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let Some(route) = limited_route(exchange, |limits| &limits.coarse) else {
        return Ok(unlimited(exchange));
    };
    let counted = decide(exchange, limiter, &route.limits.coarse, RuleReference::Coarse).await?;
    exchange.limited.coarse = counted;
    Ok(passed(&route, counted.is_some()))
}

/// Limits on who asks.
pub(crate) async fn fine(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let Some(route) = limited_route(exchange, |limits| &limits.fine) else { return Ok(unlimited(exchange)) };
    match decide(exchange, limiter, &route.limits.fine, RuleReference::Fine).await {
        Ok(counted) => Ok(passed(&route, counted.is_some())),
        Err(stop) => {
            give_back_coarse(exchange, limiter, &route).await;
            Err(stop)
        }
    }
}

/// The route, if it has rules of this stage.
fn limited_route(
    exchange: &Exchange,
    rules: fn(&RouteLimits) -> &Vec<CompiledRule>,
) -> Option<Arc<CompiledRoute>> {
    exchange.route.as_ref().filter(|route| !rules(&route.limits).is_empty()).cloned()
}

fn unlimited(exchange: &Exchange) -> Passed {
    let line = exchange.route.as_ref().map_or(Line::NONE, |route| route.config.line);
    Passed::at_once("no limits", line)
}

fn passed(route: &CompiledRoute, any: bool) -> Passed {
    Passed::because(if any { "within limits" } else { "no limits" }, route.config.line)
}

/// Decides the rules of one stage. Says where they were counted; `None` when none applies.
async fn decide(
    exchange: &mut Exchange,
    limiter: &Limiter,
    rules: &[CompiledRule],
    reference: fn(usize) -> RuleReference,
) -> Result<Option<Counted>, Stop> {
    let cost = cost(exchange);
    let (mut rates, mut concurrent) = (Rates::new(), Vec::new());
    for (index, rule) in rules.iter().enumerate() {
        let Some(value) = rule.value(exchange, limiter) else { continue };
        match &rule.kind {
            Kind::Rate(limit) if rule.is_shadow() => report(rule, limit, &value, limiter, cost),
            Kind::Rate(limit) => rates.push((index, rule, limit, value)),
            Kind::Concurrent { name, at_most } => {
                concurrent.push(Concurrent { rule, name, at_most: *at_most, value });
            }
        }
    }
    let entered = if concurrent.is_empty() { None } else { Some(enter(exchange, &concurrent, limiter)?) };
    let counted =
        if rates.is_empty() { None } else { Some(charge(exchange, limiter, &rates, cost, reference).await?) };
    let applied = entered.is_some() || counted.is_some();
    if let Some((place, outcomes)) = entered {
        exchange.limited.places.push(place);
        for (concurrent, outcome) in concurrent.iter().zip(outcomes) {
            concurrent.rule.count(limiter.now(), &concurrent.value, outcome);
        }
    }
    Ok(counted.or(applied.then_some(Counted::Nowhere)))
}

/// What the request costs.
fn cost(exchange: &Exchange) -> NonZeroU32 {
    let route = exchange.route.as_ref();
    route.map_or(NonZeroU32::MIN, |route| {
        route.config.costs.of(&exchange.head.method, exchange.path.matched(exchange.head.uri.path()))
    })
}

/// Counts a rate that only reports, by what this gateway alone has seen.
fn report(rule: &CompiledRule, limit: &Limit, value: &Value, limiter: &Limiter, cost: NonZeroU32) {
    let (decision, _) = limiter.decide_here(&[charge_of(limit, value, cost)]);
    let outcome = decision.standings.first().map_or(Outcome::Admitted, Outcome::of);
    rule.count(limiter.now(), value, outcome);
}

/// A limit on requests in flight that counts the request, and whom it counts.
struct Concurrent<'r> {
    rule: &'r CompiledRule,
    name: &'r str,
    at_most: NonZeroU32,
    value: Value,
}

/// Takes a place in every concurrency limit, or in none. One that only reports always has a place.
fn enter(
    exchange: &mut Exchange,
    concurrent: &[Concurrent<'_>],
    limiter: &Limiter,
) -> Result<(Place, Vec<Outcome>), Stop> {
    let outcomes = concurrent.iter().map(|one| {
        let in_flight = limiter.concurrency().in_flight(one.name, one.value.as_bytes());
        match one.at_most.get().checked_sub(in_flight) {
            None | Some(0) => Outcome::Refused,
            Some(free) => Outcome::admitted(u64::from(free - 1), one.at_most.get().into()),
        }
    });
    let outcomes: Vec<_> = outcomes.collect();
    let asked: SmallVec<[InFlight<'_>; 2]> = concurrent
        .iter()
        .map(|one| InFlight {
            name: one.name,
            value: one.value.as_bytes(),
            at_most: if one.rule.is_shadow() { NonZeroU32::MAX } else { one.at_most },
        })
        .collect();
    limiter.concurrency().try_enter(&asked).map(|place| (place, outcomes)).map_err(|Full(index)| {
        let violated: Vec<_> = concurrent.get(index).map(|one| (one.rule, &one.value)).into_iter().collect();
        refuse(exchange, limiter, &violated, Duration::from_secs(1))
    })
}

/// Charges every rate, or none.
async fn charge(
    exchange: &mut Exchange,
    limiter: &Limiter,
    rates: &Rates<'_>,
    cost: NonZeroU32,
    reference: fn(usize) -> RuleReference,
) -> Result<Counted, Stop> {
    let charges: SmallVec<[Charge<'_>; 3]> =
        rates.iter().map(|(_, _, limit, value)| charge_of(limit, value, cost)).collect();
    let (decision, counted) = limiter.decide(&charges).await.map_err(|error| {
        Refusal::new(Code::LimitsUnavailable, error.to_string())
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    })?;
    for ((index, ..), standing) in rates.iter().zip(&decision.standings) {
        exchange.limited.standings.push((reference(*index), *standing));
    }
    if decision.is_admitted() {
        let now = limiter.now();
        for (place, (_, rule, _, value)) in rates.iter().enumerate() {
            // Where nobody could count it, there is no standing.
            let outcome = decision.standings.get(place).map_or(Outcome::Admitted, Outcome::of);
            rule.count(now, value, outcome);
        }
        return Ok(counted);
    }
    let standings = rates.iter().zip(&decision.standings);
    let violated: Vec<_> = standings
        .filter(|(_, standing)| standing.retry_after.is_some())
        .map(|((_, rule, _, value), _)| (*rule, value))
        .collect();
    Err(refuse(exchange, limiter, &violated, longest_wait(&decision)))
}

fn longest_wait(decision: &Decision) -> Duration {
    decision.standings.iter().filter_map(|standing| standing.retry_after).max().unwrap_or_default()
}

fn charge_of<'c>(limit: &'c Limit, value: &'c Value, cost: NonZeroU32) -> Charge<'c> {
    Charge { limit, value: value.as_bytes(), cost, factors: Factors::default() }
}

/// The fine stage has refused: what the coarse one counted is as if it had not been.
async fn give_back_coarse(exchange: &mut Exchange, limiter: &Limiter, route: &CompiledRoute) {
    let Some(counted) = exchange.limited.coarse.take() else { return };
    let cost = cost(exchange);
    let mut rates = Rates::new();
    for (reference, _) in &exchange.limited.standings {
        let RuleReference::Coarse(index) = *reference else { continue };
        let rule = route.limits.coarse.get(index);
        if let Some((rule, Kind::Rate(limit))) = rule.map(|rule| (rule, &rule.kind))
            && let Some(value) = rule.value(exchange, limiter)
        {
            rates.push((index, rule, limit, value));
        }
    }
    let charges: SmallVec<[Charge<'_>; 3]> =
        rates.iter().map(|(_, _, limit, value)| charge_of(limit, value, cost)).collect();
    limiter.give_back(counted, &charges).await;
    for (reference, standing) in &mut exchange.limited.standings {
        if matches!(reference, RuleReference::Coarse(_)) {
            standing.remaining = standing.quota.min(standing.remaining + u64::from(cost.get()));
        }
    }
}

/// Counts and tells who was in the way.
fn refuse(
    exchange: &mut Exchange,
    limiter: &Limiter,
    violated: &[(&CompiledRule, &Value)],
    wait: Duration,
) -> Stop {
    let now = limiter.now();
    for (rule, value) in violated {
        rule.count(now, value, Outcome::Refused);
    }
    exchange.limited.line = violated.iter().find_map(|(rule, _)| rule.line());
    let names: Vec<Arc<str>> = violated.iter().map(|(rule, _)| Arc::clone(&rule.name)).collect();
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
    let mut refusal = Refusal::new(Code::RateLimitExceeded, format!("over {}", names.join(", ")))
        .with_header(header::RETRY_AFTER, seconds.into());
    refusal.violated_policies = names;
    refusal.into()
}

impl CompiledRule {
    /// Where it stands in the file; built-in rules stand nowhere.
    fn line(&self) -> Option<Line> {
        self.rule().map(|rule| rule.line).filter(|line| *line != Line::NONE)
    }
}
