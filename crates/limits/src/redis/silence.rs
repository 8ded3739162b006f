//! When a store that does not answer counts as lost: after so many decisions *and* so long without any answer. Decisions
//! travel together, so that one stall of the machine lets many of them go unanswered in the same millisecond; that alone
//! tells nothing of the connection.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// So many decisions in a row without an answer, and
const DECISIONS: u32 = 8;
/// so long since the first of them was asked.
const LONGEST: Duration = Duration::from_millis(250);

/// What went unanswered since the last answer.
#[derive(Debug)]
pub(super) struct Silence {
    began: Instant,
    in_a_row: AtomicU32,
    /// When the first of them was asked: nanoseconds since `began`, and one more, so that 0 is none.
    since: AtomicU64,
    /// When the last answer was read, in the same way.
    answered: AtomicU64,
}

impl Silence {
    pub(super) fn new() -> Self {
        let (in_a_row, since, answered) = (AtomicU32::new(0), AtomicU64::new(0), AtomicU64::new(0));
        Self { began: Instant::now(), in_a_row, since, answered }
    }

    pub(super) fn ends(&self) {
        self.ends_at(self.began.elapsed());
    }

    fn ends_at(&self, now: Duration) {
        self.in_a_row.store(0, Ordering::Relaxed);
        self.since.store(0, Ordering::Relaxed);
        self.answered.store(nanoseconds(now).saturating_add(1), Ordering::Relaxed);
    }

    /// Whether there was an answer so lately.
    pub(super) fn is_shorter_than(&self, time: Duration) -> bool {
        self.is_shorter_at(self.began.elapsed(), time)
    }

    fn is_shorter_at(&self, now: Duration, time: Duration) -> bool {
        let answered = self.answered.load(Ordering::Relaxed);
        answered != 0 && nanoseconds(now).saturating_add(1).saturating_sub(answered) < nanoseconds(time)
    }

    /// One that was asked `asked` ago goes unanswered. Whether the silence has lasted too long.
    pub(super) fn goes_on(&self, asked: Duration) -> bool {
        self.goes_on_at(self.began.elapsed(), asked)
    }

    fn goes_on_at(&self, now: Duration, asked: Duration) -> bool {
        let first = nanoseconds(now.saturating_sub(asked)).saturating_add(1);
        let since = self.since.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
        let since = since.map_or_else(|known| known, |_| first);
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        in_a_row >= DECISIONS
            && nanoseconds(now).saturating_add(1).saturating_sub(since) >= nanoseconds(LONGEST)
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(5);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn many_that_go_unanswered_at_once_are_one_stall() {
        let silence = Silence::new();
        for decision in 0..64 {
            assert!(!silence.goes_on_at(at(1000), TIMEOUT), "{decision}");
        }
        assert!(!silence.goes_on_at(at(1244), TIMEOUT), "asked at 995, silent for 249");
        assert!(silence.goes_on_at(at(1245), TIMEOUT));
    }

    #[test]
    fn few_are_no_silence_however_long_they_waited() {
        let (silence, second) = (Silence::new(), Duration::from_secs(1));
        for decision in 0..DECISIONS - 1 {
            assert!(!silence.goes_on_at(at(5000), second), "{decision}");
        }
        assert!(silence.goes_on_at(at(5000), second), "with a timeout of a second they say enough");
    }

    #[test]
    fn an_answer_ends_it() {
        let silence = Silence::new();
        for _ in 0..64 {
            silence.goes_on_at(at(1000), TIMEOUT);
        }
        silence.ends();
        for decision in 0..64 {
            assert!(!silence.goes_on_at(at(2000), TIMEOUT), "{decision}");
        }
    }
    #[test]
    fn it_is_as_long_as_the_last_answer_is_ago() {
        let silence = Silence::new();
        assert!(!silence.is_shorter_at(at(1), TIMEOUT), "there was no answer yet");
        silence.ends_at(at(1000));
        assert!(silence.is_shorter_at(at(1004), TIMEOUT));
        assert!(!silence.is_shorter_at(at(1005), TIMEOUT));
    }
}
