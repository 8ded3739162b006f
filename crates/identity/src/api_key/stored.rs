//! The keys of the store as one configuration sees them: with the permissions that its roles give.

use std::{net::IpAddr, sync::Arc, time::SystemTime};

use bartizan_model::{CallerType, Name, Principal, PrincipalKind, Zone};
use bartizan_policy::Rights;
use quick_cache::{UnitWeighter, sync::Cache};

use super::{
    LiveKeys,
    index::KeyDigest,
    record::{LiveKey, Owner},
};
use crate::{
    AuthenticationError, Identified, InvalidReason,
    identified::{Entitlements, Standing},
    lease::Basis,
};

/// How many keys' permissions are remembered, and for how many there is room from the start.
const CAPACITY: u64 = 131_072;
const FIRST: usize = 1024;

/// What one entry of `identity` knows of the keys in the store.
#[derive(Debug)]
pub(crate) struct StoredKeys {
    provider: Name,
    zone: Zone,
    /// `None` where nothing is served, only checked: then nobody is let in.
    live: Option<Arc<LiveKeys>>,
    entitlements: Arc<Entitlements>,
    known: Cache<KeyDigest, Arc<Known>>,
}

/// One of the secrets of a key in the store, for what goes on after a request.
#[derive(Debug, Clone)]
pub(crate) struct KeySecret {
    live: Arc<LiveKeys>,
    digest: KeyDigest,
}

/// What a key may do as long as neither it nor its owner changes.
#[derive(Debug)]
struct Known {
    key: Arc<LiveKey>,
    owner: Arc<Owner>,
    identified: Arc<Identified>,
}

impl StoredKeys {
    pub(crate) fn new(
        provider: &Name,
        zone: Zone,
        live: Option<&Arc<LiveKeys>>,
        entitlements: &Arc<Entitlements>,
    ) -> Self {
        let known = Cache::with_weighter(FIRST, CAPACITY, UnitWeighter);
        let (live, entitlements) = (live.cloned(), Arc::clone(entitlements));
        Self { provider: provider.clone(), zone, live, entitlements, known }
    }

    /// Who holds this key; `None` if there is no such key. Asks nobody.
    pub(crate) fn find(
        &self,
        key: &[u8],
        address: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Option<Arc<Identified>>, AuthenticationError> {
        let unavailable = || AuthenticationError::Unavailable { provider: self.provider.clone() };
        let live = self.live.as_ref().filter(|live| live.is_current()).ok_or_else(unavailable)?;
        let digest = live.digest(key);
        let Some(key) = live.find(&digest) else { return Ok(None) };
        let owner = key.owner.load_full();
        let invalid = |reason| AuthenticationError::Invalid { provider: self.provider.clone(), reason };
        check(&key, &owner, now).map_err(invalid)?;
        if !key.admits(address) {
            return Err(invalid(InvalidReason::KeyAddress));
        }
        let secret = KeySecret { live: Arc::clone(live), digest };
        let identified = self.identified(secret, &key, owner, now).map_err(invalid)?;
        live.uses().note(&key, now);
        Ok(Some(identified))
    }

    fn identified(
        &self,
        secret: KeySecret,
        key: &Arc<LiveKey>,
        owner: Arc<Owner>,
        now: SystemTime,
    ) -> Result<Arc<Identified>, InvalidReason> {
        let is_current = |known: &Known| {
            Arc::ptr_eq(&known.key, key)
                && Arc::ptr_eq(&known.owner, &owner)
                && known.identified.expires.is_none_or(|expires| now < expires)
        };
        if let Some(known) = self.known.get(&secret.digest)
            && is_current(&known)
        {
            return Ok(Arc::clone(&known.identified));
        }
        // Whoever is known above belongs to it: that ends with a binding, as does what is known.
        if !owner.belongs(key.organization(), now) {
            return Err(InvalidReason::KeyOwner);
        }
        let digest = secret.digest;
        let mut identified = self.identify(key, &owner, now);
        identified.proof.basis = Basis::Key(secret);
        let identified = Arc::new(identified);
        let known = Known { key: Arc::clone(key), owner, identified: Arc::clone(&identified) };
        self.known.insert(digest, Arc::new(known));
        Ok(identified)
    }

    fn identify(&self, key: &LiveKey, owner: &Owner, now: SystemTime) -> Identified {
        let principal = Principal {
            id: (*key.id).into(),
            kind: PrincipalKind::ApiKey,
            organization: key.organization.clone(),
            provider: self.provider.clone(),
            multi_factor: false,
        };
        let held = owner.held(key.organization(), &self.entitlements.roles, now);
        let rights = Rights { scope: &key.scope, owner: &held.grants, delegation: None };
        let zone = key.zone.unwrap_or(self.zone);
        let standing = Standing { caller_type: CallerType::ApiKey, zone };
        let expires = [key.expires, held.until].into_iter().flatten().min();
        // Roles are not passed on: policies that let a role do something would give a key more than its scope.
        let identified =
            self.entitlements.identify_exactly(principal, standing, &rights.effective(), [], expires);
        Identified { quota: key.quota, ..identified }
    }
}

impl KeySecret {
    /// Whether it still lets somebody in, as far as it is known at this moment.
    pub(crate) fn counts(&self, now: SystemTime) -> bool {
        self.live.find(&self.digest).is_some_and(|key| {
            let owner = key.owner.load();
            check(&key, &owner, now).is_ok() && owner.belongs(key.organization(), now)
        })
    }
}

fn check(key: &LiveKey, owner: &Owner, now: SystemTime) -> Result<(), InvalidReason> {
    if key.expires.is_some_and(|expires| expires <= now) {
        return Err(InvalidReason::KeyExpired);
    }
    if key.is_suspended {
        return Err(InvalidReason::KeySuspended);
    }
    if owner.is_barred {
        return Err(InvalidReason::KeyOwner);
    }
    Ok(())
}
