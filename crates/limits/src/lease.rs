//! Limits in Redis, decided from memory as long as there are units in store: a gateway charges some units of a busy
//! value for later (a lease), hands them out by itself, and gives back what it did not need. What is counted, and by
//! which clock, is as in [`RedisStore`]; here is only what lies between.
//!
//! # When
//!
//! - A charge whose lease has enough units left is decided in memory. All others of the request are asked in one
//!   exact round trip; when that refuses or fails, the leases get back what they gave.
//! - Only what is busy is leased: a value that was asked for at least four times in one term. A term is a
//!   twentieth of the window, at most one second. The lease is as large as what was asked in a term, at most a tenth
//!   of what is left and, with all others of this gateway for this value, a tenth of the quota. So near the limit
//!   there are none, and decisions are exact.
//! - A lease is asked for in the background, the next one when a third is left or it soon ends, so who is
//!   busy does not wait for one.
//! - Not leased are windows below one second, quotas below 20 and costs above a twentieth of one, and requests with
//!   factors on the quota or the window: these are always exact.
//! - Refusals are always Redis' own.
//!
//! # How exact
//!
//! - **Overshoot**: units are charged in Redis before they are handed out. *Windows* (fixed and sliding) never admit
//!   more than the exact mode would: a lease ends with the window in which it was charged. A *token bucket* refills
//!   while units are out: over any time it admits at most what the exact mode would, plus the units that were on lease
//!   when that time began, at most a tenth of the burst for each gateway. These do not add up over time. One exception
//!   for all: a gateway that was suspended (its clock stood still) may hand out one more lease of each value.
//! - **Undershoot**: what one gateway has on lease is missing to the others for at most one term, and some 25 ms until
//!   it is given back: at most a tenth of the quota for each gateway.
//! - What a gateway has on lease when it is killed, or when Redis does not answer as it is leased or given back, is
//!   missing until it lapses as though it had been used: at most a tenth of the quota each time.
//! - Units left, as a decision from memory tells them, are those left when the lease was taken and what is left of it;
//!   what other gateways took since is not seen. Units on lease do not show in [`RedisStore::standing`].
//! - Without Redis, leases serve until they end. Then an error, as in the exact mode.

mod entry;
mod keeper;
mod table;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;
use tokio::sync::{Notify, oneshot};

use self::{
    entry::Ask,
    table::{Held, Table, Wanted},
};
use crate::{
    Charge, Clock, Decision, Limit, LimitsError, RedisStore,
    charge::{Effective, nanoseconds},
    redis::Question,
};

/// Values that are watched or on lease at once, at about 100 bytes each, and 300 more on lease. What is beyond them is
/// decided exactly.
const MAX_KEYS: usize = 1 << 18;

/// Limits in Redis that are leased. Dropping it gives back what is on lease.
#[derive(Debug)]
pub struct LeasedStore {
    shared: Arc<Shared>,
    /// Its end ends the keeper.
    _alive: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Shared {
    store: RedisStore,
    clock: Clock,
    table: Table,
    /// Told when something is leased.
    leased: Notify,
}

impl LeasedStore {
    /// Leases from this store. To be called inside a tokio runtime.
    pub fn new(store: RedisStore) -> Self {
        let (table, clock) = (Table::new(MAX_KEYS), Clock::monotonic());
        let shared = Arc::new(Shared { store, clock, table, leased: Notify::new() });
        let (alive, ended) = oneshot::channel();
        tokio::spawn(keeper::keep(Arc::clone(&shared), ended));
        Self { shared, _alive: alive }
    }

    /// The store that is leased from.
    pub fn store(&self) -> &RedisStore {
        &self.shared.store
    }

    /// Charges all or nothing, and says whether the store had to be asked. Without that it takes no time; else no
    /// longer than the store's timeout.
    pub async fn decide(&self, charges: &[Charge<'_>]) -> Result<(Decision, bool), LimitsError> {
        self.decide_after(Duration::ZERO, charges).await
    }

    /// As [`decide`](Self::decide), for a request that has `waited` so long for an earlier decision: both together take no
    /// longer than the timeout.
    pub async fn decide_after(
        &self,
        waited: Duration,
        charges: &[Charge<'_>],
    ) -> Result<(Decision, bool), LimitsError> {
        let asks: SmallVec<[Ask; 4]> = charges.iter().map(|charge| self.shared.table.ask(charge)).collect();
        let (held, renewals) = self.shared.table.spend(self.shared.clock.now().get(), &asks);
        for Wanted { index, units } in renewals {
            if let (Some(charge), Some(ask)) = (charges.get(index), asks.get(index)) {
                let question = Question::of(charge).with_units(units);
                tokio::spawn(keeper::renew(Arc::clone(&self.shared), *ask, question));
            }
        }
        if held.iter().all(Option::is_some) {
            return Ok((Decision { standings: held.into_iter().flatten().collect() }, false));
        }
        // Boxed, since it is rare and would make the future of each request as large.
        Ok((Box::pin(self.ask(waited, charges, held)).await?, true))
    }

    /// Asks for what was not held.
    async fn ask(
        &self,
        waited: Duration,
        charges: &[Charge<'_>],
        mut held: Held,
    ) -> Result<Decision, LimitsError> {
        let asked = Instant::now();
        let part = |is_held| {
            let part = charges.iter().zip(&held).filter(move |(_, held)| held.is_some() == is_held);
            part.map(|(charge, _)| *charge).collect::<SmallVec<[Charge<'_>; 4]>>()
        };
        let (charges, missing) = (part(true), part(false));
        let mut spent = Spent { store: self, asked, charges };
        let decision = self.shared.store.decide_after(waited, &missing).await?;
        if decision.is_admitted() {
            spent.charges.clear();
        } else {
            for (standing, charge) in held.iter_mut().flatten().zip(&spent.charges) {
                let cost = Effective::of(charge).cost;
                standing.remaining = (standing.remaining + cost).min(standing.quota);
            }
        }
        let mut answered = decision.standings.into_iter();
        Ok(Decision {
            standings: held.into_iter().filter_map(|held| held.or_else(|| answered.next())).collect(),
        })
    }

    /// Undoes charges that [`decide`](Self::decide) admitted when it was asked and answered then: to the lease, while
    /// the window it was taken in lasts, else to the store.
    pub async fn give_back(
        &self,
        asked: Instant,
        answered: Instant,
        charges: &[Charge<'_>],
    ) -> Result<(), LimitsError> {
        let rest = self.to_leases(asked, charges);
        if rest.is_empty() { Ok(()) } else { self.shared.store.give_back(answered.elapsed(), &rest).await }
    }

    /// As [`give_back`](Self::give_back); what goes to the store, in the background.
    pub fn refund(&self, asked: Instant, answered: Instant, charges: &[Charge<'_>]) {
        self.shared.store.refund(answered, &self.to_leases(asked, charges));
    }

    /// Forgets what `value` has used of the limit; `false` when there was nothing. What other gateways have on lease
    /// stays valid until it ends.
    pub async fn reset(&self, limit: &Limit, value: &[u8]) -> Result<bool, LimitsError> {
        let leased = self.shared.table.forget(limit, value);
        Ok(self.shared.store.reset(limit, value).await? || leased)
    }

    /// Forgets who is not busy any more; worth a call every minute.
    pub fn sweep(&self) {
        self.shared.table.sweep(self.shared.clock.now().get());
    }

    /// Gives back to leases what they may take, and says what they may not.
    fn to_leases<'c>(&self, counted: Instant, charges: &[Charge<'c>]) -> SmallVec<[Charge<'c>; 4]> {
        let now = self.shared.clock.now().get();
        let counted = now.saturating_sub(nanoseconds(counted.elapsed()));
        let table = &self.shared.table;
        charges.iter().filter(|charge| !table.put_back(now, counted, &table.ask(charge))).copied().collect()
    }
}

/// What leases have paid for a request that the store has not admitted yet: given back when it refuses or fails, and when
/// nobody waits for it any more.
struct Spent<'c> {
    store: &'c LeasedStore,
    asked: Instant,
    charges: SmallVec<[Charge<'c>; 4]>,
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        self.store.refund(self.asked, self.asked, &self.charges);
    }
}
