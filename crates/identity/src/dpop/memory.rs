//! Proofs that were seen, until they are too old anyway.
//!
//! How many are remembered is bounded, for one key and for all: whoever makes many proofs with a key takes room from
//! nobody else.

use std::collections::{BTreeMap, HashMap, HashSet};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::signature::Use;

/// Half of a SHA-256: as long as anybody would search for two proofs with the same.
type Fingerprint = [u8; 16];

/// The proofs that were seen.
#[derive(Debug)]
pub(super) struct ProofMemory {
    /// The second in which the memory began.
    since: u64,
    /// How many proofs may be remembered at a time.
    room: usize,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    proofs: HashSet<Fingerprint>,
    /// How many there are of each key.
    by_key: HashMap<Fingerprint, usize>,
    /// Key and proof, by the last second in which the proof counts.
    until: BTreeMap<u64, Vec<(Fingerprint, Fingerprint)>>,
}

impl ProofMemory {
    /// Nothing was seen yet, as of this second.
    pub(super) fn since(now: u64, room: usize) -> Self {
        Self { since: now, room, seen: Mutex::default() }
    }

    /// Whether every proof that was made at `issued` or later is remembered.
    pub(super) fn remembers(&self, issued: u64) -> bool {
        issued >= self.since
    }

    /// Uses the proof `id` of the key with this thumbprint, which counts up to the second `until`. There may be `most` of
    /// the key at a time.
    pub(super) fn spend(&self, thumbprint: &str, id: &str, until: u64, now: u64, most: usize) -> Use {
        let (key, proof) = (fingerprint(&[thumbprint]), fingerprint(&[thumbprint, " ", id]));
        let mut seen = self.seen.lock();
        seen.forget_before(now);
        if seen.proofs.contains(&proof) {
            return Use::Again;
        }
        let of_key = seen.by_key.get(&key).copied().unwrap_or(0);
        if seen.proofs.len() >= self.room || of_key >= most {
            return Use::NoRoom;
        }
        seen.proofs.insert(proof);
        seen.by_key.insert(key, of_key.saturating_add(1));
        seen.until.entry(until).or_default().push((key, proof));
        Use::First
    }
}

impl Seen {
    fn forget_before(&mut self, now: u64) {
        while let Some(earliest) = self.until.first_entry().filter(|entry| *entry.key() < now) {
            for (key, proof) in earliest.remove() {
                self.proofs.remove(&proof);
                if let Some(of_key) = self.by_key.get_mut(&key) {
                    *of_key = of_key.saturating_sub(1);
                    if *of_key == 0 {
                        self.by_key.remove(&key);
                    }
                }
            }
        }
    }
}

fn fingerprint(parts: &[&str]) -> Fingerprint {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    let hash: [u8; 32] = digest.finalize().into();
    let [first, _] = hash.as_chunks().0 else { return [0; 16] };
    *first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_takes_room_from_no_other() {
        let memory = ProofMemory::since(0, 3);
        let spend = |key: &str, id: &str, until, now| memory.spend(key, id, until, now, 2);
        assert_eq!(spend("a", "1", 60, 0), Use::First);
        assert_eq!(spend("a", "2", 70, 0), Use::First);
        assert_eq!(spend("a", "3", 60, 0), Use::NoRoom);
        assert_eq!(spend("b", "1", 60, 0), Use::First, "another key has its own room");
        assert_eq!(spend("c", "1", 60, 0), Use::NoRoom, "there is none for all together");
        assert_eq!(spend("a", "2", 70, 0), Use::Again, "what is known is still known");
        assert_eq!(spend("a", "3", 130, 61), Use::First, "room is made as proofs lapse");
        assert_eq!(spend("a", "2", 130, 71), Use::First);
        assert_eq!(memory.seen.lock().by_key.len(), 1, "keys lapse with their proofs");
    }
}
