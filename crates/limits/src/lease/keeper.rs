//! What happens to leases in the background: they are asked for, and given back when they have ended.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::oneshot, time::timeout};

use super::{
    Shared,
    entry::{Ask, Unused},
};
use crate::{Nanos, redis::Question};

/// How often is looked for leases that have ended.
const PAUSE: Duration = Duration::from_millis(25);
/// How many are given back at the same time.
const AT_ONCE: usize = 64;

/// Leases what the question asks for.
pub(super) async fn renew(shared: Arc<Shared>, ask: Ask, question: Question) {
    let began = shared.clock.now().get();
    match shared.store.lease(&question, ask.quota.cost).await {
        Ok(granted) => {
            if let Some(unused) = shared.table.keep(began, &ask, &granted, question) {
                give_back(&shared, &[unused]).await;
            } else {
                shared.leased.notify_one();
            }
        }
        Err(error) => tracing::debug!(%error, "nothing was leased"),
    }
}

/// Gives back what has ended, until the store is dropped; then everything.
pub(super) async fn keep(shared: Arc<Shared>, mut dropped: oneshot::Receiver<()>) {
    loop {
        let is_over = if shared.table.has_leases() {
            timeout(PAUSE, &mut dropped).await.is_ok()
        } else {
            tokio::select! {
                _ = &mut dropped => true,
                () = shared.leased.notified() => false,
            }
        };
        let now = if is_over { Nanos::LAST } else { shared.clock.now() };
        for some in shared.table.ended(now.get()).chunks(AT_ONCE) {
            give_back(&shared, some).await;
        }
        if is_over {
            return;
        }
    }
}

async fn give_back(shared: &Shared, unused: &[Unused]) {
    let calls = unused.iter().filter(|unused| unused.units > 0).map(async |unused| {
        let question = unused.question.with_units(unused.units);
        shared.store.return_lease(unused.leased_at, &question).await
    });
    for error in join_all(calls).await.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "a lease was not given back");
    }
}
