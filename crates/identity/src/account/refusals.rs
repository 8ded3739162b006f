//! How many refusals of callers nobody knows the audit trail takes.
//!
//! Whoever asks `/auth/token` with made-up clients, or tries to log in during a pause, writes a row each time, without an
//! account and as fast as limits let them. So there are so many entries a minute, and the next one that is written says how many were left out.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

const WINDOW: Duration = Duration::from_mins(1);
const AT_MOST: u32 = 60;

/// What has been written lately.
#[derive(Debug, Default)]
pub(crate) struct RefusalBudget(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl RefusalBudget {
    /// Whether another entry may be written; and how many have been left out since the last one.
    pub(crate) fn take(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock();
        if window.began.is_none_or(|began| now.saturating_duration_since(began) >= WINDOW) {
            window.began = Some(now);
            window.written = 0;
        }
        if window.written >= AT_MOST {
            window.left_out = window.left_out.saturating_add(1);
            return None;
        }
        window.written += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_written() {
        let (budget, now) = (RefusalBudget::default(), Instant::now());
        for _ in 0..AT_MOST {
            assert_eq!(budget.take(now), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(budget.take(now + WINDOW / 2), None);
        }
        assert_eq!(budget.take(now + WINDOW), Some(1000), "the next one tells of them");
        assert_eq!(budget.take(now + WINDOW), Some(0));
    }
}
