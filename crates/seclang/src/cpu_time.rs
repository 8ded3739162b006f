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
        now().saturating_sub(start)
    };
    (0..RUNS).map(|_| run()).min().unwrap_or_default()
}

/// Whether sixteen times as much takes about sixteen times as long, not 256 times. On a busy machine one look may
/// mislead, several do not: what is quadratic never passes.
pub(crate) fn is_linear(small: &[u8], large: &[u8], work: impl Fn(&[u8])) -> bool {
    const SHORTEST: Duration = Duration::from_micros(50);
    assert!(large.len() >= small.len() * 15, "growth cannot be seen");
    (0..5).any(|_| {
        let [small, large] = [small, large].map(|value| cpu_time(|| work(value)));
        large < small.max(SHORTEST) * 16 * 5
    })
}
