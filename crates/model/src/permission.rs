//! Permissions and what grants them.
//!
//! A permission is `resource:action`. A grant is the same, where either side may be the whole wildcard `*`:
//! `orders:*` covers every action on `orders`, `*:read` reads everything, and `*` alone is short for `*:*`.
//! A wildcard never stands for a part of a word (`ord*` is an error), and a requirement never holds one.

use std::{fmt, str::FromStr};

use crate::ModelError;

/// A permission that a route requires: `resource:action`, without wildcards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission {
    text: Box<str>,
    colon: usize,
}

/// A permission that somebody holds: like [`Permission`], but either side may be `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    text: Box<str>,
    colon: usize,
}

impl Permission {
    /// What is acted on.
    pub fn resource(&self) -> &str {
        &self.text[..self.colon]
    }

    /// What is done to it.
    pub fn action(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// The permission as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Grant {
    /// Whether holding this grant means holding `permission`.
    pub fn covers(&self, permission: &Permission) -> bool {
        let (resource, action) = self.parts();
        (resource == "*" || resource == permission.resource())
            && (action == "*" || action == permission.action())
    }

    /// Whether holding this grant means holding everything that `other` means.
    pub fn includes(&self, other: &Self) -> bool {
        self.common(other).as_ref() == Some(other)
    }

    /// What both grants cover; `None`: nothing.
    pub fn common(&self, other: &Self) -> Option<Self> {
        let narrower = |one: &str, two: &str| match (one, two) {
            ("*", word) | (word, "*") => Some(word.to_owned()),
            (one, two) => (one == two).then(|| one.to_owned()),
        };
        let ((resource, action), (others_resource, others_action)) = (self.parts(), other.parts());
        let (resource, action) = (narrower(resource, others_resource)?, narrower(action, others_action)?);
        Some(Self { colon: resource.len(), text: format!("{resource}:{action}").into() })
    }

    /// The grant in its long form, `resource:action`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn parts(&self) -> (&str, &str) {
        (&self.text[..self.colon], &self.text[self.colon + 1..])
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
}

impl FromStr for Permission {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        match text.split_once(':') {
            Some((resource, action)) if is_word(resource) && is_word(action) => {
                Ok(Self { text: text.into(), colon: resource.len() })
            }
            _ => Err(ModelError::Permission(text.into())),
        }
    }
}

impl FromStr for Grant {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let text = if text == "*" { "*:*" } else { text };
        let valid = |word: &str| word == "*" || is_word(word);
        match text.split_once(':') {
            Some((resource, action)) if valid(resource) && valid(action) => {
                Ok(Self { text: text.into(), colon: resource.len() })
            }
            _ => Err(ModelError::Permission(text.into())),
        }
    }
}

impl From<Permission> for Grant {
    fn from(permission: Permission) -> Self {
        Self { text: permission.text, colon: permission.colon }
    }
}

macro_rules! text_conversions {
    ($($word:ident),*) => {$(
        impl TryFrom<String> for $word {
            type Error = ModelError;

            fn try_from(text: String) -> Result<Self, ModelError> {
                text.parse()
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> Self {
                word.text.into()
            }
        }

        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }
    )*};
}

text_conversions!(Permission, Grant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_cover_what_they_say_and_nothing_else() {
        let cases = [
            ("orders:read", "orders:read", true),
            ("orders:read", "orders:write", false),
            ("orders:read", "order:read", false),
            ("orders:*", "orders:write", true),
            ("orders:*", "invoices:write", false),
            ("*:read", "orders:read", true),
            ("*:read", "orders:write", false),
            ("*", "orders:write", true),
            ("*:*", "orders:write", true),
            ("Orders:read", "orders:read", false),
        ];
        for (grant, permission, expected) in cases {
            let (held, needed): (Grant, Permission) = (grant.parse().unwrap(), permission.parse().unwrap());
            assert_eq!(held.covers(&needed), expected, "{grant} covers {permission}");
        }
    }

    #[test]
    fn partial_wildcards_and_malformed_words_are_refused() {
        for text in [
            "",
            ":",
            "orders",
            "orders:",
            ":read",
            "ord*:read",
            "orders:re*",
            "a:b:c",
            "a b:c",
            "**",
            "é:read",
        ] {
            assert!(text.parse::<Grant>().is_err(), "{text:?} as a grant");
            assert!(text.parse::<Permission>().is_err(), "{text:?} as a permission");
        }
        assert!("*:read".parse::<Permission>().is_err(), "a requirement holds no wildcard");
    }
}
