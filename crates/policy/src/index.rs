//! Bits for permissions: which ones exist, and which of them a caller holds.
//!
//! A grant covers the permission `r:a` exactly when it reads `r:a`, `r:*`, `*:a` or `*:*`. The index therefore
//! keeps, under each of those four texts, the bits of all permissions that a grant of that text covers: expanding
//! is one look-up per grant, however many permissions there are.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicU64, Ordering},
};

use bartizan_config::{Config, Requirement, Requirements};
use bartizan_model::{Grant, Permission};
use smallvec::{SmallVec, smallvec};

use crate::RoutePolicy;

/// Numbers every distinct permission that some route requires.
#[derive(Debug)]
pub struct PermissionIndex {
    generation: u64,
    words: usize,
    bits: HashMap<Permission, usize>,
    covered: HashMap<Box<str>, Bits>,
}

impl PermissionIndex {
    /// The index of everything that `requirements` mention.
    pub fn new<'a>(requirements: impl IntoIterator<Item = &'a Requirements>) -> Self {
        static GENERATION: AtomicU64 = AtomicU64::new(0);

        let permissions: BTreeSet<&Permission> =
            requirements.into_iter().flat_map(requirements_of).flat_map(permissions_of).collect();
        let words = permissions.len().div_ceil(64);
        let mut covered: HashMap<Box<str>, Bits> = HashMap::new();
        for (bit, permission) in permissions.iter().enumerate() {
            for text in texts_that_cover(permission) {
                covered.entry(text).or_insert_with(|| Bits::none(words)).set(bit);
            }
        }
        let bits = permissions.into_iter().cloned().zip(0..).collect();
        Self { generation: GENERATION.fetch_add(1, Ordering::Relaxed), words, bits, covered }
    }

    /// The index of everything that the routes of `config` require.
    pub fn from_config(config: &Config) -> Self {
        Self::new(config.routes.iter().map(|route| &route.require))
    }

    /// What a caller with these grants holds.
    pub fn expand<'a>(&self, grants: impl IntoIterator<Item = &'a Grant>) -> PermissionSet {
        let mut bits = self.no_bits();
        for grant in grants {
            if let Some(covered) = self.covered.get(grant.as_str()) {
                bits.add(covered);
            }
        }
        PermissionSet { generation: self.generation, bits }
    }

    /// What a route requires, ready to decide. `requirements` should be among those the index was made of: a
    /// permission that is not in the index is one that nobody holds.
    pub fn compile(&self, requirements: &Requirements) -> RoutePolicy {
        RoutePolicy::new(self, requirements)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn no_bits(&self) -> Bits {
        Bits::none(self.words)
    }

    pub(crate) fn bit(&self, permission: &Permission) -> Option<usize> {
        self.bits.get(permission).copied()
    }
}

/// The permissions that a caller holds, as bits of the [`PermissionIndex`] that expanded them.
///
/// It means something only to policies compiled by the same index; any other policy denies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionSet {
    generation: u64,
    bits: Bits,
}

impl PermissionSet {
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn bits(&self) -> &Bits {
        &self.bits
    }
}

/// Bits in as many words as the index needs; 128 permissions fit without an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits(SmallVec<[u64; 2]>);

impl Bits {
    pub(crate) fn none(words: usize) -> Self {
        Self(smallvec![0; words])
    }

    pub(crate) fn set(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    pub(crate) fn has(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }

    fn add(&mut self, other: &Self) {
        for (word, added) in self.0.iter_mut().zip(&other.0) {
            *word |= added;
        }
    }

    pub(crate) fn contains_all(&self, mask: &Self) -> bool {
        self.0.len() == mask.0.len()
            && self.0.iter().zip(&mask.0).all(|(held, needed)| held & needed == *needed)
    }

    pub(crate) fn contains_any(&self, mask: &Self) -> bool {
        self.0.iter().zip(&mask.0).any(|(held, needed)| held & needed != 0)
    }
}

pub(crate) fn requirements_of(requirements: &Requirements) -> Vec<&Requirement> {
    match requirements {
        Requirements::Nothing => Vec::new(),
        Requirements::Every(requirement) => vec![requirement],
        Requirements::ByMethod { methods, otherwise } => {
            methods.iter().map(|entry| &entry.requirement).chain(otherwise).collect()
        }
    }
}

pub(crate) fn permissions_of(requirement: &Requirement) -> &[Permission] {
    match requirement {
        Requirement::All(permissions) | Requirement::Any(permissions) => permissions,
    }
}

fn texts_that_cover(permission: &Permission) -> [Box<str>; 4] {
    let (resource, action) = (permission.resource(), permission.action());
    [permission.as_str().into(), format!("{resource}:*").into(), format!("*:{action}").into(), "*:*".into()]
}
