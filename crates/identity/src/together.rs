//! What gateways remember together, where they share a store for it: what counts once, how often somebody has tried, and how many
//! accounts one network or one password was tried on.
//!
//! Each gateway remembers for itself first. The store is asked in addition, and never waited for longer than its timeout;
//! while it does not answer, what this gateway knows decides: a proof counts once for each gateway then, and attempts are
//! counted by each.

use std::{fmt::Debug, pin::Pin, time::Duration};

use bartizan_model::Name;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{AuthenticationError, InvalidReason, attempts::LoginProtection};

/// What comes in time from the store; `None`: there is none, or it does not answer.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Option<T>> + Send + 'a>>;

/// What became of an attempt that gateways count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It was counted.
    Counted,
    /// It was counted, and is the last one: unless it is taken back or forgotten, everybody waits for so long from now on.
    Last(Duration),
    /// It is one too many; how long to wait.
    TooMany(Duration),
}

/// A memory that gateways share.
pub trait Together: Debug + Send + Sync {
    /// Whether nobody has used this at any gateway.
    fn use_once<'a>(&'a self, spent: &'a Spent) -> Told<'a, bool>;

    /// Counts an attempt, unless it is one too many.
    fn attempt<'a>(&'a self, key: &'a str, protection: LoginProtection) -> Told<'a, Tried>;

    /// An attempt that was none.
    fn take_back(&self, key: String) -> Told<'_, ()>;

    /// Forgets every attempt.
    fn forget(&self, key: String) -> Told<'_, ()>;

    /// Counts an account that failed under this key. Their number, where that made the key suspect of credential stuffing
    /// just now.
    fn fail<'a>(
        &'a self,
        key: &'a str,
        account: &'a str,
        protection: LoginProtection,
    ) -> Told<'a, Option<usize>>;

    /// For how long a key is suspect, if it is.
    fn suspect<'a>(&'a self, key: &'a str) -> Told<'a, Option<Duration>>;
}

/// Something that counts once and was used at this gateway for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    key: String,
    lasts: Duration,
    again: InvalidReason,
}

/// How far the clocks of gateways may be apart.
const SKEW: Duration = Duration::from_mins(1);

impl Spent {
    /// `parts` name it among everything that counts once; it does for so many seconds more.
    pub(crate) fn new(parts: &[&str], seconds: u64, again: InvalidReason) -> Self {
        Self { key: digest(parts), lasts: Duration::from_secs(seconds) + SKEW, again }
    }

    /// How it is called, which tells nothing about it.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// For how long it must be remembered.
    pub fn lasts(&self) -> Duration {
        self.lasts
    }

    /// What becomes of a request that uses it again.
    pub fn again(&self, provider: &Name) -> AuthenticationError {
        AuthenticationError::Invalid { provider: provider.clone(), reason: self.again }
    }
}

fn digest(parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // Neither text nor length can be taken for the other's.
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    URL_SAFE_NO_PAD.encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_once_has_a_name_of_its_own() {
        let key = |parts: &[&str]| Spent::new(parts, 1, InvalidReason::Replay).key;
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        assert_ne!(key(&["a", "b"]), key(&["ab", ""]));
        assert_ne!(key(&["a", "b"]), key(&["b", "a"]));
    }
}
