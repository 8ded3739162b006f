//! Roles: named sets of grants.

use std::collections::HashMap;

use bartizan_config::Role;
use bartizan_model::Grant;

/// What each role grants.
#[derive(Debug, Default)]
pub struct RoleTable(HashMap<Box<str>, Box<[Grant]>>);

impl RoleTable {
    /// The table of these roles.
    pub fn new(roles: &[Role]) -> Self {
        Self(roles.iter().map(|role| (role.name.as_str().into(), role.grants.as_slice().into())).collect())
    }

    /// Whether there is a role with this name.
    pub fn is_known(&self, role: &str) -> bool {
        self.0.contains_key(role)
    }

    /// What the roles are called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|name| &**name)
    }

    /// What the role grants; a role that does not exist grants nothing.
    pub fn grants(&self, role: &str) -> &[Grant] {
        self.0.get(role).map_or(&[], |grants| grants)
    }
}
