//! Nonces that were used: a signature is accepted once.
//!
//! They are remembered in memory until the signature would be too old anyway, and by all gateways that share a store
//! ([`crate::Together`]). What was signed
//! before the memory began may have been used before, so it is refused; how much may be remembered is bounded, and
//! where there is room for no more, nothing is accepted.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

/// The nonces of one key.
#[derive(Debug)]
pub(crate) struct Nonces {
    /// The second in which the memory began.
    since: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    nonces: HashSet<[u8; 16]>,
    /// By the last second in which they count.
    until: BTreeMap<u64, Vec<[u8; 16]>>,
}

/// What becomes of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    First,
    Again,
    /// It cannot be remembered.
    NoRoom,
}

impl Nonces {
    /// None yet, as of this second.
    pub(crate) fn since(now: u64) -> Self {
        Self { since: now, used: Mutex::default() }
    }

    /// Whether everything signed at `created` or later is remembered.
    pub(crate) fn remembers(&self, created: u64) -> bool {
        created >= self.since
    }

    /// Uses a nonce, which is remembered up to the second `until`. There may be `most` at a time.
    pub(crate) fn spend(&self, nonce: &str, until: u64, now: u64, most: usize) -> Use {
        let fingerprint = fingerprint(nonce);
        let mut used = self.used.lock();
        used.forget_before(now);
        if used.nonces.contains(&fingerprint) {
            return Use::Again;
        }
        if used.nonces.len() >= most {
            return Use::NoRoom;
        }
        used.nonces.insert(fingerprint);
        used.until.entry(until).or_default().push(fingerprint);
        Use::First
    }
}

impl Used {
    fn forget_before(&mut self, now: u64) {
        while let Some(earliest) = self.until.first_entry().filter(|entry| *entry.key() < now) {
            for nonce in earliest.remove() {
                self.nonces.remove(&nonce);
            }
        }
    }
}

/// Half of a SHA-256: as long as anybody would search for two nonces with the same, and of one length for all.
fn fingerprint(nonce: &str) -> [u8; 16] {
    let hash: [u8; 32] = Sha256::digest(nonce).into();
    let [first, _] = hash.as_chunks().0 else { return [0; 16] };
    *first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_once_until_it_lapses() {
        let nonces = Nonces::since(100);
        assert_eq!(nonces.spend("a", 160, 100, 2), Use::First);
        assert_eq!(nonces.spend("a", 160, 160, 2), Use::Again);
        assert_eq!(nonces.spend("a", 500, 161, 2), Use::First, "the signature that used it has lapsed");
    }

    #[test]
    fn what_finds_no_room_is_not_accepted() {
        let nonces = Nonces::since(100);
        assert_eq!(nonces.spend("a", 160, 100, 2), Use::First);
        assert_eq!(nonces.spend("b", 170, 100, 2), Use::First);
        assert_eq!(nonces.spend("c", 170, 100, 2), Use::NoRoom);
        assert_eq!(nonces.spend("b", 170, 100, 2), Use::Again, "what is known is still known");
        assert_eq!(nonces.spend("c", 170, 161, 2), Use::First, "room is made as nonces lapse");
    }

    #[test]
    fn nothing_is_remembered_from_before() {
        let nonces = Nonces::since(100);
        assert!(!nonces.remembers(99));
        assert!(nonces.remembers(100));
    }
}
