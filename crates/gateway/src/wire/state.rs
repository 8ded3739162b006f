//! What the guard and the service of one connection tell each other.
//!
//! The guard sees bytes, the service sees requests; requests are numbered from 1 on both sides, which is how
//! a refused head finds its answer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::Violation;

/// Shared by the guard of a connection and whoever serves its requests.
#[derive(Debug, Default)]
pub(crate) struct WireState {
    started: AtomicU64,
    finished: AtomicU64,
    upgraded: AtomicBool,
    close_wanted: AtomicBool,
    refused: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    /// The request whose head was refused; `None` for a breach elsewhere (a body, an HTTP/2 frame).
    number: Option<u64>,
    violation: Violation,
}

impl WireState {
    /// What is wrong with the head of request `number`: if anything, hyper has been given a stand-in instead of
    /// it, and the answer is this refusal.
    pub(crate) fn violation(&self, number: u64) -> Option<Violation> {
        self.refusal().filter(|refusal| refusal.number == Some(number)).map(|refusal| refusal.violation)
    }

    /// What ended the connection, for the log: a refused head, a malformed chunk, a flood, a slow reader.
    pub(crate) fn breach(&self) -> Option<Violation> {
        self.refusal().map(|refusal| refusal.violation)
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

    /// How many requests have begun.
    pub(super) fn started(&self) -> u64 {
        self.started.load(Ordering::Acquire)
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
        self.started() > 0
    }

    /// Records what the guard refused; the first one counts.
    pub(super) fn refuse(&self, number: Option<u64>, violation: Violation) {
        let mut refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        refusal.get_or_insert(Refusal { number, violation });
        self.refused.store(true, Ordering::Release);
    }

    fn refusal(&self) -> Option<Refusal> {
        if !self.refused.load(Ordering::Acquire) {
            return None;
        }
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight; dropped with the last byte of its response.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<WireState>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::AcqRel);
    }
}
