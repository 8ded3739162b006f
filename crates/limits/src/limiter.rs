//! One answer for every limit: from the store that several gateways share, or from this one's memory.

mod allowing;
mod store;
mod together;

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bartizan_config::{OnStoreError, Redis, Shared};
use metrics::{Counter, counter};

use crate::{
    Allowances, Charge, Clock, Concurrency, Decision, Limit, LimitsError, MemoryStore, Nanos, RedisSettings,
    RedisStore, RuleStatistics, Standing,
    afresh::{Afresh, on_current},
    allowances::StoreNumber,
    charge::nanoseconds,
    limiter::store::Store,
    statistics::Statistics,
};

pub use self::allowing::AllowError;

/// Values that are counted in memory at once: at most 900 MB of it, by [`MemoryStore`]'s bound.
const MAX_KEYS: usize = 10_000_000;
/// Values that may have requests in flight at once; more than a gateway has connections.
const MAX_IN_FLIGHT: usize = 1_000_000;

/// Decides limits for one gateway. What it has counted outlives a change of the configuration.
#[derive(Debug, Clone)]
pub struct Limiter {
    memory: Arc<MemoryStore>,
    concurrency: Concurrency,
    clock: Clock,
    statistics: Arc<Statistics>,
    overall: Arc<RuleStatistics>,
    allowances: Arc<Allowances>,
    afresh: Arc<Afresh>,
    shared: Option<Arc<SharedStore>>,
}

#[derive(Debug)]
struct SharedStore {
    settings: Shared,
    store: Store,
    since: Instant,
    /// Decisions that it did not make.
    failures: Counter,
    /// What else it did not answer.
    forgotten: Counter,
    trouble: Trouble,
    /// With what is remembered together besides limits: a store may allow the one and not the other.
    forgetting: Trouble,
    /// Held while it is asked who is not counted, so that an older answer never comes after a newer one.
    allowing: tokio::sync::Mutex<()>,
    /// Set once its configuration has come into force: before, what it says of who is not counted does not count.
    number: OnceLock<StoreNumber>,
}

/// Whether the store fails, so that only the change is news: one that fails now and then fails.
#[derive(Debug, Default)]
struct Trouble {
    fails: AtomicBool,
    /// When it failed last, by the limiter's clock.
    last: AtomicU64,
}

/// How long the first connection to a store is waited for.
const FIRST_CONNECTION: Duration = Duration::from_secs(1);
/// A store that has failed works again when it has not failed for so long.
const RECOVERED: Duration = Duration::from_secs(1);

/// Where the charges of a decision were counted, to give them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Nowhere.
    Nowhere,
    /// In this gateway's memory.
    Here(Nanos),
    /// In the shared store.
    There {
        /// When it was asked.
        asked: Instant,
        /// When it answered.
        answered: Instant,
    },
}

impl Counted {
    /// When, if it was here.
    pub fn at(self) -> Option<Nanos> {
        match self {
            Self::Here(when) => Some(when),
            Self::Nowhere | Self::There { .. } => None,
        }
    }
}

impl Limiter {
    /// A limiter for `shared:` of a configuration. It counts on where `previous` has counted so far, and keeps the
    /// connection to a store that has not changed. It takes nothing from `previous` until it takes over
    /// ([`take_over`](Self::take_over)). Needs a tokio runtime when there is a store.
    pub fn new(shared: Option<&Shared>, previous: Option<&Self>) -> Result<Self, LimitsError> {
        let kept = previous.and_then(|previous| previous.shared.as_ref());
        let shared = match (shared, kept) {
            (None, _) => None,
            (Some(settings), Some(kept)) if kept.settings == *settings => Some(Arc::clone(kept)),
            (Some(settings), _) => Some(Arc::new(SharedStore::connect(settings)?)),
        };
        Ok(match previous {
            Some(previous) => {
                previous.statistics.forget_unused();
                Self { shared, ..previous.clone() }
            }
            None => Self {
                memory: Arc::new(MemoryStore::new(MAX_KEYS)),
                concurrency: Concurrency::new(MAX_IN_FLIGHT),
                clock: Clock::monotonic(),
                statistics: Arc::default(),
                overall: Arc::default(),
                allowances: Arc::default(),
                afresh: Arc::default(),
                shared,
            },
        })
    }

    /// Its configuration comes into force. Who is not counted is what its store says from now on, and no other; where it
    /// has none, those that the one before has named last are from now on this gateway's own. Needs a tokio runtime when
    /// there is a store.
    pub fn take_over(&self) {
        match &self.shared {
            Some(shared) => shared.take_over(self),
            None => self.allowances.adopt(),
        }
    }

    /// Decides all charges together. An error means that the shared store did not answer and that requests are to be
    /// refused then; where they are to be counted here or to pass instead, that is what the answer says.
    pub async fn decide(&self, charges: &[Charge<'_>]) -> Result<(Decision, Counted), LimitsError> {
        self.decide_after(Duration::ZERO, charges).await
    }

    /// As [`decide`](Self::decide), for a request that has `waited` so long in vain for an earlier decision: for all of
    /// those together the store is waited for no longer than its timeout.
    pub async fn decide_after(
        &self,
        waited: Duration,
        charges: &[Charge<'_>],
    ) -> Result<(Decision, Counted), LimitsError> {
        let limits = self.afresh.limits(charges);
        let charges = &*on_current(limits.as_ref(), charges);
        let Some(shared) = &self.shared else { return Ok(self.decide_here(charges)) };
        match self.decide_there(shared, waited, charges).await {
            Ok(decided) => Ok(decided),
            Err(error) => match shared.settings.on_error {
                OnStoreError::Local => Ok(self.decide_here(charges)),
                OnStoreError::Allow => Ok((Decision::default(), Counted::Nowhere)),
                OnStoreError::Deny => Err(error),
            },
        }
    }

    /// As [`decide_after`](Self::decide_after) for what refuses nobody: where the shared store does not answer it is
    /// counted here, whatever else is said of requests then.
    pub async fn report_after(&self, waited: Duration, charges: &[Charge<'_>]) -> (Decision, Counted) {
        let limits = self.afresh.limits(charges);
        let charges = &*on_current(limits.as_ref(), charges);
        let Some(shared) = &self.shared else { return self.decide_here(charges) };
        let decided = self.decide_there(shared, waited, charges).await;
        decided.unwrap_or_else(|_| self.decide_here(charges))
    }

    /// An error has been noted.
    async fn decide_there(
        &self,
        shared: &SharedStore,
        waited: Duration,
        charges: &[Charge<'_>],
    ) -> Result<(Decision, Counted), LimitsError> {
        let asked = Instant::now();
        let decided = shared.store.decide(waited, charges).await;
        let (decision, was_asked) = decided.inspect_err(|error| shared.failed(error, self.clock.now()))?;
        if was_asked {
            self.heard(shared, charges, &decision);
        }
        Ok((decision, Counted::There { asked, answered: Instant::now() }))
    }

    /// Whether a decision may have to wait for a shared store.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// What the store has said is where this gateway counts on when it has to count for itself: else whoever has used
    /// up a limit would have all of it again with the first answer that is late.
    fn heard(&self, shared: &SharedStore, charges: &[Charge<'_>], decision: &Decision) {
        let now = self.clock.now();
        shared.works(now);
        if shared.settings.on_error == OnStoreError::Local {
            self.memory.follow(now, charges, decision);
        }
    }

    /// Decides all charges by what this gateway alone has counted.
    fn decide_here(&self, charges: &[Charge<'_>]) -> (Decision, Counted) {
        let now = self.clock.now();
        (self.memory.decide(now, charges), Counted::Here(now))
    }

    /// Gives back charges that were admitted and counted there: at once in memory, in the background in the shared
    /// store. Where that does not answer, they lapse as all that is counted does.
    pub fn refund(&self, counted: Counted, charges: &[Charge<'_>]) {
        let limits = self.afresh.limits(charges);
        let charges = &*on_current(limits.as_ref(), charges);
        match (counted, &self.shared) {
            (Counted::Here(when), _) => self.memory.give_back(when, charges),
            (Counted::There { asked, answered }, Some(shared)) => {
                shared.store.refund(asked, answered, charges);
            }
            (Counted::Nowhere | Counted::There { .. }, _) => {}
        }
    }

    /// How long ago charges were counted there.
    pub fn elapsed_since(&self, counted: Counted) -> Duration {
        match counted {
            Counted::Here(when) => Duration::from_nanos(self.clock.now().get().saturating_sub(when.get())),
            Counted::There { answered, .. } => answered.elapsed(),
            Counted::Nowhere => Duration::ZERO,
        }
    }

    /// Forgets what a value has used of a limit, here and in the shared store. Says whether there was anything.
    pub async fn reset(&self, limit: &Limit, value: &[u8]) -> Result<bool, LimitsError> {
        let limit = &*self.afresh.limit(limit);
        let here = self.memory.reset(limit, value);
        match &self.shared {
            None => Ok(here),
            Some(shared) => Ok(shared.store.reset(limit, value).await? || here),
        }
    }

    /// Forgets what everybody has used of the limits with these names, at all gateways that share the store. An error means
    /// that it does not answer: then nothing is forgotten.
    pub async fn begin_afresh(&self, limits: &[Arc<str>]) -> Result<(), LimitsError> {
        match &self.shared {
            None => self.afresh.begin(limits),
            Some(shared) => shared.begin_afresh(self, limits).await?,
        }
        Ok(())
    }

    /// How a charge would be decided now, and whether the shared store says so. An error means that the store does not
    /// answer and that it alone counts. A store may answer this question and still fail to decide: then it is this
    /// gateway's own count that matters.
    pub async fn standing(&self, charge: &Charge<'_>) -> Result<(Standing, bool), LimitsError> {
        let limit = self.afresh.limit(charge.limit);
        let charge = &Charge { limit: &limit, ..*charge };
        let Some(shared) = &self.shared else { return Ok((self.standing_here(charge), false)) };
        if shared.trouble.fails() && shared.settings.on_error == OnStoreError::Local {
            return Ok((self.standing_here(charge), false));
        }
        let answer = shared.store.redis().standing(std::slice::from_ref(charge)).await;
        let standing = answer.and_then(|decision| {
            let first = decision.standings.first().copied();
            first.ok_or(LimitsError::Nonsense("no standing"))
        });
        match standing {
            Ok(standing) => Ok((standing, true)),
            Err(_) if shared.settings.on_error == OnStoreError::Local => {
                Ok((self.standing_here(charge), false))
            }
            Err(error) => Err(error),
        }
    }

    /// How a charge would be decided by what this gateway alone has counted.
    fn standing_here(&self, charge: &Charge<'_>) -> Standing {
        self.memory.standing(self.clock.now(), charge)
    }

    /// What the rule with this name (see [`Limit::name_of`]) has seen, to add to it. The same for every configuration.
    pub fn statistics(&self, rule: &Arc<str>) -> Arc<RuleStatistics> {
        self.statistics.of(rule)
    }

    /// What the rule with this name has seen; `None` when no configuration in use has it.
    pub fn seen(&self, rule: &str) -> Option<Arc<RuleStatistics>> {
        self.statistics.find(rule)
    }

    /// What all rules together have seen, to add to it: each request that any of them counted or refused, once, by its
    /// address.
    pub fn overall(&self) -> &RuleStatistics {
        &self.overall
    }

    /// Who is not counted for a while.
    pub fn allowances(&self) -> &Allowances {
        &self.allowances
    }

    /// The time as everything here reads it.
    pub fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Requests in flight, counted by this gateway for itself.
    pub fn concurrency(&self) -> &Concurrency {
        &self.concurrency
    }

    /// Forgets what has expired; worth a call every minute.
    pub fn sweep(&self) -> usize {
        self.shared.iter().for_each(|shared| shared.store.sweep());
        self.memory.sweep(self.clock.now())
    }

    /// Waits for the first connection to the shared store, a second at most; without one not at all. What is decided before
    /// is decided as while the store is away.
    pub async fn reach_store(&self) {
        if let Some(shared) = &self.shared {
            // Whether it was reached or not: what follows knows what to do without it.
            let _ = tokio::time::timeout(shared.patience(), shared.store.redis().reached()).await;
        }
    }

    /// Whether there is no need to wait for the shared store any more: it has been reached, or was given the time for it.
    pub fn is_ready(&self) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.store.redis().was_reached() || shared.patience().is_zero())
    }

    /// Whether the shared store can be reached and has not failed to decide within the last second that it was asked;
    /// `None` without one.
    pub fn store_decides(&self) -> Option<bool> {
        self.shared.as_ref().map(|shared| shared.store.redis().is_connected() && !shared.trouble.fails())
    }
}

impl SharedStore {
    fn connect(settings: &Shared) -> Result<Self, LimitsError> {
        let (nodes, is_cluster) = match &settings.redis {
            Redis::Server(url) => (vec![url.url().clone()], false),
            Redis::Cluster(urls) => (urls.iter().map(|url| url.url().clone()).collect(), true),
        };
        let (tls, timeout) = (settings.tls.clone(), settings.timeout);
        let redis = RedisStore::connect(&RedisSettings { nodes, is_cluster, password: None, tls, timeout })?;
        let store = Store::new(redis, settings.mode);
        let failures = counter!("bartizan_limits_store_failures_total");
        let forgotten = counter!("bartizan_together_store_failures_total");
        let (since, trouble, forgetting) = (Instant::now(), Trouble::default(), Trouble::default());
        let (settings, allowing, number) = (settings.clone(), tokio::sync::Mutex::default(), OnceLock::new());
        Ok(Self { settings, store, since, failures, forgotten, trouble, forgetting, allowing, number })
    }

    /// How much longer its first connection is waited for.
    fn patience(&self) -> Duration {
        FIRST_CONNECTION.saturating_sub(self.since.elapsed())
    }

    fn works(&self, now: Nanos) {
        if self.trouble.has_ended(now) {
            tracing::info!("the shared store decides limits again");
        }
    }

    fn failed(&self, error: &LimitsError, now: Nanos) {
        self.failures.increment(1);
        if self.trouble.has_begun(now) {
            let instead = match self.settings.on_error {
                OnStoreError::Local => "this gateway counts for itself",
                OnStoreError::Allow => "requests pass uncounted",
                OnStoreError::Deny => "limited requests are refused",
            };
            tracing::warn!(%error, instead, "the shared store does not decide limits");
        }
    }

    fn remembers(&self, now: Nanos) {
        if self.forgetting.has_ended(now) {
            tracing::info!("what counts once is shared again");
        }
    }

    fn forgets(&self, error: &LimitsError, now: Nanos) {
        self.forgotten.increment(1);
        if self.forgetting.has_begun(now) {
            tracing::warn!(%error, "proofs, nonces and attempts to log in are not shared: each gateway goes by its own memory");
        }
    }
}

impl Trouble {
    fn fails(&self) -> bool {
        self.fails.load(Ordering::Relaxed)
    }

    /// It failed now. Says whether that is news.
    fn has_begun(&self, now: Nanos) -> bool {
        self.last.store(now.get(), Ordering::Relaxed);
        !self.fails.swap(true, Ordering::Relaxed)
    }

    /// It did not fail now. Says whether it is news that it works.
    fn has_ended(&self, now: Nanos) -> bool {
        let quiet = now.get().saturating_sub(self.last.load(Ordering::Relaxed));
        self.fails() && quiet >= nanoseconds(RECOVERED) && self.fails.swap(false, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_now_and_then_is_news_once() {
        let (trouble, second) = (Trouble::default(), nanoseconds(RECOVERED));
        let at = Nanos::new;
        assert!(!trouble.has_ended(at(5 * second)), "there was no trouble");
        assert!(trouble.has_begun(at(5 * second)));
        assert!(!trouble.has_ended(at(5 * second + 1)), "too early to tell");
        assert!(!trouble.has_begun(at(6 * second)));
        assert!(!trouble.has_ended(at(7 * second - 1)));
        assert!(trouble.has_ended(at(7 * second)));
        assert!(!trouble.has_ended(at(8 * second)), "told before");
        assert!(!trouble.has_ended(at(0)), "a clock that was set back");
    }

    #[tokio::test]
    async fn a_limit_begins_afresh_for_everybody_and_others_go_on() {
        let limiter = Limiter::new(None, None).unwrap();
        let units = |units| std::num::NonZeroU32::new(units).unwrap();
        let quota = bartizan_model::Quota::token_bucket(units(2), Duration::from_hours(1), units(2)).unwrap();
        let [few, other] = ["few", "other"].map(|name| Limit { name: name.into(), quota });
        let charge =
            |limit| Charge { limit, value: b"ada", cost: units(1), factors: crate::Factors::default() };
        let is_admitted = async |limit| limiter.decide(&[charge(limit)]).await.unwrap().0.is_admitted();
        for limit in [&few, &other] {
            assert!(is_admitted(limit).await && is_admitted(limit).await && !is_admitted(limit).await);
        }
        for _ in 0..2 {
            limiter.begin_afresh(&[Arc::clone(&few.name)]).await.unwrap();
            assert!(is_admitted(&few).await);
            let (decision, counted) = limiter.decide(&[charge(&few)]).await.unwrap();
            assert_eq!(decision.standings[0].remaining, 0);
            limiter.refund(counted, &[charge(&few)]);
            assert_eq!(
                limiter.standing(&charge(&few)).await.unwrap().0.remaining,
                1,
                "given back where it was taken"
            );
            assert!(limiter.reset(&few, b"ada").await.unwrap());
            assert_eq!(limiter.standing(&charge(&few)).await.unwrap().0.remaining, 2);
        }
        assert!(!is_admitted(&other).await);
    }
}
