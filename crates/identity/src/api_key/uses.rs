//! When keys were used, and how often: counted in memory, written to the store every few seconds.
//!
//! What a gateway has not written when it is killed is lost: this is for people who look for keys that nobody needs any
//! more, not for bills.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::SystemTime,
};

use bartizan_store::{Statement, Store, StoreError};
use parking_lot::Mutex;

use super::record::LiveKey;
use crate::session::moment::milliseconds;

/// Keys written at once; the others wait for the next time.
const BATCH: usize = 1000;

const WRITE: &str = "UPDATE api_keys SET use_count = use_count + $2, \
    last_used_at = CASE WHEN last_used_at IS NULL OR last_used_at < $3 THEN $3 ELSE last_used_at END \
    WHERE id = $1";

/// The keys that were used since they were written last, each of them once.
#[derive(Debug, Default)]
pub(crate) struct Uses(Mutex<Vec<Arc<LiveKey>>>);

impl Uses {
    pub(crate) fn note(&self, key: &Arc<LiveKey>, now: SystemTime) {
        key.used_at.store(milliseconds(now), Ordering::Relaxed);
        if key.uses.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.lock().push(Arc::clone(key));
        }
    }

    /// Writes some of it; says whether there is more.
    pub(crate) async fn write(&self, store: &Store) -> Result<bool, StoreError> {
        let (mut keys, is_more) = {
            let mut used = self.0.lock();
            let kept = used.len().saturating_sub(BATCH);
            (used.split_off(kept), kept > 0)
        };
        if keys.is_empty() {
            return Ok(false);
        }
        // In one order everywhere, so that two gateways do not wait for each other.
        keys.sort_by(|one, other| one.id.cmp(&other.id));
        let counted: Vec<(Arc<LiveKey>, u32)> = keys
            .into_iter()
            .map(|key| {
                let uses = take(&key.uses);
                (key, uses)
            })
            .collect();
        let written = self.write_all(store, &counted).await;
        if written.is_err() {
            for (key, uses) in counted {
                if key.uses.fetch_add(uses, Ordering::Relaxed) == 0 {
                    self.0.lock().push(key);
                }
            }
        }
        written.map(|()| is_more)
    }

    async fn write_all(&self, store: &Store, counted: &[(Arc<LiveKey>, u32)]) -> Result<(), StoreError> {
        let mut transaction = store.everywhere().begin().await?;
        for (key, uses) in counted {
            let at = key.used_at.load(Ordering::Relaxed);
            transaction.execute(Statement::new(WRITE).text(&*key.id).integer(*uses).integer(at)).await?;
        }
        transaction.commit().await
    }
}

fn take(uses: &AtomicU32) -> u32 {
    uses.swap(0, Ordering::Relaxed)
}
