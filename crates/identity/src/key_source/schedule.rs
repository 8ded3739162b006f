//! When a JWK set is fetched again.
//!
//! After a success: when `refresh` has passed, or earlier when a token names an unknown key, but never within the
//! first ten seconds, so that invented key ids cannot make us pester the issuer. After a failure: after a pause
//! that doubles with every failure. Every pause is jittered, so that many gateways do not ask at once.

use std::time::Duration;

/// The least pause between two fetches that went well, and the first after one that failed.
const FLOOR: Duration = Duration::from_secs(10);
/// The first pause while there are no keys at all: every token is refused until there are.
const FLOOR_WITHOUT_KEYS: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const CEILING: Duration = Duration::from_mins(5);

/// Counts failures.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh: Duration,
    failures: u32,
}

/// How long to wait: at least `shortest`, then until asked or until `longest` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
}

impl Schedule {
    pub(super) fn new(refresh: Duration) -> Self {
        Self { refresh, failures: 0 }
    }

    /// The pause after a fetch.
    pub(super) fn after(&mut self, succeeded: bool, has_keys: bool) -> Pause {
        self.pause(succeeded, has_keys, random_fraction())
    }

    fn pause(&mut self, succeeded: bool, has_keys: bool, random: f64) -> Pause {
        if succeeded {
            self.failures = 0;
            let longest = self.refresh.mul_f64(1.0 - 0.1 * random);
            return Pause { shortest: FLOOR.min(longest), longest };
        }
        let floor = if has_keys { FLOOR } else { FLOOR_WITHOUT_KEYS };
        let doubled = floor.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        let longest = doubled.min(CEILING).mul_f64(1.0 + 0.25 * random);
        Pause { shortest: longest, longest }
    }
}

/// A number from 0 to 1. Without randomness there is no jitter, which does no harm.
fn random_fraction() -> f64 {
    let mut byte = [0];
    match aws_lc_rs::rand::fill(&mut byte) {
        Ok(()) => f64::from(byte[0]) / 255.0,
        Err(_) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let milliseconds = |pause: Pause| (pause.shortest.as_millis(), pause.longest.as_millis());
        let mut schedule = Schedule::new(Duration::from_mins(10));
        let mut failing = |has_keys| milliseconds(schedule.pause(false, has_keys, 0.0)).0;
        assert_eq!([1, 2, 3, 4].map(|_| failing(false)), [1000, 2000, 4000, 8000]);
        let cases = [
            (true, true, 0.0, (10_000, 600_000)),
            (true, true, 1.0, (10_000, 540_000)),
            (false, true, 0.0, (10_000, 10_000)),
            (false, true, 1.0, (25_000, 25_000)),
            (false, true, 0.0, (40_000, 40_000)),
            (false, true, 0.0, (80_000, 80_000)),
            (false, true, 0.0, (160_000, 160_000)),
            (false, true, 0.0, (300_000, 300_000)),
            (false, true, 1.0, (375_000, 375_000)),
            (true, true, 0.0, (10_000, 600_000)),
            (false, true, 0.0, (10_000, 10_000)),
        ];
        for (number, (succeeded, has_keys, random, expected)) in cases.into_iter().enumerate() {
            assert_eq!(milliseconds(schedule.pause(succeeded, has_keys, random)), expected, "step {number}");
        }
        let mut often = Schedule::new(Duration::from_secs(5));
        assert_eq!(milliseconds(often.pause(true, true, 0.0)), (5_000, 5_000));
        for _ in 0..100 {
            assert!(often.after(false, true).longest <= Duration::from_secs(375), "no overflow");
        }
    }
}
