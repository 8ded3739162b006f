//! Who stands behind a credential, and what that holder may do: the roles bound to it, with their scope and their end.

use std::time::SystemTime;

use bartizan_model::Grant;
use bartizan_policy::{BuiltInRole, RoleTable, intersection};
use bartizan_store::{Row, StoreError};

use crate::session::moment::moment;

/// How bindings call the roles of an organisation's own: no role of the configuration has a `/` in its name.
pub(crate) const CUSTOM: &str = "custom/";

/// A role that somebody has, where, for how long, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// The organisation; empty: everywhere.
    pub(crate) organization: Box<str>,
    pub(crate) role: Box<str>,
    /// What an organisation's own role grants.
    custom: Box<[Grant]>,
    /// What it is cut down to; empty: not at all.
    scope: Box<[Grant]>,
    expires: Option<SystemTime>,
}

/// What somebody may do at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) grants: Vec<Grant>,
    /// The names of those that are not cut down, those of an organisation's own as `ORGANISATION/NAME`.
    pub(crate) roles: Vec<String>,
    /// When less of it will be true.
    pub(crate) until: Option<SystemTime>,
}

/// What somebody may do until a moment.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub(crate) grants: Vec<Grant>,
    /// `None`: for good.
    pub(crate) ends: Option<SystemTime>,
}

impl Binding {
    /// From a row with `role` and, unless that is `NULL`, `role_organization`, `role_scope`, `role_expires_at` and
    /// `role_permissions`.
    pub(crate) fn of(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(role) = row.optional_text("role")? else { return Ok(None) };
        Ok(Some(Self {
            organization: row.text("role_organization")?.into(),
            role: role.into(),
            custom: grants(&row.optional_text("role_permissions")?.unwrap_or_default())?,
            scope: grants(&row.optional_text("role_scope")?.unwrap_or_default())?,
            expires: row.optional_integer("role_expires_at")?.map(moment),
        }))
    }

    /// As it is called in policies.
    pub(crate) fn name(&self) -> String {
        match self.role.strip_prefix(CUSTOM) {
            Some(name) => format!("{}/{name}", self.organization),
            None => self.role.as_ref().into(),
        }
    }

    fn is_live(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn counts(&self, organization: Option<&str>, now: SystemTime) -> bool {
        let is_here = self.organization.is_empty() || organization == Some(&*self.organization);
        is_here && self.is_live(now)
    }

    fn grants(&self, roles: &RoleTable) -> Vec<Grant> {
        let whole = if self.role.starts_with(CUSTOM) {
            self.custom.to_vec()
        } else if roles.is_known(&self.role) {
            roles.grants(&self.role).to_vec()
        } else {
            BuiltInRole::named(&self.role).map(BuiltInRole::grants).unwrap_or_default()
        };
        if self.scope.is_empty() { whole } else { intersection(&whole, &self.scope) }
    }
}

/// Whether somebody with these bindings belongs to an organisation at `now`. What they are everywhere does not count.
pub(crate) fn is_member<'b>(
    bindings: impl IntoIterator<Item = &'b Binding>,
    organization: &str,
    now: SystemTime,
) -> bool {
    bindings.into_iter().any(|binding| *binding.organization == *organization && binding.is_live(now))
}

/// What these bindings give in an organisation (`None`: for none), at `now`.
pub(crate) fn held<'b>(
    bindings: impl IntoIterator<Item = &'b Binding>,
    organization: Option<&str>,
    roles: &RoleTable,
    now: SystemTime,
) -> Held {
    let mut held = Held::default();
    for binding in bindings {
        if !binding.counts(organization, now) {
            continue;
        }
        held.until = match (held.until, binding.expires) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        held.grants.extend(binding.grants(roles));
        // Policies that let a role do something mean all of it.
        if binding.scope.is_empty() {
            held.roles.push(binding.name());
        }
    }
    held.grants.sort();
    held.grants.dedup();
    held
}

/// The same, binding by binding.
pub(crate) fn terms<'b>(
    bindings: impl IntoIterator<Item = &'b Binding>,
    organization: Option<&str>,
    roles: &RoleTable,
    now: SystemTime,
) -> Vec<Term> {
    let counting = bindings.into_iter().filter(|binding| binding.counts(organization, now));
    counting.map(|binding| Term { grants: binding.grants(roles), ends: binding.expires }).collect()
}

/// Grants as the store has them.
pub(crate) fn grants(text: &str) -> Result<Box<[Grant]>, StoreError> {
    let nonsense = |_| StoreError::Nonsense { what: "permissions" };
    text.split_ascii_whitespace().map(|grant| grant.parse().map_err(nonsense)).collect()
}

/// The same to be stored.
pub(crate) fn written(grants: &[Grant]) -> String {
    grants.iter().map(Grant::as_str).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn binding(organization: &str, role: &str, scope: &str, expires: Option<u64>) -> Binding {
        let expires = expires.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        let custom = grants("tickets:* orders:read").unwrap();
        let scope = grants(scope).unwrap();
        Binding { organization: organization.into(), role: role.into(), custom, scope, expires }
    }

    #[test]
    fn a_role_counts_where_and_while_it_is_bound() {
        let bindings = [
            binding("", "viewer", "user:read", None),
            binding("acme", "custom/support", "", Some(100)),
            binding("other", "super_admin", "", None),
        ];
        let at = |organization, seconds| {
            held(&bindings, organization, &RoleTable::default(), UNIX_EPOCH + Duration::from_secs(seconds))
        };
        assert_eq!(written(&at(None, 0).grants), "user:read");
        let inside = at(Some("acme"), 99);
        assert_eq!(written(&inside.grants), "orders:read tickets:* user:read");
        assert_eq!(inside.roles, ["acme/support"], "the other one is cut down");
        assert_eq!(inside.until, Some(UNIX_EPOCH + Duration::from_secs(100)));
        assert_eq!(written(&at(Some("acme"), 100).grants), "user:read");
        assert_eq!(written(&at(Some("other"), 0).grants), "*:* user:read");

        let is_member = |organization, seconds| {
            is_member(&bindings, organization, UNIX_EPOCH + Duration::from_secs(seconds))
        };
        assert!(is_member("acme", 99) && is_member("other", 100));
        assert!(!is_member("acme", 100) && !is_member("elsewhere", 0));
    }
}
