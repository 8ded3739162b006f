//! What the guard and the service of one connection tell each other.
//!
//! The guard sees bytes, the service sees requests; requests are numbered from 1 on both sides, which is how
//! a refused head finds its answer.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Flow, Violation};

/// Shared by the guard of a connection and whoever serves its requests.
#[derive(Debug, Default)]
pub(crate) struct WireState {
    started: AtomicU64,
    finished: AtomicU64,
    upgraded: AtomicBool,
    close_wanted: AtomicBool,
    flow: Flow,
    breached: AtomicBool,
    breaches: Mutex<Breaches>,
}

#[derive(Debug, Default)]
struct Breaches {
    unanswered: Option<Violation>,
    /// Refused requests whose answer has not been asked for yet; no more than are in flight.
    requests: Vec<(u64, Violation)>,
}

impl WireState {
    /// What is wrong with the head of request `number`, to be asked once and first of all: if anything, the
    /// answer is this refusal. On HTTP/1.1 hyper has been given a stand-in for the refused head.
    pub(crate) fn violation(&self, number: u64) -> Option<Violation> {
        if !self.breached.load(Ordering::Acquire) {
            return None;
        }
        let mut breaches = self.breaches();
        let index = breaches.requests.iter().position(|(refused, _)| *refused == number)?;
        Some(breaches.requests.swap_remove(index).1)
    }

    /// The first breach that no request answers for, for the log: a malformed chunk, a flood, a slow reader.
    pub(crate) fn breach(&self) -> Option<Violation> {
        self.breached.load(Ordering::Acquire).then(|| self.breaches().unanswered).flatten()
    }

    /// To be called before a 101 (or a 2xx to `CONNECT`) is returned: from here on bytes pass untouched.
    pub(crate) fn upgraded(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    /// Whether [`Self::upgraded`] was called.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Acquire)
    }

    /// Counts a request that has begun and gives it its number. It is in flight until the guard is dropped.
    pub(crate) fn start(self: &Arc<Self>) -> (u64, InFlight) {
        let number = self.started.fetch_add(1, Ordering::AcqRel) + 1;
        (number, InFlight(Arc::clone(self)))
    }

    /// Whether a request is in flight.
    pub(super) fn is_busy(&self) -> bool {
        self.started.load(Ordering::Acquire) > self.finished()
    }

    /// The flow of the responses under way.
    pub(super) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// How many requests have been answered to the last byte, or given up.
    pub(super) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    /// Asks for the connection to be closed in order.
    pub(crate) fn want_close(&self) {
        self.close_wanted.store(true, Ordering::Release);
    }

    /// Whether the connection is to be closed in order.
    pub(crate) fn is_close_wanted(&self) -> bool {
        self.close_wanted.load(Ordering::Acquire)
    }

    /// Whether any request has begun.
    pub(crate) fn has_started(&self) -> bool {
        self.started.load(Ordering::Acquire) > 0
    }

    /// Records that the head of request `number` breaks the rules.
    pub(super) fn refuse(&self, number: u64, violation: Violation) {
        self.breaches().requests.push((number, violation));
        self.breached.store(true, Ordering::Release);
    }

    /// Records a breach that no request answers for: in a body, in a frame, in time.
    pub(super) fn record(&self, violation: Violation) {
        self.breaches().unanswered.get_or_insert(violation);
        self.breached.store(true, Ordering::Release);
    }

    fn breaches(&self) -> MutexGuard<'_, Breaches> {
        self.breaches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight; dropped with the last byte of its response.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<WireState>);

impl InFlight {
    /// Where the flow of its response is watched.
    pub(crate) fn flow(&self) -> &Flow {
        &self.0.flow
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::AcqRel);
    }
}
