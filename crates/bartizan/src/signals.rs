//! What the operating system asks for: to stop, to stop at once, to read the configuration again.

use std::future::Future;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals the gateway listens to.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// A signal that asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// `SIGTERM` or `SIGINT`, with its number.
    Stop(i32),
    /// `SIGHUP`.
    Reload,
}

impl Signals {
    /// Starts listening.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Request {
        tokio::select! {
            _ = self.terminate.recv() => Request::Stop(SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => Request::Stop(SignalKind::interrupt().as_raw_value()),
            _ = self.hangup.recv() => Request::Reload,
        }
    }

    /// Waits until `work` is done, or ends the process when a second signal says not to.
    pub(crate) async fn impatient<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                request = self.next() => match request {
                    Request::Stop(signal) => {
                        tracing::warn!(signal, "stopping at once, requests in flight are dropped");
                        // As a shell reports a process that the signal has ended.
                        std::process::exit(128 + signal);
                    }
                    Request::Reload => {}
                },
            }
        }
    }
}
