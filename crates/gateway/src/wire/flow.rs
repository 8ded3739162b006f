//! The slow-read defence of HTTP/2: a client that opens no flow-control window keeps its responses, and what
//! they hold upstream, waiting without ever letting a write wait (CVE-2019-9517).
//!
//! hyper asks a response for more only when the client's window has room. A response that has given data, has not
//! been asked again, and never had to wait for its upstream has been waiting for the client.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Context,
    time::Duration,
};

use tokio::time::Instant;

use super::{Violation, deadline::Deadline, pace::WINDOWS_IN_ADVANCE};

/// The responses of one connection that are being taken; as many as there are streams.
#[derive(Debug, Default)]
pub(crate) struct Flow(Mutex<Vec<Weak<ResponseFlow>>>);

impl Flow {
    /// Watches one more response.
    pub(crate) fn watch(&self) -> Arc<ResponseFlow> {
        let response = Arc::default();
        let mut responses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if responses.len() == responses.capacity() {
            responses.retain(|response| response.strong_count() > 0);
        }
        responses.push(Arc::downgrade(&response));
        response
    }

    /// Whether a response went slower than `demand` bytes since the last look, because of the client alone.
    fn is_slow(&self, demand: u64) -> bool {
        let mut responses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut is_slow = false;
        responses.retain(|response| {
            let Some(response) = response.upgrade() else { return false };
            is_slow |= response.was_slow(demand);
            true
        });
        is_slow
    }
}

/// How one response is being taken.
#[derive(Debug, Default)]
pub(crate) struct ResponseFlow {
    /// Bytes taken that have not been counted for a window yet.
    taken: AtomicU64,
    /// It has given data and not been asked for more.
    awaits_client: AtomicBool,
    /// It was asked for more and had none, or was not there to be asked, at some time since the last look.
    awaited_upstream: AtomicBool,
    seen: AtomicBool,
}

impl ResponseFlow {
    /// It gave `length` bytes.
    pub(crate) fn gave(&self, length: usize) {
        self.taken.fetch_add(length as u64, Ordering::Relaxed);
        self.awaits_client.store(true, Ordering::Relaxed);
    }

    /// It was asked for more and had nothing to give.
    pub(crate) fn had_nothing(&self) {
        self.awaits_client.store(false, Ordering::Relaxed);
        self.awaited_upstream.store(true, Ordering::Relaxed);
    }

    fn was_slow(&self, demand: u64) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        let in_advance = taken.saturating_sub(demand).min(demand.saturating_mul(WINDOWS_IN_ADVANCE));
        self.taken.fetch_sub(taken - in_advance, Ordering::Relaxed);
        let awaited_upstream = self.awaited_upstream.swap(false, Ordering::Relaxed);
        let seen = self.seen.swap(true, Ordering::Relaxed);
        seen && !awaited_upstream && self.awaits_client.load(Ordering::Relaxed) && taken < demand
    }
}

/// Looks at the flow of a connection's responses once a window.
#[derive(Debug)]
pub(crate) struct FlowWatch {
    window: Duration,
    demand: u64,
    deadline: Deadline,
    next: Option<Instant>,
}

impl FlowWatch {
    /// At least `bytes_per_second`, averaged over `window`.
    pub(crate) fn new(bytes_per_second: u32, window: Duration) -> Self {
        let demand = u64::from(bytes_per_second).saturating_mul(window.as_secs().max(1));
        Self { window, demand, deadline: Deadline::default(), next: None }
    }

    /// An error once a response has been taken too slowly for a whole window.
    pub(super) fn poll(&mut self, flow: &Flow, context: &mut Context<'_>) -> Result<(), Violation> {
        let mut next = *self.next.get_or_insert_with(|| Instant::now() + self.window);
        while self.deadline.poll(next, context).is_ready() {
            if flow.is_slow(self.demand) {
                return Err(Violation::SlowRead);
            }
            next = *self.next.insert(Instant::now() + self.window);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_in_advance_counts_for_later_windows() {
        let flow = Flow::default();
        let response = flow.watch();
        response.gave(1000);
        let windows = std::iter::repeat_with(|| flow.is_slow(100)).take_while(|slow| !slow).count();
        assert_eq!(windows, 6);
        response.gave(250);
        let windows = std::iter::repeat_with(|| flow.is_slow(100)).take_while(|slow| !slow).count();
        assert_eq!(windows, 2);
    }

    #[test]
    fn who_waits_for_its_upstream_is_not_slow() {
        let flow = Flow::default();
        let response = flow.watch();
        response.gave(1);
        response.had_nothing();
        assert!(!(0..3).any(|_| flow.is_slow(100)));
        response.gave(1);
        assert!(flow.is_slow(100));
    }

    #[test]
    fn responses_that_have_ended_are_forgotten() {
        let flow = Flow::default();
        let kept = flow.watch();
        for _ in 0..10_000 {
            drop(flow.watch());
        }
        assert!(flow.0.lock().unwrap().len() < 100);
        kept.gave(1);
        assert!((0..2).any(|_| flow.is_slow(100)));
    }
}
