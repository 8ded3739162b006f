//! Block and allow lists by address prefix, with expiry.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use bartizan_model::canonical_network;
use ipnet::IpNet;

/// The lists. Readers never wait; writers take turns.
#[derive(Debug, Default)]
pub struct AddressLists {
    snapshot: ArcSwap<Snapshot>,
    writing: Mutex<()>,
}

/// What is known about a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whether it may ask.
    pub standing: Standing,
    /// When the entry ends; `None` means with the process.
    pub until: Option<SystemTime>,
    /// Why, in the words of whoever set it.
    pub reason: Arc<str>,
}

/// Whether an address may ask at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every request is refused.
    Blocked,
    /// Not to be blocked by a wider entry.
    Allowed,
}

/// Why an entry was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReputationError {
    /// The lists hold as many entries as they may.
    #[error("the address lists are full ({limit} entries): remove some or use wider prefixes")]
    Full {
        /// Entries at most.
        limit: usize,
    },
    /// A prefix that covers every address.
    #[error("`{0}` covers every address")]
    Everybody(IpNet),
}

const MAX_ENTRIES: usize = 100_000;

// === impl AddressLists ===

impl AddressLists {
    /// Sets the entry of `prefix` and returns the one that it replaces. Expired entries are swept on the way.
    pub fn set(&self, prefix: IpNet, entry: Entry) -> Result<Option<Entry>, ReputationError> {
        let prefix = canonical_network(prefix);
        if prefix.prefix_len() == 0 && entry.standing == Standing::Blocked {
            return Err(ReputationError::Everybody(prefix));
        }
        self.change(|entries| {
            let now = SystemTime::now();
            entries.retain(|_, entry| entry.lasts(now));
            if entries.len() >= MAX_ENTRIES && !entries.contains_key(&prefix) {
                return Err(ReputationError::Full { limit: MAX_ENTRIES });
            }
            Ok(entries.insert(prefix, entry))
        })
    }

    /// Removes the entry of exactly this prefix and returns it.
    pub fn remove(&self, prefix: IpNet) -> Option<Entry> {
        self.change(|entries| entries.remove(&canonical_network(prefix)))
    }

    /// The most specific entry that covers `address` and has not expired at `now`.
    pub fn standing(&self, address: IpAddr, now: SystemTime) -> Option<Entry> {
        let snapshot = self.snapshot.load();
        if snapshot.entries.is_empty() {
            return None;
        }
        let address = address.to_canonical();
        let lengths = if address.is_ipv4() { &snapshot.v4_lengths } else { &snapshot.v6_lengths };
        lengths.iter().find_map(|&length| {
            let prefix = IpNet::new(address, length).ok()?.trunc();
            snapshot.entries.get(&prefix).filter(|entry| entry.lasts(now)).cloned()
        })
    }

    /// Every entry that has not expired at `now`, ordered by prefix.
    pub fn entries(&self, now: SystemTime) -> Vec<(IpNet, Entry)> {
        let snapshot = self.snapshot.load();
        let lasting = snapshot.entries.iter().filter(|(_, entry)| entry.lasts(now));
        let mut entries: Vec<_> = lasting.map(|(&prefix, entry)| (prefix, entry.clone())).collect();
        entries.sort_by_key(|&(prefix, _)| prefix);
        entries
    }

    fn change<T>(&self, edit: impl FnOnce(&mut HashMap<IpNet, Entry>) -> T) -> T {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.snapshot.load().entries.clone();
        let result = edit(&mut entries);
        self.snapshot.store(Arc::new(Snapshot::of(entries)));
        result
    }
}

// === impl Entry ===

impl Entry {
    /// An entry that ends at `until`.
    pub fn new(standing: Standing, until: Option<SystemTime>, reason: &str) -> Self {
        Self { standing, until, reason: reason.into() }
    }

    fn lasts(&self, now: SystemTime) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}

/// The entries at one moment, with the prefix lengths in use, longest first.
#[derive(Debug, Default)]
struct Snapshot {
    entries: HashMap<IpNet, Entry>,
    v4_lengths: Vec<u8>,
    v6_lengths: Vec<u8>,
}

impl Snapshot {
    fn of(entries: HashMap<IpNet, Entry>) -> Self {
        let lengths = |v4: bool| {
            let used: BTreeSet<u8> = entries
                .keys()
                .filter(|prefix| prefix.addr().is_ipv4() == v4)
                .map(IpNet::prefix_len)
                .collect();
            used.into_iter().rev().collect()
        };
        Self { v4_lengths: lengths(true), v6_lengths: lengths(false), entries }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn blocked(until: Option<SystemTime>) -> Entry {
        Entry::new(Standing::Blocked, until, "test")
    }

    #[test]
    fn an_entry_ends_at_its_time() {
        let lists = AddressLists::default();
        let now = SystemTime::now();
        let until = now + Duration::from_mins(1);
        lists.set("192.0.2.1/32".parse().unwrap(), blocked(Some(until))).unwrap();
        let address = "192.0.2.1".parse().unwrap();
        assert!(lists.standing(address, now).is_some());
        assert!(lists.standing(address, until).is_none());
        assert!(lists.entries(until).is_empty());
    }

    #[test]
    fn an_expired_entry_uncovers_the_wider_one() {
        let lists = AddressLists::default();
        let now = SystemTime::now();
        let until = now + Duration::from_mins(1);
        lists.set("192.0.2.0/24".parse().unwrap(), blocked(None)).unwrap();
        lists
            .set("192.0.2.1/32".parse().unwrap(), Entry::new(Standing::Allowed, Some(until), "guest"))
            .unwrap();
        let standing = |at| lists.standing("192.0.2.1".parse().unwrap(), at).unwrap().standing;
        assert_eq!(standing(now), Standing::Allowed);
        assert_eq!(standing(until), Standing::Blocked);
    }

    #[test]
    fn mapped_addresses_cannot_dodge_a_block() {
        let lists = AddressLists::default();
        lists.set("192.0.2.7/32".parse().unwrap(), blocked(None)).unwrap();
        assert!(lists.standing("::ffff:192.0.2.7".parse().unwrap(), SystemTime::now()).is_some());
        let lists = AddressLists::default();
        lists.set("::ffff:192.0.2.7/128".parse().unwrap(), blocked(None)).unwrap();
        assert!(lists.standing("192.0.2.7".parse().unwrap(), SystemTime::now()).is_some());
    }

    #[test]
    fn removing_restores_the_address() {
        let lists = AddressLists::default();
        let prefix = "2001:db8::/32".parse().unwrap();
        lists.set(prefix, blocked(None)).unwrap();
        assert!(lists.standing("2001:db8::1".parse().unwrap(), SystemTime::now()).is_some());
        assert!(lists.remove(prefix).is_some());
        assert!(lists.standing("2001:db8::1".parse().unwrap(), SystemTime::now()).is_none());
    }

    #[test]
    fn nobody_can_be_locked_out_all_at_once() {
        let everybody = "0.0.0.0/0".parse().unwrap();
        let refused = AddressLists::default().set(everybody, blocked(None));
        assert_eq!(refused, Err(ReputationError::Everybody(everybody)));
    }

    proptest::proptest! {
        #[test]
        fn the_most_specific_entry_decides(address: u32, lengths in proptest::collection::btree_set(1u8..=32, 1..6)) {
            let lists = AddressLists::default();
            let address = IpAddr::from(address.to_be_bytes());
            for &length in &lengths {
                let entry = Entry::new(Standing::Blocked, None, &length.to_string());
                lists.set(IpNet::new(address, length).unwrap(), entry).unwrap();
            }
            let longest = lengths.last().unwrap().to_string();
            let found = lists.standing(address, SystemTime::now()).unwrap();
            proptest::prop_assert_eq!(found.reason.as_ref(), longest.as_str());
        }
    }
}
