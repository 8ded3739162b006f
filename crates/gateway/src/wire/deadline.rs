//! Timers that cost nothing while they are not needed: moving a deadline later moves no timer, and a timer is
//! armed only once something waits.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// A deadline that only ever moves later. The timer behind it is set again when it goes off too early.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Ready once `at` has passed.
    pub(crate) fn poll(&mut self, at: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        loop {
            ready!(sleep.as_mut().poll(context));
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
    }

    /// Wakes the task within `period`, whatever else happens. Never ready.
    fn keep(&mut self, period: Duration, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(period)));
        while sleep.as_mut().poll(context).is_ready() {
            sleep.as_mut().reset(Instant::now() + period);
        }
        Poll::Pending
    }
}

/// How long a connection without a request in flight has waited for one.
#[derive(Debug)]
pub(crate) struct Idle {
    timeout: Duration,
    deadline: Deadline,
    /// Since when, and what progress had been made by then.
    since: Option<(u64, Instant)>,
}

impl Idle {
    /// A client that has let us wait since `since` and may do so for `timeout`.
    pub(crate) fn since(since: Instant, timeout: Duration) -> Self {
        Self { timeout, deadline: Deadline::default(), since: Some((0, since)) }
    }

    /// Ready once the client has let us wait too long. To be polled when a read is pending, with a number that
    /// grows with everything that is answered.
    pub(super) fn poll(&mut self, is_busy: bool, progress: u64, context: &mut Context<'_>) -> Poll<()> {
        if is_busy {
            // Reads may not be polled again when the response ends: look again when the time would be up.
            self.since = None;
            return self.deadline.keep(self.timeout, context);
        }
        let since = match self.since {
            Some((then, since)) if then == progress => since,
            _ => self.since.insert((progress, Instant::now())).1,
        };
        self.deadline.poll(since + self.timeout, context)
    }

    /// Starts to wait anew, for `grace` at most.
    pub(super) fn grant(&mut self, grace: Duration) {
        self.timeout = self.timeout.min(grace);
        self.since = None;
    }
}
