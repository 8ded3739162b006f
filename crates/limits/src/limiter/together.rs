//! What gateways remember together. `None` where they share nothing, or the store does not answer in time: then whoever
//! asked relies on what this gateway knows by itself.

use std::time::Duration;

use super::Limiter;
use crate::{LimitsError, RedisStore, Tries};

impl Limiter {
    /// Whether nobody has used this at any gateway.
    pub async fn use_once(&self, key: &str, lasts: Duration) -> Option<bool> {
        let redis = self.redis()?;
        self.told(redis.use_once(key, lasts).await)
    }

    /// Counts an attempt at all gateways; where it is one too many, how long to wait.
    pub async fn attempt(&self, key: &str, tries: Tries) -> Option<Option<Duration>> {
        let redis = self.redis()?;
        self.told(redis.attempt(key, tries).await)
    }

    /// An attempt that was none.
    pub async fn take_back(&self, key: &str) -> Option<()> {
        let redis = self.redis()?;
        self.told(redis.take_back(key).await)
    }

    /// Forgets every attempt.
    pub async fn forget(&self, key: &str) -> Option<()> {
        let redis = self.redis()?;
        self.told(redis.forget(key).await)
    }

    fn redis(&self) -> Option<&RedisStore> {
        self.shared.as_ref().map(|shared| shared.store.redis())
    }

    fn told<T>(&self, answer: Result<T, LimitsError>) -> Option<T> {
        let failures = self.shared.as_ref().map(|shared| &shared.failures);
        match (answer, failures) {
            (Ok(told), _) => Some(told),
            (Err(error), failures) => {
                failures.inspect(|failures| failures.increment(1));
                tracing::debug!(%error, "what gateways remember together cannot be asked: this one goes by its own memory");
                None
            }
        }
    }
}
