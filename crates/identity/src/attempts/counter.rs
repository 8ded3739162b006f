//! Failures within a window, and the pause that follows too many.

use std::time::Duration;

use smallvec::SmallVec;

use super::{
    LoginProtection,
    table::{Held, Key},
};

/// Times are milliseconds since an origin.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// What failed or is not decided yet.
    attempts: SmallVec<[Begun; 5]>,
    /// What the last pause is for.
    blamed: SmallVec<[Begun; 5]>,
    paused_until: u64,
    pauses: u32,
}

/// An attempt: when it began, and for which account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) at: u64,
    pub(super) account: Key,
}

/// Milliseconds to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait(pub(super) u64);

impl Counter {
    /// How long an attempt must wait, if it must.
    pub(super) fn wait(&mut self, rules: &Rules, now: u64) -> Option<Wait> {
        self.forget(rules, now);
        if self.paused_until > now {
            return Some(Wait(self.paused_until - now));
        }
        if self.attempts.len() < rules.failures {
            return None;
        }
        // Nobody decided the last one, as when clients hang up before the answer: they count as failures.
        if self.attempts.last()?.at.saturating_add(rules.undecided) <= now {
            return Some(Wait(self.pause(rules, now)));
        }
        Some(Wait(self.attempts.first()?.at.saturating_add(rules.window).saturating_sub(now)))
    }

    pub(super) fn begin(&mut self, attempt: Begun) {
        self.attempts.push(attempt);
    }

    /// The attempt stays counted; the length of the pause if it was one too many.
    pub(super) fn fail(&mut self, rules: &Rules, began: Begun, now: u64) -> Option<Duration> {
        self.forget(rules, now);
        if self.paused_until > now {
            return None;
        }
        // A success of another attempt may have begun the counter anew meanwhile.
        if !self.attempts.contains(&began) {
            self.attempts.push(began);
        }
        (self.attempts.len() >= rules.failures).then(|| Duration::from_millis(self.pause(rules, now)))
    }

    fn pause(&mut self, rules: &Rules, now: u64) -> u64 {
        let doubled = rules.pause.saturating_mul(2_u64.saturating_pow(self.pauses));
        let pause = doubled.min(rules.longest_pause);
        self.pauses = self.pauses.saturating_add(1);
        self.paused_until = now.saturating_add(pause);
        self.blamed = std::mem::take(&mut self.attempts);
        pause
    }

    /// Takes back one attempt.
    pub(super) fn undo(&mut self, began: Begun) {
        if let Some(place) = self.attempts.iter().position(|attempt| *attempt == began) {
            self.attempts.remove(place);
        }
    }

    /// Takes back every attempt of an account, and the pause if it would not have begun without them.
    pub(super) fn absolve(&mut self, account: Key, rules: &Rules, now: u64) {
        self.attempts.retain(|attempt| attempt.account != account);
        if !self.blamed.iter().any(|attempt| attempt.account == account) {
            return;
        }
        self.blamed.retain(|attempt| attempt.account != account);
        if self.paused_until > now {
            self.paused_until = now;
            self.pauses = self.pauses.saturating_sub(1);
            let others = std::mem::take(&mut self.blamed);
            self.attempts.insert_many(0, others);
            self.forget(rules, now);
        }
    }

    /// Whether an account has to do with it.
    pub(super) fn concerns(&self, account: Key) -> bool {
        self.attempts.iter().chain(&self.blamed).any(|attempt| attempt.account == account)
    }

    fn forget(&mut self, rules: &Rules, now: u64) {
        self.attempts.retain(|attempt| attempt.at.saturating_add(rules.window) > now);
        if self.paused_until.saturating_add(rules.longest_pause) <= now {
            self.pauses = 0;
        }
    }
}

/// The paused are kept longest, then those with more failures, then the later ones.
impl Held for Counter {
    fn worth(&self, now: u64) -> (bool, usize, u64) {
        let last = self.attempts.last().map_or(0, |attempt| attempt.at);
        (self.paused_until > now, self.attempts.len(), last.max(self.paused_until))
    }
}

/// The protection in the numbers of a counter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) failures: usize,
    pub(super) window: u64,
    pub(super) pause: u64,
    pub(super) longest_pause: u64,
    /// How long an attempt may take before it counts as failed.
    pub(super) undecided: u64,
}

impl Rules {
    pub(super) fn of(protection: &LoginProtection) -> Self {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            failures: usize::from(protection.failures.max(1)),
            window: milliseconds(protection.window),
            pause: milliseconds(protection.pause),
            longest_pause: milliseconds(protection.longest_pause),
            undecided: 60_000,
        }
    }
}
