//! What the store says of a key and of its owner.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use bartizan_model::{Grant, OrganizationId, Quota, Zone};
use bartizan_policy::RoleTable;
use bartizan_store::{Row, StoreError};
use ipnet::IpNet;

use crate::{
    account::{stored_rate, stored_zone},
    holder::{self, Binding, Held, grants},
    session::moment::moment,
};

/// A key that is not revoked, by one of its secrets: while it is rotated, it has two.
#[derive(Debug)]
pub(crate) struct LiveKey {
    pub(crate) id: Box<str>,
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) scope: Box<[Grant]>,
    /// Empty: from everywhere.
    addresses: Box<[IpNet]>,
    /// How often it may be used; `None`: as often as its route allows.
    pub(crate) quota: Option<Quota>,
    /// From which zone it calls; `None`: from its provider's.
    pub(crate) zone: Option<Zone>,
    /// The end of the key, or of this secret.
    pub(crate) expires: Option<SystemTime>,
    pub(crate) is_suspended: bool,
    pub(crate) owner: Arc<ArcSwap<Owner>>,
    /// Since they were written to the store.
    pub(crate) uses: AtomicU32,
    pub(crate) used_at: AtomicI64,
}

/// Which owner.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum OwnerId {
    Person(Box<str>),
    Service(Box<str>),
    /// Keys of organisations belong to nobody who could lose rights.
    Organization,
}

/// Whoever a key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Owner {
    /// A disabled person, a suspended service, or nobody any more.
    pub(crate) is_barred: bool,
    /// People act for an organisation as long as they belong to it. Services and organisations are part of theirs.
    pub(crate) is_person: bool,
    /// Beside roles.
    pub(crate) own: Vec<Grant>,
    pub(crate) bindings: Vec<Binding>,
}

impl LiveKey {
    /// The organisation that it acts for, as the store has it.
    pub(crate) fn organization(&self) -> Option<&str> {
        self.organization.as_ref().map(OrganizationId::as_str)
    }

    /// Whether it may be used from there. Where a client comes from is always known to the gateway.
    pub(crate) fn admits(&self, address: Option<IpAddr>) -> bool {
        if self.addresses.is_empty() {
            return true;
        }
        let Some(address) = address.map(|address| address.to_canonical()) else { return false };
        self.addresses.iter().any(|prefix| prefix.contains(&address))
    }

    /// From a row of [`super::live`]'s, with the owner to be filled in.
    pub(crate) fn of(row: &Row, owner: Arc<ArcSwap<Owner>>) -> Result<Self, StoreError> {
        let ends = [row.optional_integer("expires_at")?, row.optional_integer("secret_expires_at")?];
        Ok(Self {
            id: row.text("id")?.into(),
            organization: row.optional_text("organization_id")?.map(|id| id.as_str().into()),
            scope: grants(&row.text("permissions")?)?,
            addresses: prefixes(&row.text("addresses")?)?,
            quota: quota(&row.text("rate")?)?,
            zone: stored_zone(&row.text("zone")?)?,
            expires: ends.into_iter().flatten().min().map(moment),
            is_suspended: row.optional_integer("suspended_at")?.is_some(),
            owner,
            uses: AtomicU32::new(0),
            used_at: AtomicI64::new(0),
        })
    }
}

impl OwnerId {
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(match (row.optional_text("user_id")?, row.optional_text("service_id")?) {
            (Some(user), _) => Self::Person(user.into()),
            (None, Some(service)) => Self::Service(service.into()),
            (None, None) => Self::Organization,
        })
    }
}

impl Owner {
    /// An organisation: what its keys may do is what they were given.
    pub(crate) fn organization() -> Self {
        Self { own: "*:*".parse().into_iter().collect(), ..Self::default() }
    }

    /// Nobody.
    pub(crate) fn gone() -> Self {
        Self { is_barred: true, ..Self::default() }
    }

    /// Whether it may act for an organisation (`None`: for none).
    pub(crate) fn belongs(&self, organization: Option<&str>, now: SystemTime) -> bool {
        let is_member = |organization| holder::is_member(&self.bindings, organization, now);
        !self.is_person || organization.is_none_or(is_member)
    }

    /// What it may do for an organisation.
    pub(crate) fn held(&self, organization: Option<&str>, roles: &RoleTable, now: SystemTime) -> Held {
        let mut held = holder::held(&self.bindings, organization, roles, now);
        held.grants.extend(self.own.iter().cloned());
        held
    }
}

fn quota(text: &str) -> Result<Option<Quota>, StoreError> {
    let quota = stored_rate(text)?.map(|rate| rate.token_bucket()).transpose();
    quota.map_err(|_| StoreError::Nonsense { what: "the rate of an API key" })
}

fn prefixes(text: &str) -> Result<Box<[IpNet]>, StoreError> {
    let nonsense = |_| StoreError::Nonsense { what: "the addresses of an API key" };
    text.split_ascii_whitespace().map(|prefix| prefix.parse().map_err(nonsense)).collect()
}
