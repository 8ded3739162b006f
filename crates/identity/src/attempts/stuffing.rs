//! Credential stuffing: which accounts failed under one key, a network or a password.

use smallvec::SmallVec;

use super::table::{Held, Key};

/// The accounts that failed lately, as hashed keys, each with its last time.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    failed: SmallVec<[(u64, u64); 4]>,
    suspect_until: u64,
}

impl Accounts {
    /// Counts an account; the number of accounts if that made the key suspect.
    pub(super) fn fail(&mut self, account: Key, threshold: usize, window: u64, now: u64) -> Option<usize> {
        let account = account.number();
        self.failed.retain(|(other, failed)| *other != account && failed.saturating_add(window) > now);
        self.failed.push((account, now));
        if self.failed.len() < threshold {
            return None;
        }
        let accounts = self.failed.len();
        let known = self.is_suspect(now);
        // What made it suspect need not be held any more: as many again keep it so.
        self.failed.clear();
        self.suspect_until = now.saturating_add(window);
        (!known).then_some(accounts)
    }

    /// An account has nothing to do with it.
    pub(super) fn absolve(&mut self, account: Key) {
        self.failed.retain(|(other, _)| *other != account.number());
    }

    /// Milliseconds until it is suspect no longer.
    pub(super) fn suspect_for(&self, now: u64) -> Option<u64> {
        self.suspect_until.checked_sub(now).filter(|left| *left > 0)
    }

    pub(super) fn is_suspect(&self, now: u64) -> bool {
        self.suspect_until > now
    }
}

impl Held for Accounts {
    fn worth(&self, now: u64) -> (bool, usize, u64) {
        let last = self.failed.last().map_or(0, |(_, failed)| *failed);
        (self.is_suspect(now), self.failed.len(), last.max(self.suspect_until))
    }
}
