//! What the permission tier answers.

use std::fmt;

use bartizan_model::Permission;

/// The answer of [`crate::RoutePolicy::decide`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The caller holds what the method requires.
    Permitted,
    /// The caller lacks something.
    Denied(Missing),
    /// The route says nothing about this method, so nobody may use it.
    MethodNotCovered,
}

/// What a caller lacks. For the trace: a client is not told what would open the door.
///
/// Empty when no permission could help: the set was made with another index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missing {
    pub(crate) permissions: Vec<Permission>,
    pub(crate) any: bool,
}

impl Missing {
    /// The permissions that are lacking, in the order of the configuration.
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// Whether one of them would do (`any`) rather than all being needed.
    pub fn any_suffices(&self) -> bool {
        self.any
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.any { " or " } else { " and " };
        if self.permissions.is_empty() {
            return f.write_str("permissions of another configuration");
        }
        for (position, permission) in self.permissions.iter().enumerate() {
            if position > 0 {
                f.write_str(separator)?;
            }
            write!(f, "`{permission}`")?;
        }
        Ok(())
    }
}
