//! The roles of people whom the gateway knows itself, without being written in the configuration.

use bartizan_model::Grant;

/// A role that exists without being written. A role of the configuration with the same name takes its place.
///
/// They are for people of the gateway's own accounts: that a token of somebody else claims such a role means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BuiltInRole {
    /// Everything.
    SuperAdmin,
    /// Everything in an organisation.
    OrgAdmin,
    /// Ordinary people.
    User,
    /// Looks, and changes nothing.
    Viewer,
}

impl BuiltInRole {
    /// Every built-in role.
    pub const ALL: [Self; 4] = [Self::SuperAdmin, Self::OrgAdmin, Self::User, Self::Viewer];

    /// The role with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::OrgAdmin => "org_admin",
            Self::User => "user",
            Self::Viewer => "viewer",
        }
    }

    /// What it grants.
    pub fn grants(self) -> Vec<Grant> {
        self.texts().iter().filter_map(|text| text.parse().ok()).collect()
    }

    const fn texts(self) -> &'static [&'static str] {
        match self {
            Self::SuperAdmin => &["*:*"],
            Self::OrgAdmin => &[
                "user:create",
                "user:read",
                "user:update",
                "user:delete",
                "user:invite",
                "api_key:create",
                "api_key:read",
                "api_key:update",
                "api_key:delete",
                "metrics:read",
                "metrics:export",
                "organization:manage",
                "events:read",
                "billing:view",
                "billing:manage",
            ],
            Self::User => &[
                "user:read",
                "api_key:create",
                "api_key:read",
                "api_key:update",
                "api_key:delete",
                "metrics:read",
            ],
            Self::Viewer => &["user:read", "api_key:read", "metrics:read"],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_of_a_built_in_role_is_one() {
        for role in BuiltInRole::ALL {
            assert_eq!(role.grants().len(), role.texts().len(), "{role:?}");
            assert_eq!(BuiltInRole::named(role.name()), Some(role));
        }
        assert_eq!(BuiltInRole::named("root"), None);
    }
}
