//! Who is not counted for a while, and what was begun afresh, at this gateway or at all that share a store: those have it
//! from the store, which each asks twice a second.

use std::{sync::Arc, time::Duration};

use bartizan_model::Name;

use super::{Limiter, SharedStore};
use crate::{
    Allowance, Allowances, AllowancesFull, Clock, LimitsError, Nanos, Whom,
    afresh::Afresh,
    allowances::{StoreNumber, add, take},
    redis::SharedAllowances,
};

/// How often the store is asked who is not counted.
const ASKED_EVERY: Duration = Duration::from_millis(500);

/// Somebody could not be let off, or only by this gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] AllowancesFull),
    /// The shared store does not answer.
    #[error("by this gateway alone, the shared store does not answer: {0}")]
    HereAlone(#[from] LimitsError),
}

impl Limiter {
    /// Does not count somebody for a while, at any gateway that shares the store. While that does not answer, only this
    /// one lets them off, and says so as an error.
    pub async fn allow(&self, new: Allowance) -> Result<(), AllowError> {
        let now = self.now();
        let Some(shared) = &self.shared else { return Ok(self.allowances.set(now, new)?) };
        let ahead = new.until.get().saturating_sub(now.get());
        let change = |there: &mut SharedAllowances| {
            let until = Nanos::new(there.now.get().saturating_add(ahead));
            add(&mut there.entries, there.now, Allowance { until, ..new.clone() })
        };
        match shared.change(self, change).await {
            Ok(outcome) => {
                // What this gateway noted while the store did not answer must not outlast what the store says.
                self.allowances.remove(now, new.policy.as_ref(), &new.whom);
                Ok(outcome?)
            }
            Err(error) => {
                self.allowances.set(now, new)?;
                Err(error.into())
            }
        }
    }

    /// Counts somebody again before the time, at all gateways: the entry of this policy in the first of these forms that
    /// has one; without a policy, every entry in any of them. Returns one of what was removed. An error means that the
    /// shared store does not answer: then only what was this gateway's own has ended.
    pub async fn count_again(
        &self,
        policy: Option<&Name>,
        forms: &[Whom],
    ) -> Result<Option<Allowance>, LimitsError> {
        let now = self.now();
        let own = first_or_all(policy, forms, |whom| self.allowances.remove(now, policy, whom));
        let Some(shared) = &self.shared else { return Ok(own) };
        let change = |there: &mut SharedAllowances| {
            let SharedAllowances { now, entries, .. } = there;
            first_or_all(policy, forms, |whom| take(entries, *now, policy, whom))
        };
        Ok(shared.change(self, change).await?.or(own))
    }
}

fn first_or_all(
    policy: Option<&Name>,
    forms: &[Whom],
    remove: impl FnMut(&Whom) -> Option<Allowance>,
) -> Option<Allowance> {
    let mut removed = forms.iter().filter_map(remove);
    // Without a policy all of them are to go, so every one is asked for.
    if policy.is_some() { removed.next() } else { removed.reduce(|_, last| last) }
}

impl SharedStore {
    async fn change<T>(
        &self,
        limiter: &Limiter,
        change: impl Fn(&mut SharedAllowances) -> T,
    ) -> Result<T, LimitsError> {
        let _turn = self.allowing.lock().await;
        let (changed, there) = self.store.redis().change_allowances(change).await?;
        if let Some(number) = self.number.get() {
            limiter.allowances.share(*number, here(there, limiter.now()));
        }
        Ok(changed)
    }

    /// Begins to ask who is not counted, unless it has begun before.
    pub(super) fn take_over(self: &Arc<Self>, limiter: &Limiter) {
        let mut is_new = false;
        let number = *self.number.get_or_init(|| {
            is_new = true;
            limiter.allowances.go_by_another_store()
        });
        if is_new {
            // Not the whole limiter: it holds the store.
            let (allowances, afresh) = (Arc::clone(&limiter.allowances), Arc::clone(&limiter.afresh));
            self.keep_asking(number, allowances, afresh, limiter.clock.clone());
        }
    }

    /// Forgets what everybody has used of these limits.
    pub(super) async fn begin_afresh(
        &self,
        limiter: &Limiter,
        limits: &[Arc<str>],
    ) -> Result<(), LimitsError> {
        let _turn = self.allowing.lock().await;
        let turns = self.store.redis().begin_afresh(limits).await?;
        if self.number.get().is_some() {
            limiter.afresh.share(turns);
        }
        Ok(())
    }

    /// Goes on asking who is not counted and what was begun afresh, until nobody uses the store any more, or another one is
    /// asked.
    fn keep_asking(
        self: &Arc<Self>,
        number: StoreNumber,
        allowances: Arc<Allowances>,
        afresh: Arc<Afresh>,
        clock: Clock,
    ) {
        let store = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(shared) = store.upgrade() {
                let turn = shared.allowing.lock().await;
                match shared.store.redis().allowances().await {
                    Ok(there) => {
                        if !allowances.share(number, here(there, clock.now())) {
                            return;
                        }
                    }
                    // Whoever was let off stays so until the time has come.
                    Err(error) => tracing::debug!(%error, "the shared store does not say who is not counted"),
                }
                match shared.store.redis().turns().await {
                    Ok(turns) => afresh.share(turns),
                    Err(error) => {
                        tracing::debug!(%error, "the shared store does not say what was begun afresh");
                    }
                }
                drop(turn);
                drop(shared);
                tokio::time::sleep(ASKED_EVERY).await;
            }
        });
    }
}

/// By the clock of this gateway.
fn here(there: SharedAllowances, now: Nanos) -> Vec<Allowance> {
    let asked = there.now.get();
    let moved = there.entries.into_iter().map(|entry| {
        let ahead = entry.until.get().saturating_sub(asked);
        Allowance { until: Nanos::new(now.get().saturating_add(ahead)), ..entry }
    });
    moved.collect()
}
