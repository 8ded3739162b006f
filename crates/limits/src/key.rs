//! What a counted value is stored as: 128 bits of a hash whose key nobody outside knows (SipHash-1-3), so that a value
//! of any length costs the same and nobody can choose values that meet in one entry or one shard.

use std::hash::{BuildHasher, Hasher, RandomState};

use bartizan_model::Algorithm;
use siphasher::sip128::{Hasher128, SipHasher13};

use crate::{Limit, charge::nanoseconds};

/// A hashed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Places it within a shard.
    pub(crate) place: u64,
    /// Chooses the shard.
    pub(crate) shard: u64,
}

/// Hashes with a key of its own, drawn when it is made.
#[derive(Clone)]
pub(crate) struct KeyHasher(SipHasher13);

impl KeyHasher {
    pub(crate) fn new() -> Self {
        // The standard library seeds its own keyed hash from the operating system; what that hash makes of two
        // different inputs is as good as two random numbers.
        let random = RandomState::new();
        Self(SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1)))
    }

    /// The key of a value under a limit. A state makes sense only to the algorithm and the window that left it.
    pub(crate) fn of(&self, limit: &Limit, value: &[u8]) -> Key {
        let algorithm = match limit.quota.algorithm() {
            Algorithm::TokenBucket => 0,
            Algorithm::SlidingWindow => 1,
            Algorithm::FixedWindow => 2,
        };
        self.hash(&limit.name, nanoseconds(limit.quota.length()) << 2 | algorithm, value)
    }

    /// The key of a value among others of its kind.
    pub(crate) fn of_value(&self, value: &[u8]) -> Key {
        let mut hasher = self.0;
        hasher.write(value);
        let hash = hasher.finish128();
        Key { place: hash.h1, shard: hash.h2 }
    }

    /// The key of a value under a name. The number keeps apart what must not count together in spite of its name.
    pub(crate) fn hash(&self, name: &str, number: u64, value: &[u8]) -> Key {
        let mut hasher = self.0;
        // With the length of the name first, no name and value run into another name and value.
        hasher.write_usize(name.len());
        hasher.write_u64(number);
        hasher.write(name.as_bytes());
        hasher.write(value);
        let hash = hasher.finish128();
        Key { place: hash.h1, shard: hash.h2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_inputs_have_different_keys() {
        let hasher = KeyHasher::new();
        let long = vec![b'x'; 1 << 20];
        let inputs: [(&str, u64, &[u8]); 8] = [
            ("", 0, b""),
            ("a", 0, b""),
            ("", 0, b"a"),
            ("ab", 0, b"c"),
            ("a", 0, b"bc"),
            ("a", 1, b"bc"),
            ("a", 0, b"bc\0"),
            ("a", 0, &long),
        ];
        for (index, one) in inputs.iter().enumerate() {
            assert_eq!(hasher.hash(one.0, one.1, one.2), hasher.hash(one.0, one.1, one.2));
            for other in &inputs[..index] {
                assert_ne!(hasher.hash(one.0, one.1, one.2), hasher.hash(other.0, other.1, other.2));
            }
        }
    }

    #[test]
    fn nobody_can_foresee_a_key() {
        assert_ne!(KeyHasher::new().hash("a", 0, b"b"), KeyHasher::new().hash("a", 0, b"b"));
    }
}
