//! How many lines of one kind the log gets: what anybody can cause must not fill a disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const SECOND: Duration = Duration::from_secs(1);

/// At most so many lines in a second. Those that are not written are counted, and the next line says how many they were.
#[derive(Debug)]
pub(crate) struct LogRate {
    most: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Of the second that runs.
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl LogRate {
    /// At most `most` lines in a second.
    pub(crate) const fn new(most: u32) -> Self {
        Self { most, state: Mutex::new(State { began: None, written: 0, left_out: 0 }) }
    }

    /// Whether a line may be written `now`: then how many were not since the last one.
    pub(crate) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.began.is_none_or(|began| now.saturating_duration_since(began) >= SECOND) {
            (state.began, state.written) = (Some(now), 0);
        }
        if state.written == self.most {
            state.left_out += 1;
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_rate_are_counted() {
        let (rate, start) = (LogRate::new(2), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let admitted = [0, 1, 2, 999, 1000, 1001, 1002, 3000].map(|now| rate.admit(at(now)));
        assert_eq!(admitted, [Some(0), Some(0), None, None, Some(2), Some(0), None, Some(1)]);
    }
}
