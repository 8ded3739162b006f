//! How long to leave a receiver alone that does not take anything.

use std::time::Duration;

use uuid::Uuid;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);
/// What a receiver may ask for (`Retry-After`).
const LONGEST_ASKED: Duration = Duration::from_mins(10);

/// Twice as long after each failure, and never twice the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// After another failure; at least as long as the receiver has `asked` for.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        self.after(asked, random())
    }

    /// It takes events again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    fn after(&mut self, asked: Option<Duration>, random: u32) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Between half of it and all of it, so that gateways which failed together do not come back together.
        let jittered = doubled / 2 + (doubled / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
        jittered.max(asked.unwrap_or_default().min(LONGEST_ASKED))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "32 bits are wanted")]
fn random() -> u32 {
    Uuid::new_v4().as_u128() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_to_a_minute_and_honours_what_is_asked() {
        let mut backoff = Backoff::default();
        let milliseconds: Vec<_> = (0..10).map(|_| backoff.after(None, u32::MAX).as_millis()).collect();
        assert_eq!(milliseconds, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
        assert_eq!(backoff.after(None, 0), LONGEST / 2);
        assert_eq!(backoff.after(Some(Duration::from_secs(90)), 0), Duration::from_secs(90));
        assert_eq!(backoff.after(Some(Duration::from_hours(24)), 0), LONGEST_ASKED);
        backoff.reset();
        assert_eq!(backoff.after(Some(Duration::ZERO), 0), FIRST / 2);
        for _ in 0..100 {
            assert!(backoff.next(None) <= LONGEST);
        }
    }
}
