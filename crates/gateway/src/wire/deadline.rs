//! Timers that cost nothing while they are not needed: moving a deadline later moves no timer, and a timer is
//! armed only once something waits.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use super::WireState;

/// A deadline that only ever moves later. The timer behind it is set again when it goes off too early.
#[derive(Debug, Default)]
pub(super) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Ready once `at` has passed.
    pub(super) fn poll(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        loop {
            ready!(sleep.as_mut().poll(context));
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }
}

/// How long a connection without a request in flight has waited for one.
#[derive(Debug)]
pub(super) struct Idle {
    timeout: Duration,
    deadline: Deadline,
    /// Since when, and how many requests had been answered by then.
    since: Option<(u64, Instant)>,
}

impl Idle {
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout, deadline: Deadline::default(), since: None }
    }

    /// Ready once the client has let us wait too long for a request. To be polled when a read is pending.
    pub(super) fn poll(&mut self, wire: &WireState, context: &mut Context<'_>) -> Poll<()> {
        let finished = wire.finished();
        if wire.started() > finished {
            self.since = None;
            return Poll::Pending;
        }
        let since = match self.since {
            Some((count, since)) if count == finished => since,
            _ => self.since.insert((finished, Instant::now())).1,
        };
        self.deadline.poll(since + self.timeout, context)
    }

    /// Starts to wait anew, for `timeout`.
    pub(super) fn extend(&mut self, timeout: Duration) {
        self.timeout = timeout;
        self.since = None;
    }
}
