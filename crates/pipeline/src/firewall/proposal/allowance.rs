//! How much may be tried: whoever sends attacks must not make each of them cost twice.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The longest request that is tried, in bytes that rules look at.
const LONGEST: usize = 16 * 1024;
/// What a trial costs beside what rules look at, and each exclusion of it, in bytes: a third of a millisecond.
const EACH: usize = 1024;
/// How many bytes are tried at most in one go.
const MOST: usize = 1 << 20;
/// How many bytes are tried in a second: at 3 MB/s, the slowest that rules read, less than a tenth of a processor.
const PER_SECOND: usize = 256 * 1024;

/// What trials may cost, of all routes together. Cloning it gives another handle to the same.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    spent: Option<Arc<Mutex<Spent>>>,
}

#[derive(Debug)]
struct Spent {
    bytes: usize,
    at: Instant,
}

impl Allowance {
    /// What a gateway may spend.
    pub(crate) fn new() -> Self {
        Self { spent: Some(Arc::new(Mutex::new(Spent { bytes: 0, at: Instant::now() }))) }
    }

    /// For whoever has nothing else to do.
    pub(crate) const fn boundless() -> Self {
        Self { spent: None }
    }

    /// Takes what a trial of this many bytes with so many exclusions costs, if there is that much.
    pub(crate) fn take(&self, length: usize, exclusions: usize) -> bool {
        let Some(spent) = &self.spent else { return true };
        let cost = || length + EACH * (1 + exclusions);
        length < LONGEST && spent.lock().take(cost(), Instant::now())
    }
}

impl Spent {
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).min(Duration::from_mins(1));
        // INVARIANT: a minute has 60,000 of them.
        let passed = usize::try_from(passed.as_millis()).unwrap_or(usize::MAX);
        let regained = passed.saturating_mul(PER_SECOND) / 1000;
        // Time that has regained nothing is kept.
        if regained > 0 {
            (self.bytes, self.at) = (self.bytes.saturating_sub(regained), now);
        }
        let fits = self.bytes + bytes <= MOST;
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_cost_a_bounded_part_of_the_time() {
        let start = Instant::now();
        let mut spent = Spent { bytes: 0, at: start };
        let mut tried = |after: Duration| (0..1000).take_while(|_| spent.take(4096, start + after)).count();
        assert_eq!(tried(Duration::ZERO), 256);
        assert_eq!(tried(Duration::from_secs(1)), 64);
        assert_eq!(tried(Duration::from_secs(1)), 0);
        assert_eq!(tried(Duration::from_hours(2)), 256);
    }

    #[test]
    fn only_short_requests_are_tried() {
        assert!(Allowance::new().take(LONGEST - 1, 1) && !Allowance::new().take(LONGEST, 1));
        assert!(Allowance::boundless().take(LONGEST, 1));
        assert!(Allowance::new().take(1, 100) && !Allowance::new().take(1, MOST / EACH));
    }
}
