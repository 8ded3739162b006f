//! The algorithms once more, plainly: wide integers, no division where a comparison can be multiplied out, a bucket's
//! debt instead of its arrival time.

use bartizan_model::Algorithm;

use crate::{
    algorithm::{Level, longest_debt},
    charge::Effective,
};

#[derive(Default)]
pub(super) struct Reference {
    /// When it was last asked.
    last: Option<i128>,
    /// Nanoseconds until the bucket is full.
    debt: i128,
    start: i128,
    current: i128,
    previous: i128,
}

impl Reference {
    pub(super) fn ask(&mut self, asked: &Effective, now: i128) -> (bool, Level) {
        let [limit, burst, window, cost] =
            [asked.limit, asked.burst, asked.window, asked.cost].map(i128::from);
        if asked.algorithm == Algorithm::TokenBucket {
            let passed = now - self.last.replace(now).unwrap_or(now);
            self.debt = (self.debt - passed).clamp(0, longest_debt(&asked.stated).into());
            return self.ask_bucket(limit, burst, window, cost);
        }
        let spans = if asked.algorithm == Algorithm::SlidingWindow { 2 } else { 1 };
        self.roll(spans, window, now);
        // Use is compared in units times nanoseconds, where nothing is rounded.
        let used = self.previous * (self.start + window - now) + self.current * window;
        let admitted = used + cost * window <= limit * window;
        if admitted {
            self.current += cost;
        }
        let used = if admitted { used + cost * window } else { used };
        let ends = match (self.current, self.previous) {
            (0, 0) => now,
            (0, _) => self.start + window,
            _ => self.start + spans * window,
        };
        (admitted, level((limit * window - used).max(0) / window, ends - now))
    }

    fn ask_bucket(&mut self, limit: i128, burst: i128, window: i128, cost: i128) -> (bool, Level) {
        let interval = (window + limit - 1) / limit;
        let full = burst * interval;
        let admitted = self.debt + cost * interval <= full;
        if admitted {
            self.debt += cost * interval;
        }
        (admitted, level((full - self.debt).max(0) / interval, self.debt))
    }

    fn roll(&mut self, spans: i128, window: i128, now: i128) {
        let passed = (now - self.start).div_euclid(window);
        if passed < 0 {
            self.start = now;
        } else if passed >= spans || self.current + self.previous == 0 || passed == 1 && self.current == 0 {
            (self.start, self.current, self.previous) = (now, 0, 0);
        } else if passed == 1 {
            (self.start, self.current, self.previous) = (self.start + window, 0, self.current);
        }
    }
}

fn level(remaining: i128, reset: i128) -> Level {
    Level { remaining: u64::try_from(remaining).unwrap(), reset: u64::try_from(reset).unwrap() }
}
