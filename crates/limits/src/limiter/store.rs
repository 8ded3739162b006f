//! The store that gateways share, in the mode that the configuration names.

use std::time::{Duration, Instant};

use bartizan_config::SharedMode;

use crate::{Charge, Decision, LeasedStore, Limit, LimitsError, RedisStore};

#[derive(Debug)]
pub(super) enum Store {
    Exact(RedisStore),
    Leased(LeasedStore),
}

impl Store {
    pub(super) fn new(redis: RedisStore, mode: SharedMode) -> Self {
        match mode {
            SharedMode::Exact => Self::Exact(redis),
            SharedMode::Leased => Self::Leased(LeasedStore::new(redis)),
        }
    }

    pub(super) fn redis(&self) -> &RedisStore {
        match self {
            Self::Exact(store) => store,
            Self::Leased(store) => store.store(),
        }
    }

    /// For a request that has `waited` so long for an earlier decision. Also says whether Redis was asked.
    pub(super) async fn decide(
        &self,
        waited: Duration,
        charges: &[Charge<'_>],
    ) -> Result<(Decision, bool), LimitsError> {
        match self {
            // Boxed: what a question holds would make the future of each request as large, and that is moved about.
            Self::Exact(store) => {
                Box::pin(store.decide_after(waited, charges)).await.map(|decision| (decision, true))
            }
            Self::Leased(store) => store.decide_after(waited, charges).await,
        }
    }

    /// Undoes what was charged when it was asked for and answered then, in the background.
    pub(super) fn refund(&self, asked: Instant, answered: Instant, charges: &[Charge<'_>]) {
        match self {
            Self::Exact(store) => store.refund(answered, charges),
            Self::Leased(store) => store.refund(asked, answered, charges),
        }
    }

    pub(super) async fn reset(&self, limit: &Limit, value: &[u8]) -> Result<bool, LimitsError> {
        match self {
            Self::Exact(store) => store.reset(limit, value).await,
            Self::Leased(store) => store.reset(limit, value).await,
        }
    }

    /// Forgets what is not needed any more.
    pub(super) fn sweep(&self) {
        if let Self::Leased(store) = self {
            store.sweep();
        }
    }
}
