//! How many of the requests that were served the rules look at.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use metrics::{Counter, counter};

/// So many a second. The first of each second are taken.
#[derive(Debug)]
pub(super) struct Served {
    most: AtomicU32,
    /// The second in the upper half, how many it has had in the lower.
    second: AtomicU64,
    left_out: Counter,
}

impl Served {
    pub(super) fn new(most: NonZeroU32) -> Self {
        let left_out = counter!("bartizan_detection_unseen_total", "reason" => "served");
        Self { most: AtomicU32::new(most.get()), second: AtomicU64::new(0), left_out }
    }

    pub(super) fn set(&self, most: NonZeroU32) {
        self.most.store(most.get(), Ordering::Relaxed);
    }

    /// Whether one of this moment is taken.
    pub(super) fn takes(&self, moment: SystemTime) -> bool {
        let second = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() & u64::from(u32::MAX);
        let most = u64::from(self.most.load(Ordering::Relaxed));
        let before = self.second.load(Ordering::Relaxed);
        if before >> 32 != second {
            // Whoever loses this begins the second anew or counts in it; a few more are no harm.
            self.second.store(second << 32 | 1, Ordering::Relaxed);
            return true;
        }
        let had = before & u64::from(u32::MAX);
        had < most && {
            self.second.fetch_add(1, Ordering::Relaxed);
            true
        }
    }

    /// One was not.
    pub(super) fn leave_out(&self) {
        self.left_out.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_second_has_so_many() {
        let served = Served::new(NonZeroU32::new(3).unwrap());
        let taken =
            |second: u64| (0..5).filter(|_| served.takes(UNIX_EPOCH + Duration::from_secs(second))).count();
        assert_eq!([7, 7, 8, 9].map(taken), [3, 0, 3, 3]);
        served.set(NonZeroU32::MIN);
        assert_eq!(taken(10), 1);
    }
}
