//! Collections in the memory of this process: bounded, gone with it.
//!
//! What it is not: shared by processes, or written to a disk (`SecDataDir`). When it is full, the collections that were
//! changed longest ago are forgotten first, so whoever can send from very many addresses can have others' counts forgotten.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use sha1::{Digest, Sha1};

use super::{CollectionName, CollectionStore, StoredValue, ValueChange, values::Values};

/// Keeps collections in memory, for all transactions that are given it:
///
/// ```
/// use std::sync::Arc;
///
/// use bartizan_seclang::{Connection, MemoryCollections, RuleFiles, RuleSet, Transaction};
///
/// let mut files = RuleFiles::default();
/// files.add_text(
///     r#"
///     SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.requests=+1,expirevar:ip.requests=60"
///     SecRule IP:requests "@gt 3" "id:2,phase:1,deny,status:429"
///     "#,
///     "own.conf",
/// )?;
/// let rules = Arc::new(RuleSet::compile(&files)?);
/// let collections = Arc::new(MemoryCollections::default());
/// let mut refused = || {
///     let mut exchange = Transaction::new(Arc::clone(&rules), Connection::default(), "id");
///     exchange.set_collections(collections.clone());
///     exchange.request_headers_done().is_some()
/// };
/// assert_eq!([refused(), refused(), refused(), refused()], [false, false, false, true]);
/// # Ok::<_, bartizan_seclang::SeclangError>(())
/// ```
#[derive(Debug)]
pub struct MemoryCollections {
    kept: Mutex<Kept>,
    most_bytes: usize,
}

#[derive(Debug, Default)]
struct Kept {
    collections: HashMap<Arc<CollectionName>, Collected>,
    /// Their names by the change that was the last to each.
    by_change: BTreeMap<u64, Arc<CollectionName>>,
    changes: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Collected {
    values: Values,
    last_change: u64,
    until: SystemTime,
}

/// The most memory that collections take together unless somebody says otherwise, in bytes.
const MOST_BYTES: usize = 32 << 20;
/// The longest key that is kept as it is, in bytes: clients may choose it.
const LONGEST_KEY: usize = 256;
/// About what a collection takes besides its name and values, in bytes.
const OF_EACH: usize = size_of::<CollectionName>() + size_of::<Collected>() + 96;

impl MemoryCollections {
    /// One that takes this much memory at most, in bytes.
    pub fn with_room(most_bytes: usize) -> Self {
        Self { kept: Mutex::default(), most_bytes }
    }

    /// What panicked while it held the lock has been in the middle of one collection at worst.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// With room for 32 MiB, some 100,000 collections of a few counters.
impl Default for MemoryCollections {
    fn default() -> Self {
        Self::with_room(MOST_BYTES)
    }
}

impl CollectionStore for MemoryCollections {
    fn load(&self, name: &CollectionName, now: SystemTime) -> Vec<StoredValue> {
        let (name, kept) = (bounded(name), self.kept());
        let found = kept.collections.get(name.as_ref()).filter(|collected| collected.until > now);
        found.map(|collected| collected.values.fresh(now)).unwrap_or_default()
    }

    fn change(
        &self,
        name: &CollectionName,
        value: &[u8],
        change: ValueChange<'_>,
        now: SystemTime,
        until: SystemTime,
    ) -> Option<Vec<u8>> {
        let (name, mut kept) = (bounded(name), self.kept());
        let (name, mut values) = match kept.remove(&name) {
            Some((name, found)) if found.until > now => (name, found.values),
            Some((name, _)) => (name, Values::default()),
            None => (Arc::new(name.into_owned()), Values::default()),
        };
        let changed = values.change(value, change, now).map(<[u8]>::to_vec);
        if !values.is_empty() {
            kept.insert(name, values, until);
        }
        kept.forget(self.most_bytes, now);
        changed
    }
}

impl Kept {
    fn remove(&mut self, name: &CollectionName) -> Option<(Arc<CollectionName>, Collected)> {
        let (name, found) = self.collections.remove_entry(name)?;
        self.by_change.remove(&found.last_change);
        self.bytes -= cost(&name, &found.values);
        Some((name, found))
    }

    /// Keeps one that is not there.
    fn insert(&mut self, name: Arc<CollectionName>, values: Values, until: SystemTime) {
        self.changes += 1;
        self.bytes += cost(&name, &values);
        self.by_change.insert(self.changes, Arc::clone(&name));
        self.collections.insert(name, Collected { values, last_change: self.changes, until });
    }

    /// Forgets those changed longest ago: as many as there is no room for, and two whose time is up, so that a change which
    /// adds one takes more away.
    fn forget(&mut self, most_bytes: usize, now: SystemTime) {
        let mut over = 0;
        while let Some((_, oldest)) = self.by_change.first_key_value() {
            let oldest = Arc::clone(oldest);
            if self.bytes <= most_bytes {
                let is_over = self.collections.get(&oldest).is_none_or(|found| found.until <= now);
                if !is_over || over == 2 {
                    return;
                }
                over += 1;
            }
            self.remove(&oldest);
        }
    }
}

/// A long key is known by its digest. Who finds two keys with one digest can have those two count as one.
fn bounded(name: &CollectionName) -> Cow<'_, CollectionName> {
    if name.key.len() <= LONGEST_KEY {
        return Cow::Borrowed(name);
    }
    let CollectionName { collection, application, key } = name;
    let key = Sha1::digest(key).to_vec();
    Cow::Owned(CollectionName { collection: *collection, application: application.clone(), key })
}

fn cost(name: &CollectionName, values: &Values) -> usize {
    name.key.len() + name.application.len() + values.bytes() + OF_EACH
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Duration};

    use super::*;
    use crate::ast::Collection;

    const TIMEOUT: Duration = Duration::from_secs(100);

    fn name(key: &str) -> CollectionName {
        CollectionName { collection: Collection::Ip, application: String::new(), key: key.into() }
    }

    /// Counts one more at this time, in seconds.
    fn count(store: &MemoryCollections, key: &str, seconds: u64) -> Option<Vec<u8>> {
        let now = at(seconds);
        store.change(&name(key), b"n", ValueChange::Add(1), now, now + TIMEOUT)
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_added_at_the_same_time_is_all_counted() {
        let store = MemoryCollections::default();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| _ = count(&store, "a", 1)));
            }
        });
        assert_eq!(count(&store, "a", 1).unwrap(), b"4001");
    }

    #[test]
    fn values_and_collections_are_forgotten_when_their_time_is_up() {
        let store = MemoryCollections::default();
        let change = |value: &[u8], change, seconds| {
            store.change(&name("a"), value, change, at(seconds), at(seconds) + TIMEOUT)
        };
        change(b"short", ValueChange::Set(b"1"), 0);
        change(b"short", ValueChange::Expire(at(30)), 0);
        change(b"long", ValueChange::Set(b"2"), 20);
        let names = |seconds| {
            let values = store.load(&name("a"), at(seconds)).into_iter();
            values.map(|value| String::from_utf8(value.name).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(names(29), ["long", "short"]);
        assert_eq!(names(30), ["long"]);
        // What has expired begins anew, and for good.
        assert_eq!(change(b"short", ValueChange::Add(1), 40).unwrap(), b"1");
        assert_eq!(store.load(&name("a"), at(40))[1].expires, None);
        assert_eq!(names(139), ["long", "short"], "a change keeps all of it");
        assert_eq!(names(140), [""; 0]);
        assert_eq!(count(&store, "a", 140).unwrap(), b"1");
        assert_eq!(names(140), ["n"]);
    }

    #[test]
    fn memory_is_bounded_and_what_was_changed_longest_ago_goes_first() {
        let room = 100 * (OF_EACH + 100);
        let store = MemoryCollections::with_room(room);
        for number in 0..1000 {
            count(&store, "kept", 1);
            count(&store, &format!("{number}"), 1);
            assert!(store.kept().bytes <= room);
        }
        assert_eq!(store.load(&name("kept"), at(1))[0].value, b"1000");
        assert!(!store.load(&name("999"), at(1)).is_empty() && store.load(&name("0"), at(1)).is_empty());
        let known = store.kept().collections.len();
        assert!(known > 50 && store.kept().by_change.len() == known, "{known}");

        // Others make way for one that comes later, even where there is room.
        (0..known).for_each(|number| _ = count(&store, &format!("later {number}"), 200));
        let kept = store.kept();
        assert!(kept.collections.values().all(|collected| collected.until > at(200)));
        let bytes: usize = kept.collections.iter().map(|(name, found)| cost(name, &found.values)).sum();
        assert_eq!(kept.bytes, bytes);
    }

    #[test]
    fn a_long_key_takes_little_memory() {
        let (store, key) = (MemoryCollections::default(), "a".repeat(100_000));
        assert_eq!(count(&store, &key, 1).unwrap(), b"1");
        assert_eq!(count(&store, &key, 1).unwrap(), b"2");
        assert_eq!(store.load(&name(&key), at(1))[0].value, b"2");
        assert!(store.load(&name(&(key + "a")), at(1)).is_empty());
        assert!(store.kept().bytes < 1000);
    }
}
