//! Time as the limits read it: nanoseconds that nobody can set back. Not the time of day; that is for records.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// A point in time: nanoseconds since an origin that all callers of one store share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(u64);

impl Nanos {
    /// The last point in time, 146 years after the origin: whatever is computed from it still fits 64 bits.
    pub const LAST: Self = Self(1 << 62);

    /// The point so many nanoseconds after the origin, at most [`Nanos::LAST`].
    pub fn new(nanoseconds: u64) -> Self {
        Self(nanoseconds).min(Self::LAST)
    }

    /// Nanoseconds since the origin.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What the machine's clock shows when the process begins, 2.3 years: further from the origin than any window reaches
/// back, a longest one with its factors. What another store has counted may have begun before this process did.
const BEGINNING: u64 = 1 << 56;

/// Where the time comes from: the machine's monotonic clock, or a test.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Monotonic { began: Instant },
    Injected(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's monotonic clock; its origin lies some years back.
    pub fn monotonic() -> Self {
        Self(Source::Monotonic { began: Instant::now() })
    }

    /// A clock that stands at whatever the test has stored: nanoseconds since the origin.
    pub fn injected(nanoseconds: Arc<AtomicU64>) -> Self {
        Self(Source::Injected(nanoseconds))
    }

    /// Reads the clock.
    pub fn now(&self) -> Nanos {
        Nanos::new(match &self.0 {
            Source::Monotonic { began } => {
                u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX).saturating_add(BEGINNING)
            }
            Source::Injected(nanoseconds) => nanoseconds.load(Ordering::Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_injected_clock_stands_where_it_was_put_and_never_past_the_last_point() {
        let time = Arc::new(AtomicU64::new(7));
        let clock = Clock::injected(Arc::clone(&time));
        assert_eq!(clock.now().get(), 7);
        time.store(u64::MAX, Ordering::Relaxed);
        assert_eq!(clock.now(), Nanos::LAST);
    }

    #[test]
    fn the_monotonic_clock_never_goes_back() {
        let clock = Clock::monotonic();
        let readings: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
    }
}
