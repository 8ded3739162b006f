//! What gateways remember together. `None` where they share nothing, or the store does not answer in time: then whoever
//! asked relies on what this gateway knows by itself.

use std::time::Duration;

use super::Limiter;
use crate::{LimitsError, RedisStore, Tried, Tries};

impl Limiter {
    /// Whether nobody has used this at any gateway.
    pub async fn use_once(&self, key: &str, lasts: Duration) -> Option<bool> {
        let redis = self.redis()?;
        self.told(redis.use_once(key, lasts).await)
    }

    /// Counts an attempt at all gateways, unless it is one too many.
    pub async fn attempt(&self, key: &str, tries: Tries) -> Option<Tried> {
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

    /// Adds a value to those that were seen under a key lately. How many there are, where they have just become so many.
    pub async fn gather(
        &self,
        key: &str,
        value: &str,
        many: usize,
        window: Duration,
    ) -> Option<Option<usize>> {
        let redis = self.redis()?;
        self.told(redis.gather(key, value, many, window).await)
    }

    /// For how long it still counts that many values were seen under a key.
    pub async fn gathered(&self, key: &str) -> Option<Option<Duration>> {
        let redis = self.redis()?;
        self.told(redis.gathered(key).await)
    }

    fn redis(&self) -> Option<&RedisStore> {
        self.shared.as_ref().map(|shared| shared.store.redis())
    }

    fn told<T>(&self, answer: Result<T, LimitsError>) -> Option<T> {
        let (shared, now) = (self.shared.as_ref()?, self.clock.now());
        match answer {
            Ok(told) => {
                shared.remembers(now);
                Some(told)
            }
            Err(error) => {
                shared.forgets(&error, now);
                None
            }
        }
    }
}
