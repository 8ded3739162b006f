//! A timer that is set often and rings seldom.
//!
//! It stays registered with the runtime and is only moved, which costs an atomic operation where a fresh one
//! per request would take the timer wheel's lock twice.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// The timer.
#[derive(Debug)]
pub(super) struct Timer(Pin<Box<Sleep>>);

impl Timer {
    pub(super) fn new(duration: Duration) -> Self {
        Self(Box::pin(tokio::time::sleep(duration)))
    }

    pub(super) fn set(&mut self, duration: Duration) {
        self.0.as_mut().reset(Instant::now() + duration);
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}
