//! Rates: so many units in so long a time. All that count a request are charged together, or none.

use std::{
    num::NonZeroU32,
    time::{Duration, Instant},
};

use bartizan_limits::{Charge, Counted, Decision, Factors, Limit, Limiter, Outcome, Standing};
use futures_util::future::join_all;
use http::{HeaderValue, header};
use smallvec::SmallVec;

use super::{Violated, refuse};
use crate::{
    Code, Exchange, LimitEffect, Refusal, Stop,
    limits::{CompiledRule, RuleReference, RuleStanding, Value, Whom},
};

/// A rate that counts the request, and whom it counts.
pub(super) struct Rate<'r> {
    pub(super) reference: RuleReference,
    pub(super) rule: &'r CompiledRule,
    pub(super) limit: &'r Limit,
    pub(super) value: Value,
    pub(super) cost: NonZeroU32,
    pub(super) factors: Factors,
}

/// Counts rates that only report, each for itself and all at the same time.
pub(super) async fn report(exchange: &mut Exchange, limiter: &Limiter, rates: SmallVec<[Rate<'_>; 2]>) {
    if rates.is_empty() {
        return;
    }
    let (waited, asked) = (exchange.limited.waited, limiter.is_shared().then(Instant::now));
    let reports =
        rates.iter().map(|rate| async move { limiter.report_after(waited, &[rate.charge()]).await });
    let decided = join_all(reports).await;
    let counted = decided.iter().map(|(_, counted)| *counted).reduce(together).unwrap_or(Counted::Nowhere);
    if let Some(asked) = asked {
        exchange.limited.waited += waited_in_vain(Some(counted), asked.elapsed());
    }
    exchange.limited.reported = Some(counted);
    for (rate, (decision, _)) in rates.into_iter().zip(decided) {
        let Some(standing) = decision.standings.first() else { continue };
        let outcome = Outcome::of(standing);
        rate.rule.count(limiter.now(), &rate.value, outcome);
        let effect =
            if outcome == Outcome::Refused { LimitEffect::WouldRefuse } else { LimitEffect::Counted };
        exchange.limited.standings.push(rate.stood(*standing, effect));
    }
}

/// Where both were counted; nowhere, as far as giving back goes, when the store answered to the one alone.
fn together(one: Counted, other: Counted) -> Counted {
    match (one, other) {
        (Counted::Here(_), Counted::Here(_)) | (Counted::There { .. }, Counted::There { .. }) => other,
        _ => Counted::Nowhere,
    }
}

/// A store that has answered is given all of its time again by the next stage: else one that is far away would never answer
/// that. One that has not answered is waited for once.
pub(super) fn waited_in_vain(counted: Option<Counted>, waited: Duration) -> Duration {
    match counted {
        Some(Counted::There { .. }) => Duration::ZERO,
        Some(Counted::Here(_) | Counted::Nowhere) | None => waited,
    }
}

/// Charges every rate, or none. `None` when there is none.
pub(super) async fn charge(
    exchange: &mut Exchange,
    limiter: &Limiter,
    rates: SmallVec<[Rate<'_>; 3]>,
) -> Result<Option<Counted>, Stop> {
    if rates.is_empty() {
        return Ok(None);
    }
    let decided = {
        let charges: SmallVec<[Charge<'_>; 3]> = rates.iter().map(Rate::charge).collect();
        let asked = limiter.is_shared().then(Instant::now);
        let decided = limiter.decide_after(exchange.limited.waited, &charges).await;
        if let Some(asked) = asked {
            let counted = decided.as_ref().ok().map(|(_, counted)| *counted);
            exchange.limited.waited += waited_in_vain(counted, asked.elapsed());
        }
        decided
    };
    let (decision, counted) = decided.map_err(|error| {
        Refusal::new(Code::LimitsUnavailable, error.to_string())
            .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    })?;
    let is_admitted = decision.is_admitted();
    let now = counted.at().unwrap_or_else(|| limiter.now());
    exchange.limited.at = Some(now);
    let outcome = if is_admitted {
        for (place, rate) in rates.iter().enumerate() {
            // Where nobody could count it, there is no standing.
            let outcome = decision.standings.get(place).map_or(Outcome::Admitted, Outcome::of);
            rate.rule.count(now, &rate.value, outcome);
        }
        Ok(Some(counted))
    } else {
        Err(refused(exchange, limiter, &rates, &decision))
    };
    let stood = rates.into_iter().zip(decision.standings).map(|(rate, standing)| {
        let effect = match standing.retry_after {
            Some(_) => LimitEffect::Refused,
            None if is_admitted => LimitEffect::Counted,
            None => LimitEffect::NotCounted,
        };
        rate.stood(standing, effect)
    });
    exchange.limited.standings.extend(stood);
    outcome
}

/// Names all rates that refused, and the longest wait of them.
fn refused(exchange: &mut Exchange, limiter: &Limiter, rates: &[Rate<'_>], decision: &Decision) -> Stop {
    let refused = rates.iter().zip(&decision.standings);
    let refused = refused.filter_map(|(rate, standing)| Some((rate, standing.retry_after?)));
    let (mut violated, mut wait) = (Vec::new(), Duration::ZERO);
    for (rate, longer) in refused {
        violated.push(Violated { rule: rate.rule, value: &rate.value, factors: rate.factors });
        wait = wait.max(longer);
    }
    refuse(exchange, limiter, &violated, wait)
}

impl Rate<'_> {
    fn charge(&self) -> Charge<'_> {
        Charge { limit: self.limit, value: self.value.as_bytes(), cost: self.cost, factors: self.factors }
    }

    fn stood(self, standing: Standing, effect: LimitEffect) -> RuleStanding {
        let units = self.charge().units();
        let Self { reference: rule, limit, value, factors, .. } = self;
        let (whom, quota) = (Whom::Value(value), Some(limit.quota));
        RuleStanding { rule, whom, quota, factors, units, effect, standing }
    }
}
