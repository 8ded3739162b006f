//! Limits on requests in flight. A request takes a place in every one that counts it and enforces, or in none. Those
//! that only report never stand in its way.

use std::{num::NonZeroU32, time::Duration};

use bartizan_limits::{Concurrency, Factors, Full, InFlight, Limiter, Outcome, Place, Standing};
use smallvec::SmallVec;

use super::{Violated, refuse};
use crate::{
    Exchange, LimitEffect, Stop,
    limits::{CompiledRule, RuleReference, RuleStanding, Value, Whom},
};

/// When a place is free again nobody knows: as soon as a request ends.
const WAIT: Duration = Duration::from_secs(1);

/// One for all limits that enforce, and one for each that only reports.
pub(super) type Places = SmallVec<[Place; 2]>;

/// A limit on requests in flight that counts the request, and whom it counts.
#[derive(Clone)]
pub(super) struct Concurrent<'r> {
    reference: RuleReference,
    pub(super) rule: &'r CompiledRule,
    name: &'r str,
    /// After the factor on the quota; the others have no meaning here.
    at_most: NonZeroU32,
    pub(super) value: Value,
    factors: Factors,
    /// Requests in flight before this one.
    in_flight: u32,
}

impl<'r> Concurrent<'r> {
    pub(super) fn new(
        reference: RuleReference,
        rule: &'r CompiledRule,
        name: &'r str,
        at_most: NonZeroU32,
        value: Value,
        factors: Factors,
        limiter: &Limiter,
    ) -> Self {
        let in_flight = limiter.concurrency().in_flight(name, value.as_bytes());
        let at_most = u32::try_from(factors.of_quota(at_most)).ok().and_then(NonZeroU32::new);
        Self { reference, rule, name, at_most: at_most.unwrap_or(NonZeroU32::MAX), value, factors, in_flight }
    }
}

/// Takes the places that a request needs, and refuses it where one of them is not free.
pub(super) fn enter(
    exchange: &mut Exchange,
    limiter: &Limiter,
    concurrent: &mut [Concurrent<'_>],
) -> Result<Places, Stop> {
    places(limiter.concurrency(), concurrent).map_err(|full| {
        for (index, one) in concurrent.iter().enumerate() {
            let effect = if index == full { LimitEffect::Refused } else { one.effect(false) };
            exchange.limited.standings.push(one.clone().stood(effect));
        }
        let full = concurrent.get(full);
        let violated = full.map(|one| Violated { rule: one.rule, value: &one.value, factors: one.factors });
        let violated: Vec<_> = violated.into_iter().collect();
        refuse(exchange, limiter, &violated, WAIT)
    })
}

/// A place in every limit that enforces, or in none: then the index of the one that is full. And in each that only
/// reports, unless more values are in flight than can be told apart, which is no reason to refuse in its name.
pub(super) fn places(concurrency: &Concurrency, concurrent: &mut [Concurrent<'_>]) -> Result<Places, usize> {
    let (mut shadow, mut enforced): (SmallVec<[_; 2]>, SmallVec<[_; 2]>) =
        concurrent.iter_mut().enumerate().partition(|(_, one)| one.rule.is_shadow());
    let mut places = Places::new();
    if !enforced.is_empty() {
        let place = {
            let asked: SmallVec<[_; 2]> = enforced.iter().map(|(_, one)| one.asking(one.at_most)).collect();
            concurrency.try_enter(&asked)
        };
        let place = place.map_err(|Full(full)| enforced.get(full).map_or(full, |(index, _)| *index))?;
        // Others have come and gone since they were counted.
        for ((_, one), before) in enforced.iter_mut().zip(place.before()) {
            one.in_flight = *before;
        }
        places.push(place);
    }
    for (_, one) in &mut shadow {
        let Ok(place) = concurrency.try_enter(&[one.asking(NonZeroU32::MAX)]) else { continue };
        one.in_flight = place.before().first().copied().unwrap_or(one.in_flight);
        places.push(place);
    }
    Ok(places)
}

impl Concurrent<'_> {
    fn asking(&self, at_most: NonZeroU32) -> InFlight<'_> {
        InFlight { name: self.name, value: self.value.as_bytes(), at_most }
    }

    /// What its statistics say of the request.
    pub(super) fn outcome(&self) -> Outcome {
        match self.at_most.get().checked_sub(self.in_flight) {
            None | Some(0) => Outcome::Refused,
            Some(free) => Outcome::admitted(u64::from(free - 1), self.at_most.get().into()),
        }
    }

    /// What it did, if it refused nothing.
    pub(super) fn effect(&self, is_counted: bool) -> LimitEffect {
        match self.outcome() {
            Outcome::Refused if self.rule.is_shadow() => LimitEffect::WouldRefuse,
            _ if is_counted => LimitEffect::Counted,
            _ => LimitEffect::NotCounted,
        }
    }

    pub(super) fn stood(self, effect: LimitEffect) -> RuleStanding {
        let own = u32::from(effect == LimitEffect::Counted);
        let in_flight = if effect == LimitEffect::Refused { u32::MAX } else { self.in_flight };
        let remaining = self.at_most.get().saturating_sub(in_flight.saturating_add(own));
        let is_refused = matches!(effect, LimitEffect::Refused | LimitEffect::WouldRefuse);
        let standing = Standing {
            quota: self.at_most.get().into(),
            window: Duration::ZERO,
            remaining: remaining.into(),
            reset: Duration::ZERO,
            retry_after: is_refused.then_some(WAIT),
        };
        let Self { reference: rule, value, factors, .. } = self;
        RuleStanding { rule, whom: Whom::Value(value), quota: None, factors, units: 1, effect, standing }
    }
}
