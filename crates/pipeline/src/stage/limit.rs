//! Decides how much: before it is known who asks by address, route and header, afterwards by user, organisation and
//! key. Memory decides in about a microsecond; a shared store costs one round trip, which never takes longer than its
//! timeout. All rules of a stage are decided together: when one refuses, nothing is counted, and what the coarse stage
//! had counted is given back when the fine one refuses.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bartizan_config::Amount;
use bartizan_limits::{Charge, Counted, Decision, Factors, Full, InFlight, Limit, Limiter, Outcome, Place};
use bartizan_model::Line;
use http::{HeaderValue, header};
use smallvec::SmallVec;

use super::Passed;
use crate::{
    Code, CompiledRoute, Exchange, Refusal, Stop,
    limits::{CompiledRule, Kind, RuleReference, Value},
};

/// The rules that count a request, each with whom it counts.
type Applying<'r> = SmallVec<[(usize, &'r CompiledRule, Value); 4]>;

/// Limits that need not know who asks.
pub(crate) async fn coarse(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let Some(route) = exchange.route.clone() else { return Ok(Passed::because("no limits", Line::NONE)) };
    let counted = decide(exchange, limiter, &route.limits.coarse, RuleReference::Coarse).await?;
    exchange.limited.coarse = counted;
    Ok(passed(&route, counted.is_some()))
}

/// Limits on who asks.
pub(crate) async fn fine(exchange: &mut Exchange, limiter: &Limiter) -> Result<Passed, Stop> {
    let Some(route) = exchange.route.clone() else { return Ok(Passed::because("no limits", Line::NONE)) };
    match decide(exchange, limiter, &route.limits.fine, RuleReference::Fine).await {
        Ok(counted) => Ok(passed(&route, counted.is_some())),
        Err(stop) => {
            give_back_coarse(exchange, limiter, &route).await;
            Err(stop)
        }
    }
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
    if rules.is_empty() {
        return Ok(None);
    }
    let cost = cost(exchange);
    let applying: Applying<'_> = rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| Some((index, rule, rule.value(exchange, limiter)?)))
        .collect();
    let (shadows, enforced): (Applying<'_>, Applying<'_>) =
        applying.into_iter().partition(|(_, rule, _)| rule.is_shadow());
    report(&shadows, limiter, cost);
    let places = enter(exchange, &enforced, limiter)?;
    let rates: Applying<'_> = enforced.into_iter().filter(|(_, rule, _)| rule.limit().is_some()).collect();
    let counted =
        if rates.is_empty() { None } else { Some(charge(exchange, limiter, &rates, cost, reference).await?) };
    let applied = counted.is_some() || places.is_some();
    exchange.limited.places.extend(places);
    Ok(counted.or(applied.then_some(Counted::Nowhere)))
}

/// What the request costs.
fn cost(exchange: &Exchange) -> NonZeroU32 {
    let route = exchange.route.as_ref();
    route.map_or(NonZeroU32::MIN, |route| {
        route.config.costs.of(&exchange.head.method, exchange.path.matched(exchange.head.uri.path()))
    })
}

/// Counts rules that only report, by what this gateway alone has seen.
fn report(shadows: &Applying<'_>, limiter: &Limiter, cost: NonZeroU32) {
    for (_, rule, value) in shadows {
        let outcome = match &rule.kind {
            Kind::Rate(limit) => {
                let (decision, _) = limiter.decide_here(&[charge_of(limit, value, cost)]);
                decision.standings.first().map_or(Outcome::Admitted, Outcome::of)
            }
            Kind::Concurrent { name, at_most } => {
                match at_most.get().checked_sub(limiter.concurrency().in_flight(name, value.as_bytes())) {
                    None | Some(0) => Outcome::Refused,
                    Some(free) => Outcome::admitted(u64::from(free - 1), at_most.get().into()),
                }
            }
        };
        rule.count(limiter.now(), value, outcome);
    }
}

/// Takes a place in every concurrency limit, or in none.
fn enter(exchange: &mut Exchange, enforced: &Applying<'_>, limiter: &Limiter) -> Result<Option<Place>, Stop> {
    let places: SmallVec<[(&CompiledRule, &Value, InFlight<'_>); 2]> = enforced
        .iter()
        .filter_map(|(_, rule, value)| match &rule.kind {
            Kind::Concurrent { name, at_most } => {
                Some((*rule, value, InFlight { name, value: value.as_bytes(), at_most: *at_most }))
            }
            Kind::Rate(_) => None,
        })
        .collect();
    if places.is_empty() {
        return Ok(None);
    }
    let asked: SmallVec<[InFlight<'_>; 2]> = places.iter().map(|(_, _, asked)| *asked).collect();
    match limiter.concurrency().try_enter(&asked) {
        Ok(place) => {
            for (rule, value, asked) in &places {
                let (at_most, now) = (asked.at_most.get(), limiter.now());
                let free = at_most.saturating_sub(limiter.concurrency().in_flight(asked.name, asked.value));
                rule.count(now, value, Outcome::admitted(free.into(), at_most.into()));
            }
            Ok(Some(place))
        }
        Err(Full(index)) => {
            let violated: Vec<_> =
                places.get(index).map(|(rule, value, _)| (*rule, *value)).into_iter().collect();
            Err(refuse(exchange, limiter, &violated, Duration::from_secs(1)))
        }
    }
}

/// Charges every rate, or none.
async fn charge(
    exchange: &mut Exchange,
    limiter: &Limiter,
    rates: &Applying<'_>,
    cost: NonZeroU32,
    reference: fn(usize) -> RuleReference,
) -> Result<Counted, Stop> {
    let charges: SmallVec<[Charge<'_>; 4]> =
        rates.iter().filter_map(|(_, rule, value)| Some(charge_of(rule.limit()?, value, cost))).collect();
    let (decision, counted) = limiter.decide(&charges).await.map_err(|error| {
        Refusal::new(Code::LimitsUnavailable, error.to_string())
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    })?;
    for ((index, _, _), standing) in rates.iter().zip(&decision.standings) {
        exchange.limited.standings.push((reference(*index), *standing));
    }
    let refused =
        |index: usize| decision.standings.get(index).is_some_and(|standing| standing.retry_after.is_some());
    let is_admitted = decision.is_admitted();
    if is_admitted {
        let now = limiter.now();
        for (place, (_, rule, value)) in rates.iter().enumerate() {
            // Where nobody could count it, there is no standing.
            let outcome = decision.standings.get(place).map_or(Outcome::Admitted, Outcome::of);
            rule.count(now, value, outcome);
        }
        return Ok(counted);
    }
    let rules = rates.iter().enumerate();
    let violated: Vec<_> =
        rules.filter(|(place, _)| refused(*place)).map(|(_, (_, rule, value))| (*rule, value)).collect();
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
    let applied: Applying<'_> = exchange
        .limited
        .standings
        .iter()
        .filter_map(|(reference, _)| match reference {
            RuleReference::Coarse(index) => Some((*index, route.limits.coarse.get(*index)?)),
            RuleReference::Fine(_) => None,
        })
        .filter_map(|(index, rule)| Some((index, rule, rule.value(exchange, limiter)?)))
        .collect();
    let charges: SmallVec<[Charge<'_>; 4]> =
        applied.iter().filter_map(|(_, rule, value)| Some(charge_of(rule.limit()?, value, cost))).collect();
    limiter.give_back(counted, &charges).await;
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

    fn limit(&self) -> Option<&Limit> {
        match (&self.kind, self.rule()?.amount) {
            (Kind::Rate(limit), Amount::Rate(_)) => Some(limit),
            _ => None,
        }
    }
}
