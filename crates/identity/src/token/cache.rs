//! Tokens that have been verified, so that the next request with the same token costs one hash.
//!
//! Keyed by the SHA-256 of the token: equal hashes mean equal tokens, and the cache holds no credential. Only
//! valid tokens enter, so a flood of bad ones evicts nothing. An entry ends with its token, and with every key
//! rotation that removes a key.

use std::{sync::Arc, time::SystemTime};

use quick_cache::{Weighter, sync::Cache};
use sha2::{Digest, Sha256};

use super::Accepted;

/// The SHA-256 of a token as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// How many tokens of ordinary size are remembered per provider.
const CAPACITY: usize = 10_000;

#[derive(Debug)]
pub(super) struct TokenCache(Cache<TokenDigest, Verified, ByKibibyte>);

#[derive(Debug, Clone)]
struct Verified {
    accepted: Arc<Accepted>,
    epoch: u64,
    until: SystemTime,
}

impl TokenCache {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(CAPACITY, CAPACITY as u64, ByKibibyte))
    }

    /// Who was verified by this token with keys of this epoch, if that still holds.
    pub(super) fn find(&self, digest: &TokenDigest, epoch: u64, now: SystemTime) -> Option<Arc<Accepted>> {
        let verified = self.0.get(digest)?;
        (verified.epoch == epoch && now < verified.until).then_some(verified.accepted)
    }

    pub(super) fn keep(&self, digest: TokenDigest, accepted: &Arc<Accepted>, epoch: u64, until: SystemTime) {
        self.0.insert(digest, Verified { accepted: Arc::clone(accepted), epoch, until });
    }
}

/// Counts a caller with long grants as several, so that the bound holds for memory too.
#[derive(Debug, Clone)]
struct ByKibibyte;

impl Weighter<TokenDigest, Verified> for ByKibibyte {
    fn weight(&self, _: &TokenDigest, verified: &Verified) -> u64 {
        1 + verified.accepted.identified.grants.len() as u64 / 1024
    }
}
