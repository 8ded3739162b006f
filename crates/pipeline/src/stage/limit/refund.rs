//! What the coarse stage counted, while the fine one has not admitted the request. Who is refused there, or whose client
//! goes away meanwhile, was not counted at all; who is admitted or stopped elsewhere was.

use bartizan_limits::{Charge, Counted, Limiter};
use smallvec::SmallVec;

use super::cost;
use crate::{
    CompiledRoute, Exchange, LimitEffect,
    limits::{RuleReference, RuleStanding},
};

/// Gives back what the coarse stage counted when it is dropped. It holds the exchange rather than the charges, so that
/// whoever is admitted pays nothing for it.
pub(super) struct Refund<'e> {
    pub(super) exchange: &'e mut Exchange,
    pub(super) limiter: &'e Limiter,
    pub(super) route: &'e CompiledRoute,
}

impl Refund<'_> {
    /// The request is admitted.
    pub(super) fn cancel(self) {
        self.exchange.limited.coarse = None;
        self.exchange.limited.reported = None;
    }
}

impl Drop for Refund<'_> {
    fn drop(&mut self) {
        let enforced = self.exchange.limited.coarse.take();
        let reported = self.exchange.limited.reported.take();
        for (counted, is_shadow) in [(enforced, false), (reported, true)] {
            if let Some(counted) = counted {
                self.give_back(counted, is_shadow);
            }
        }
    }
}

impl Refund<'_> {
    fn give_back(&mut self, counted: Counted, is_shadow: bool) {
        let cost = cost(self.exchange);
        let rate_of = |reference| match reference {
            RuleReference::Coarse(index) => match self.route.limits.coarse.get(index) {
                Some(rule) if rule.is_shadow() == is_shadow => rule.limit(),
                _ => None,
            },
            RuleReference::Fine(_) | RuleReference::OwnRate => None,
        };
        let elapsed = self.limiter.elapsed_since(counted);
        let is_owed =
            |standing: &RuleStanding| standing.effect == LimitEffect::Counted && standing.is_owed(elapsed);
        let standings = &mut self.exchange.limited.standings;
        {
            let owed = standings.iter().filter(|standing| is_owed(standing));
            let taken = owed.filter_map(|standing| standing.charge(rate_of(standing.rule)?, cost));
            let charges: SmallVec<[Charge<'_>; 3]> = taken.collect();
            self.limiter.refund(counted, &charges);
        }
        for standing in standings.iter_mut().filter(|standing| is_owed(standing)) {
            if let Some(limit) = rate_of(standing.rule) {
                standing.give_back(limit.quota.algorithm());
            }
        }
    }
}
