//! What other gateways store, for those who follow.
//!
//! Twice a second each gateway looks for batches whose transactions have ended since: their numbers lie below that of the
//! oldest which has not, so none is passed over that began early and ends late, and no clock matters.

use std::{sync::Weak, time::Duration};

use sqlx::{PgPool, Row as _};
use tokio::time::{sleep, timeout};

use super::read::{COLUMNS, events};
use crate::{Event, following::Followers};

/// How often a gateway looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long that may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The most batches of one look.
const MOST: i64 = 64;

/// Up to which number every transaction has ended.
const ENDED: &str = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)";
const BATCHES: &str = "SELECT batch, CAST(first AS TEXT), CAST(last AS TEXT) FROM event_batches \
    WHERE batch >= $1 AND batch < $2 AND gateway <> $3 ORDER BY batch LIMIT $4";

/// A batch of another gateway, and between which ids its events are.
struct Stored {
    batch: i64,
    first: String,
    last: String,
}

/// Looks until nobody can follow any more.
pub(super) async fn watch(pool: PgPool, gateway: String, followers: Weak<Followers>) {
    let mut watching = Watching { pool, gateway, seen: None };
    let mut is_failing = false;
    loop {
        sleep(LOOK).await;
        let Some(followers) = followers.upgrade() else { return };
        let looked =
            timeout(WITHIN, watching.look(&followers)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match looked {
            Ok(()) => is_failing = false,
            Err(error) if !std::mem::replace(&mut is_failing, true) => {
                tracing::warn!(%error, "what other gateways store is not shown to those who follow, until it can be read");
            }
            Err(_) => {}
        }
    }
}

struct Watching {
    pool: PgPool,
    gateway: String,
    /// Batches below this were shown, or there was nobody to show them to.
    seen: Option<i64>,
}

impl Watching {
    async fn look(&mut self, followers: &Followers) -> Result<(), sqlx::Error> {
        let ended: i64 = sqlx::query_scalar(ENDED).fetch_one(&self.pool).await?;
        // Who begins to follow from here on is shown what ends from here on.
        let (Some(seen), true) = (self.seen, followers.has_all()) else {
            self.seen = Some(ended);
            return Ok(());
        };
        let batches = self.batches(seen, ended).await?;
        let is_all = i64::try_from(batches.len()).is_ok_and(|count| count < MOST);
        for stored in &batches {
            followers.show_others(self.read(stored).await?);
            self.seen = Some(stored.batch + 1);
        }
        if is_all {
            self.seen = Some(ended);
        }
        Ok(())
    }

    async fn batches(&self, seen: i64, ended: i64) -> Result<Vec<Stored>, sqlx::Error> {
        let asked = sqlx::query(BATCHES).bind(seen).bind(ended).bind(&self.gateway).bind(MOST);
        let rows = asked.fetch_all(&self.pool).await?;
        let stored = |row: &sqlx::postgres::PgRow| {
            Ok(Stored { batch: row.try_get(0)?, first: row.try_get(1)?, last: row.try_get(2)? })
        };
        rows.iter().map(stored).collect()
    }

    async fn read(&self, stored: &Stored) -> Result<Vec<Event>, sqlx::Error> {
        let mut question = sqlx::QueryBuilder::new(COLUMNS);
        question.push(" AND id >= CAST(").push_bind(stored.first.clone());
        question.push(" AS UUID) AND id <= CAST(").push_bind(stored.last.clone());
        question.push(" AS UUID) AND batch = ").push_bind(stored.batch).push(" ORDER BY id");
        let rows = question.build().fetch_all(&self.pool).await?;
        Ok(events(&rows).0)
    }
}
