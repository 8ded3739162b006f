//! Who it turned out to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::SystemTime,
};

use bartizan_model::{CallerType, Grant, Principal, Quota, Zone};
use bartizan_policy::{Caller, PermissionIndex, PermissionSet, RoleTable};
use http::HeaderValue;

use crate::{ExpectedContent, Home, Lease, Spent, lease::Basis};

/// A proven caller and what it holds.
#[derive(Debug, Clone)]
pub struct Identified {
    /// Who.
    pub principal: Principal,
    /// What it may do, as bits of the configuration's [`PermissionIndex`].
    pub permissions: PermissionSet,
    /// What policies see of it.
    pub caller: Caller,
    /// Its effective grants (own and by role), sorted, separated by spaces; empty when it holds none. Ready for
    /// `x-user-permissions`.
    pub grants: HeaderValue,
    /// The claims of the token that limits count by, as text.
    pub claims: BTreeMap<String, String>,
    /// How often the API key itself may be used; `None`: as often as the route allows.
    pub quota: Option<Quota>,
    /// When the proof ends; `None` for proofs without an end of their own.
    pub expires: Option<SystemTime>,
    /// What is known of how the person was proven.
    pub proof: Proof,
}

/// How a person was proven.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// When they were asked last (`auth_time`); `None`: nobody says.
    pub at: Option<SystemTime>,
    /// A role asks for a second factor, and the time to enrol one is over.
    pub must_enrol: bool,
    /// A role asks for the second factor, which is there and was not shown.
    pub must_step_up: bool,
    /// Where the session is at home, for sessions.
    pub home: Option<Arc<Home>>,
    /// What can end it early.
    pub(crate) basis: Basis,
}

impl Identified {
    /// Whether its session was used from elsewhere than where its person was proven, and they have not been proven since.
    pub fn has_moved(&self) -> bool {
        self.proof.home.as_ref().is_some_and(|home| home.has_moved())
    }

    /// For what outlives the request.
    pub fn lease(&self) -> Lease {
        Lease::new(self.expires, self.proof.basis.clone())
    }
}

/// Who it is, and what that holds for.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The caller.
    pub identified: Arc<Identified>,
    /// What the content must be for the caller to be proven; `None`: anything.
    pub content: Option<ExpectedContent>,
    /// What the proof has used up at this gateway; others may know that it was before.
    pub spent: Option<Spent>,
}

impl From<Arc<Identified>> for Authenticated {
    fn from(identified: Arc<Identified>) -> Self {
        Self { identified, content: None, spent: None }
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

/// What the provider says of all its callers, or the configuration of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) caller_type: CallerType,
    pub(crate) zone: Zone,
}

impl Entitlements {
    /// A caller with its own grants and those of its roles.
    pub(crate) fn identify<'a>(
        &self,
        principal: Principal,
        standing: Standing,
        own: impl IntoIterator<Item = &'a Grant>,
        roles: impl IntoIterator<Item = &'a str> + Clone,
        expires: Option<SystemTime>,
    ) -> Identified {
        let mut effective: BTreeSet<&Grant> = own.into_iter().collect();
        for role in roles.clone() {
            effective.extend(self.roles.grants(role));
        }
        self.identify_exactly(principal, standing, effective, roles, expires)
    }

    /// A caller with these grants, whatever its roles would give.
    pub(crate) fn identify_exactly<'g, 'r>(
        &self,
        principal: Principal,
        standing: Standing,
        grants: impl IntoIterator<Item = &'g Grant>,
        roles: impl IntoIterator<Item = &'r str>,
        expires: Option<SystemTime>,
    ) -> Identified {
        let effective: BTreeSet<&Grant> = grants.into_iter().collect();
        let Standing { caller_type, zone } = standing;
        let caller = Caller::new(&principal, caller_type, zone, roles, effective.iter().copied());
        let texts: Vec<&str> = effective.iter().map(|grant| grant.as_str()).collect();
        Identified {
            principal,
            caller,
            permissions: self.index.expand(effective.iter().copied()),
            // INVARIANT: grants are made of ASCII letters, digits and punctuation only.
            grants: HeaderValue::from_str(&texts.join(" ")).unwrap_or(HeaderValue::from_static("")),
            claims: BTreeMap::new(),
            quota: None,
            expires,
            proof: Proof::default(),
        }
    }
}
