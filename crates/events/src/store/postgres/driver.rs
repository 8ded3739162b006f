//! The thread on which the driver of the database works, so that whoever asks need not be on a runtime, nor off one.

use std::{future::Future, sync::mpsc, thread, time::Duration};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    time::timeout,
};

use crate::EventError;

/// A thread with a runtime of its own, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Driver {
    handle: Handle,
    /// Never sent to: dropping it is what tells the thread.
    _stop: oneshot::Sender<()>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// Not in time.
    Late,
    /// The database said so, or cannot be reached.
    Failed(sqlx::Error),
}

impl Driver {
    pub(super) fn start() -> Result<Self, EventError> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(EventError::Writer)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            // Nothing is ever sent: it ends with its sender.
            let _ = runtime.block_on(stopped);
        };
        let thread = thread::Builder::new().name("events-database".into()).spawn(run);
        thread.map_err(EventError::Writer)?;
        Ok(Self { handle, _stop: stop })
    }

    /// Does something that needs to be on the runtime.
    pub(super) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.handle.enter();
        work()
    }

    /// Goes on beside everything else, until the thread ends.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(work);
    }

    /// Waits for an answer, which blocks the thread that asks.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        within: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send + 'static,
    ) -> Result<T, Unanswered> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.handle.spawn(async move {
            // Whoever asked is still there: it waits.
            let _ = sender.send(timeout(within, work).await);
        });
        match receiver.recv() {
            Ok(Ok(answer)) => answer.map_err(Unanswered::Failed),
            Ok(Err(_)) => Err(Unanswered::Late),
            Err(_) => Err(Unanswered::Failed(sqlx::Error::WorkerCrashed)),
        }
    }
}
