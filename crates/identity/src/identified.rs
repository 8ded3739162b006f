//! Who it turned out to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use bartizan_model::{Grant, Principal};
use bartizan_policy::{PermissionIndex, PermissionSet, RoleTable};
use http::HeaderValue;

use crate::ExpectedContent;

/// A proven caller and what it holds.
#[derive(Debug, Clone)]
pub struct Identified {
    /// Who.
    pub principal: Principal,
    /// What it may do, as bits of the configuration's [`PermissionIndex`].
    pub permissions: PermissionSet,
    /// Its effective grants (own and by role), sorted, separated by spaces; empty when it holds none. Ready for
    /// `x-user-permissions`.
    pub grants: HeaderValue,
    /// The claims of the token that limits count by, as text.
    pub claims: BTreeMap<String, String>,
    /// When the proof ends; `None` for proofs without an end of their own.
    pub expires: Option<SystemTime>,
}

/// Who it is, and what that holds for.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The caller.
    pub identified: Arc<Identified>,
    /// What the content must be for the caller to be proven; `None`: anything.
    pub content: Option<ExpectedContent>,
}

impl From<Arc<Identified>> for Authenticated {
    fn from(identified: Arc<Identified>) -> Self {
        Self { identified, content: None }
    }
}

/// What grants are expanded with.
#[derive(Debug)]
pub(crate) struct Entitlements {
    pub(crate) roles: RoleTable,
    pub(crate) index: Arc<PermissionIndex>,
    /// The claims that limits count by.
    pub(crate) counted_claims: BTreeSet<String>,
}

impl Entitlements {
    /// A caller with its own grants and those of its roles.
    pub(crate) fn identify<'a>(
        &self,
        principal: Principal,
        own: impl IntoIterator<Item = &'a Grant>,
        roles: impl IntoIterator<Item = &'a str>,
        expires: Option<SystemTime>,
    ) -> Identified {
        let mut effective: BTreeSet<&Grant> = own.into_iter().collect();
        for role in roles {
            effective.extend(self.roles.grants(role));
        }
        let texts: Vec<&str> = effective.iter().map(|grant| grant.as_str()).collect();
        Identified {
            principal,
            permissions: self.index.expand(effective.iter().copied()),
            // INVARIANT: grants are made of ASCII letters, digits and punctuation only.
            grants: HeaderValue::from_str(&texts.join(" ")).unwrap_or(HeaderValue::from_static("")),
            claims: BTreeMap::new(),
            expires,
        }
    }
}
