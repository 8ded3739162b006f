//! `roles:`, and who mentions them.

use std::collections::HashMap;

use bartizan_model::{Grant, Name};

use crate::{
    Role,
    file::Entries,
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
    suggestion,
};

/// The roles of the document.
pub(crate) struct Roles {
    list: Vec<Role>,
    /// Where each stands, and whether something mentions it.
    known: HashMap<Name, (Position, bool)>,
}

impl Roles {
    pub(crate) fn resolve(
        roles: &Optional<Entries<Vec<At<Parsed<Grant>>>>>,
        problems: &mut Problems<'_>,
    ) -> Self {
        let mut resolved = Self { list: Vec::new(), known: HashMap::new() };
        for (key, grants) in roles.iter().flat_map(|roles| &roles.value.0) {
            let Some(name) = problems.read(key) else { continue };
            let grants = problems.read_all(grants).into_iter().map(|grant| grant.value).collect();
            resolved.known.insert(name.clone(), (key.position, false));
            resolved.list.push(Role { name, line: key.position.line(), grants });
        }
        resolved
    }

    /// The roles that a key or a client holds.
    pub(crate) fn held(
        &mut self,
        names: &Optional<Vec<At<Parsed<Name>>>>,
        problems: &mut Problems<'_>,
    ) -> Vec<Name> {
        let names = names.as_ref().map(|names| problems.read_all(names)).unwrap_or_default();
        for name in &names {
            if let Some((_, used)) = self.known.get_mut(&name.value) {
                *used = true;
                continue;
            }
            let hint = suggestion::hint(name.as_str(), self.list.iter().map(|role| role.name.as_str()))
                .or_else(|| Some(format!("add `{}` under `roles`", name.value)));
            problems.error(name.position, format!("there is no role `{}`", name.value)).hint(hint);
        }
        names.into_iter().map(|name| name.value).collect()
    }

    /// Tokens may carry any role, so only a document without tokens can tell that a role is unused.
    pub(crate) fn warn_of_unused(&self, tokens_carry_roles: bool, problems: &mut Problems<'_>) {
        if tokens_carry_roles {
            return;
        }
        for role in &self.list {
            if let Some((position, false)) = self.known.get(&role.name) {
                problems.warning(*position, format!("nobody holds the role `{}`", role.name));
            }
        }
    }

    pub(crate) fn into_list(self) -> Vec<Role> {
        self.list
    }
}
