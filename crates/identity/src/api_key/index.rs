//! Every live key in memory, by its hash.
//!
//! Hashes are keyed with a secret that no client knows, so the time that a look-up takes says nothing about a key. Keys
//! are spread over several maps: a change of one key holds up few requests, for the time of one insertion.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::RwLock;

use super::record::{LiveKey, Owner, OwnerId};

/// The HMAC-SHA256 of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyDigest(pub(crate) [u8; 32]);

const SHARDS: usize = 16;

type Shard = RwLock<HashMap<KeyDigest, Arc<LiveKey>>>;

/// The keys, and whom they belong to.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    shards: [Shard; SHARDS],
    /// By the id of a key, the hashes of its secrets.
    digests: RwLock<HashMap<Box<str>, Vec<KeyDigest>>>,
    /// Shared by the keys of one owner.
    owners: RwLock<HashMap<OwnerId, Arc<ArcSwap<Owner>>>>,
}

impl KeyIndex {
    pub(crate) fn find(&self, digest: &KeyDigest) -> Option<Arc<LiveKey>> {
        self.shard(digest).read().get(digest).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.digests.read().len()
    }

    /// The place of an owner, made if it is not there yet.
    pub(crate) fn owner(&self, id: &OwnerId) -> Arc<ArcSwap<Owner>> {
        let fresh = || match id {
            OwnerId::Organization => Owner::organization(),
            OwnerId::Person(_) | OwnerId::Service(_) => Owner::gone(),
        };
        let place = || Arc::new(ArcSwap::from_pointee(fresh()));
        Arc::clone(self.owners.write().entry(id.clone()).or_insert_with(place))
    }

    /// Whether keys of this owner are known.
    pub(crate) fn has_owner(&self, id: &OwnerId) -> bool {
        self.owners.read().contains_key(id)
    }

    pub(crate) fn set_owner(&self, id: &OwnerId, owner: Owner) {
        self.owner(id).store(Arc::new(owner));
    }

    /// What is known of a key from now on: its secrets, none where it is no more.
    pub(crate) fn replace(&self, id: &str, secrets: Vec<(KeyDigest, LiveKey)>) {
        let digests: Vec<KeyDigest> = secrets.iter().map(|(digest, _)| *digest).collect();
        for (digest, key) in secrets {
            self.shard(&digest).write().insert(digest, Arc::new(key));
        }
        let mut known = self.digests.write();
        let before =
            if digests.is_empty() { known.remove(id) } else { known.insert(id.into(), digests.clone()) };
        drop(known);
        for gone in before.into_iter().flatten().filter(|digest| !digests.contains(digest)) {
            self.shard(&gone).write().remove(&gone);
        }
    }

    /// The ids of all keys.
    pub(crate) fn ids(&self) -> Vec<Box<str>> {
        self.digests.read().keys().cloned().collect()
    }

    /// Forgets owners without keys.
    pub(crate) fn forget_strangers(&self) {
        self.owners.write().retain(|_, place| Arc::strong_count(place) > 1);
    }

    fn shard(&self, KeyDigest(bytes): &KeyDigest) -> &Shard {
        let [.., last] = bytes;
        // INVARIANT: a remainder is an index.
        let [first, ..] = &self.shards;
        self.shards.get(usize::from(*last) % SHARDS).unwrap_or(first)
    }
}
