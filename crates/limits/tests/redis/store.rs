//! Stores and charges for the stories.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bartizan_config::SharedTls;
use bartizan_limits::{Charge, Decision, Factors, Limit, LimitsError, RedisSettings, RedisStore};
use bartizan_model::{Algorithm, Quota};

use crate::eventually::eventually;

pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::TokenBucket, Algorithm::SlidingWindow, Algorithm::FixedWindow];

/// Long enough that a busy machine does not fail a test; stories about silence set their own.
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn settings(nodes: &[String]) -> RedisSettings {
    let nodes = nodes.iter().map(|node| node.as_str().into()).collect();
    RedisSettings { nodes, is_cluster: false, password: None, tls: SharedTls::default(), timeout: TIMEOUT }
}

/// A store that is connected.
pub(crate) async fn connected(settings: &RedisSettings) -> RedisStore {
    let store = RedisStore::connect(settings).unwrap();
    eventually("a connection", async || store.is_connected()).await;
    store
}

/// So many units, of which during a test none comes back: of 20,000 in a bucket one in two minutes.
pub(crate) fn limit(name: &str, algorithm: Algorithm, units: u32) -> Limit {
    let units = NonZeroU32::new(units).unwrap();
    let quota = match algorithm {
        Algorithm::TokenBucket => Quota::token_bucket(units, Quota::LONGEST_WINDOW, units),
        window => Quota::window(window, units, Duration::from_hours(1)),
    };
    Limit { name: name.into(), quota: quota.unwrap() }
}

/// One unit.
pub(crate) fn charge<'a>(limit: &'a Limit, value: &'a [u8]) -> Charge<'a> {
    Charge { limit, value, cost: NonZeroU32::MIN, factors: Factors::default() }
}

pub(crate) async fn decide(store: &RedisStore, limit: &Limit) -> Result<Decision, LimitsError> {
    store.decide(&[charge(limit, b"somebody")]).await
}

pub(crate) async fn left(store: &RedisStore, limit: &Limit) -> u64 {
    store.standing(&[charge(limit, b"somebody")]).await.unwrap().standings[0].remaining
}

/// 64 clients, spread over the stores, each asking all limits for one value so many times. How many were admitted.
pub(crate) async fn race(stores: &[Arc<RedisStore>], limits: &[Limit], times: usize) -> usize {
    let clients: Vec<_> = (0..64)
        .map(|client| {
            let (store, limits) = (Arc::clone(&stores[client % stores.len()]), limits.to_vec());
            tokio::spawn(async move {
                let charges: Vec<_> = limits.iter().map(|limit| charge(limit, b"somebody")).collect();
                let mut admitted = 0;
                for _ in 0..times {
                    admitted += usize::from(store.decide(&charges).await.unwrap().is_admitted());
                }
                admitted
            })
        })
        .collect();
    let mut admitted = 0;
    for client in clients {
        admitted += client.await.unwrap();
    }
    admitted
}
