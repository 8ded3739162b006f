//! A server that runs while something is done with it, and is gone afterwards.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::command;

const POLL: Duration = Duration::from_millis(20);

/// A child process; asked to stop, and made to, when dropped.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a command whose output goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        command::announce(&command);
        let log = File::create(log).with_context(|| format!("could not create `{}`", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("could not start `{}`", command.get_program().display()))?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` has something, and fails when the process ends first or `limit` is over.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        limit: Duration,
        ready: impl Fn() -> Option<T>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = ready() {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the process ended before {what}: {status}");
            }
            if start.elapsed() > limit {
                bail!("no {what} within {limit:?}");
            }
            thread::sleep(POLL);
        }
    }

    /// Sends SIGTERM and waits for the end; `None` when it does not come within `limit`.
    pub(crate) fn stop(&mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(Some(status));
        }
        command::output(command::command("kill", &["-TERM", &self.id().to_string()]))?;
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.stop(Duration::from_secs(5)), Ok(Some(_))) {
            // Nothing more can be done for a process that cannot even be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
