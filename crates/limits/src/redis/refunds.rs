//! What is given back to Redis while nobody waits for it: by requests that were refused elsewhere, or whose client has
//! gone. One task does it for a store, so that neither a flood of refusals nor a silent server makes more of them.
//!
//! Nothing here is sure to arrive: what finds too many others waiting, what Redis does not answer, and what still waits
//! when the process ends stays counted until it lapses. So never is more admitted than the limit.

use std::{sync::Arc, time::Instant};

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::{Questions, Shared};

/// How many may wait; at most 2 MB of them, where requests have four limits in the store.
const MOST_WAITING: usize = 1024;
/// How many are given back at the same time.
const AT_ONCE: usize = 64;

/// What one request took, and when the store had answered that it did.
#[derive(Debug)]
pub(super) struct Refund {
    pub(super) questions: Questions,
    pub(super) answered: Instant,
}

#[derive(Debug)]
pub(super) struct Refunds(mpsc::Sender<Refund>);

impl Refunds {
    /// Gives back what comes. Goes on after this is dropped until all of it is.
    pub(super) fn keep(shared: Arc<Shared>) -> Self {
        let (sender, waiting) = mpsc::channel(MOST_WAITING);
        tokio::spawn(give_back(shared, waiting));
        Self(sender)
    }

    /// Returns at once, wherever it is called.
    pub(super) fn push(&self, refund: Refund) {
        if self.0.try_send(refund).is_err() {
            tracing::debug!("too much is to be given back to the shared store: the rest lapses");
        }
    }
}

async fn give_back(shared: Arc<Shared>, mut waiting: mpsc::Receiver<Refund>) {
    let mut some = Vec::with_capacity(AT_ONCE);
    while waiting.recv_many(&mut some, AT_ONCE).await > 0 {
        let calls = some.drain(..).map(async |Refund { questions, answered }| {
            shared.give_back(answered.elapsed(), &questions).await
        });
        for error in join_all(calls).await.into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "the shared store did not take charges back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_wait_and_no_more_and_no_runtime_is_needed_to_say_so() {
        let (sender, mut waiting) = mpsc::channel(MOST_WAITING);
        let refunds = Refunds(sender);
        for _ in 0..MOST_WAITING + 10 {
            refunds.push(Refund { questions: Questions::new(), answered: Instant::now() });
        }
        assert_eq!(waiting.len(), MOST_WAITING);
        drop(refunds);
        assert!(waiting.blocking_recv().is_some());
    }
}
