//! How long this thread was at work, for tests of growth: others on the machine do not count.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The shortest of several runs.
pub(crate) fn cpu_time(mut work: impl FnMut()) -> Duration {
    const RUNS: usize = 3;
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let mut run = || {
        let start = now();
        work();
        now() - start
    };
    (0..RUNS).map(|_| run()).min().unwrap_or_default()
}
