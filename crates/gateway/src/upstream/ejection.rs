//! Passive health: a target that fails real requests several times in a row is left alone for a while.
//!
//! The times grow with each ejection and are forgotten once the target has behaved for long enough. This is
//! the "consecutive gateway failure" rule of Envoy's outlier detection.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use bartizan_config as config;
use tokio::time::Instant;

/// Times are counted from here, so that they fit an atomic.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch(Instant);

impl Epoch {
    pub(super) fn now() -> Self {
        Self(Instant::now())
    }

    fn elapsed(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The rule of one upstream; its targets are ejected one at a time, so that the share is never exceeded.
#[derive(Debug)]
pub(super) struct Ejector {
    rule: config::Ejection,
    epoch: Epoch,
    turn: Mutex<()>,
}

/// The standing of one target.
#[derive(Debug, Default)]
pub(super) struct Standing {
    failures: AtomicU32,
    /// Milliseconds since the epoch; 0 when never ejected.
    until: AtomicU64,
    /// How many times in a row it has been ejected.
    times: AtomicU32,
}

impl Ejector {
    /// The growth of ejection times stops here.
    const LONGEST: u32 = 16;

    pub(super) fn new(rule: config::Ejection) -> Self {
        Self { rule, epoch: Epoch::now(), turn: Mutex::default() }
    }

    /// Takes note of a success.
    pub(super) fn succeeded(standing: &Standing) {
        if standing.failures.load(Ordering::Relaxed) != 0 {
            standing.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Takes note of a failure; says for how long the target is ejected if that was the last straw.
    pub(super) fn failed<'a>(
        &self,
        standing: &'a Standing,
        all: impl ExactSizeIterator<Item = &'a Standing>,
    ) -> Option<Duration> {
        let failures = standing.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures < self.rule.consecutive_failures || all.len() < 2 {
            return None;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.epoch.elapsed();
        let until = standing.until.load(Ordering::Relaxed);
        if until > now {
            return None;
        }
        let count = all.len();
        let ejected = all.filter(|other| other.until.load(Ordering::Relaxed) > now).count();
        if (ejected + 1) * 100 > count * usize::from(self.rule.max_percent) {
            return None;
        }
        let base = u64::try_from(self.rule.base.as_millis()).unwrap_or(u64::MAX);
        let forgiven = now.saturating_sub(until) > base.saturating_mul(u64::from(Self::LONGEST));
        let times = if until == 0 || forgiven { 0 } else { standing.times.load(Ordering::Relaxed) };
        let factor = 1_u32.checked_shl(times).map_or(Self::LONGEST, |factor| factor.min(Self::LONGEST));
        let length = self.rule.base.saturating_mul(factor);
        standing.times.store(times.saturating_add(1), Ordering::Relaxed);
        standing.failures.store(0, Ordering::Relaxed);
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        standing.until.store(now.saturating_add(millis), Ordering::Relaxed);
        Some(length)
    }

    /// Whether the target is to be left alone. The clock is read only for a target that was ever ejected.
    pub(super) fn is_ejected(&self, standing: &Standing) -> bool {
        self.remaining(standing).is_some()
    }

    /// How long the target is still to be left alone.
    pub(super) fn remaining(&self, standing: &Standing) -> Option<Duration> {
        let until = standing.until.load(Ordering::Relaxed);
        if until == 0 {
            return None;
        }
        let left = until.saturating_sub(self.epoch.elapsed());
        (left > 0).then(|| Duration::from_millis(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ejector(max_percent: u8) -> Ejector {
        Ejector::new(config::Ejection { consecutive_failures: 3, base: Duration::from_secs(10), max_percent })
    }

    fn fail(ejector: &Ejector, all: &[Standing], target: usize, times: usize) -> Option<Duration> {
        (0..times).fold(None, |ejected, _| ejected.or(ejector.failed(&all[target], all.iter())))
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_eject_and_time_brings_back() {
        let (ejector, all) = (ejector(50), [Standing::default(), Standing::default()]);
        assert_eq!(fail(&ejector, &all, 0, 2), None);
        Ejector::succeeded(&all[0]);
        assert_eq!(fail(&ejector, &all, 0, 2), None, "a success starts the count anew");
        assert_eq!(fail(&ejector, &all, 0, 1), Some(Duration::from_secs(10)));
        assert!(ejector.is_ejected(&all[0]));
        assert!(!ejector.is_ejected(&all[1]));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(!ejector.is_ejected(&all[0]));
    }

    #[tokio::test(start_paused = true)]
    async fn ejections_double_up_to_sixteen_times_and_are_forgotten() {
        let (ejector, all) = (ejector(50), [Standing::default(), Standing::default()]);
        for factor in [1, 2, 4, 8, 16, 16] {
            let length = fail(&ejector, &all, 0, 3).expect("ejected");
            assert_eq!(length, Duration::from_secs(10 * factor));
            tokio::time::advance(length).await;
        }
        tokio::time::advance(Duration::from_secs(161)).await;
        assert_eq!(fail(&ejector, &all, 0, 3), Some(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_share_is_never_exceeded() {
        for (targets, max_percent, ejected) in
            [(1, 100, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (4, 100, 4), (3, 10, 0)]
        {
            let ejector = ejector(max_percent);
            let all: Vec<Standing> = (0..targets).map(|_| Standing::default()).collect();
            for target in 0..targets {
                fail(&ejector, &all, target, 3);
            }
            let out = all.iter().filter(|standing| ejector.is_ejected(standing)).count();
            assert_eq!(out, ejected, "{targets} targets, {max_percent} percent");
        }
    }
}
