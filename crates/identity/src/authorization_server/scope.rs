//! What a token may be used for (RFC 6749, section 3.3): grants, and the words of `OpenID` Connect.
//!
//! A scope never gives anything: what a token may do is what its scope and its holder's roles both allow.

use std::collections::BTreeSet;

use bartizan_model::Grant;
use bartizan_policy::{beyond, intersection};

use super::{OAuthError, TokenError};

/// The words that are no grants (`OpenID` Connect Core 1.0, sections 3.1.2.1, 5.4 and 11).
const WORDS: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// The most words that are read.
const MOST: usize = 100;

/// What was asked for, or given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Scope {
    words: BTreeSet<String>,
    grants: BTreeSet<Grant>,
}

impl Scope {
    /// Reads words that are separated by single spaces. Plain words that are unknown here say nothing (`OpenID` Connect Core
    /// 1.0, section 3.1.2.1).
    pub(crate) fn parse(text: &str) -> Result<Self, TokenError> {
        let refuse = |what: String| TokenError::refused(OAuthError::InvalidScope, what);
        let mut scope = Self::default();
        for (count, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
            if count >= MOST {
                return Err(refuse(format!("more than {MOST} words")));
            }
            if WORDS.contains(&word) {
                scope.words.insert(word.to_owned());
            } else if !is_plain(word) {
                let grant = word.parse().map_err(|_| {
                    refuse("a word of the scope is no permission such as `orders:read`".to_owned())
                })?;
                scope.grants.insert(grant);
            }
        }
        Ok(scope)
    }

    /// This scope for a client that may have `allowed` at most (empty: anything). Without a permission in it, all that
    /// the client may have is meant.
    pub(crate) fn for_client(mut self, allowed: &[Grant]) -> Result<Self, TokenError> {
        let everything: Vec<Grant> = "*:*".parse().into_iter().collect();
        let allowed = if allowed.is_empty() { &everything } else { allowed };
        let asked = if self.grants.is_empty() { allowed.to_vec() } else { self.listed() };
        self.grants = intersection(&asked, allowed).into_iter().collect();
        if self.grants.is_empty() {
            return Err(TokenError::refused(
                OAuthError::InvalidScope,
                "the client may have nothing of this scope",
            ));
        }
        Ok(self)
    }

    /// What of this scope is among `allowed` as well (empty: anything). Nothing is added; it fails where nothing is left.
    pub(crate) fn within(&self, allowed: &[Grant]) -> Result<Self, TokenError> {
        if allowed.is_empty() {
            return Ok(self.clone());
        }
        let scope = self.held(allowed);
        if scope.grants.is_empty() && !self.grants.is_empty() {
            let why = "the client may have nothing of this scope any longer";
            return Err(TokenError::refused(OAuthError::InvalidScope, why));
        }
        Ok(scope)
    }

    /// This scope for somebody who holds these grants: all that a token may say of it.
    pub(crate) fn held(&self, held: &[Grant]) -> Self {
        Self { words: self.words.clone(), grants: self.permissions(held).into_iter().collect() }
    }

    /// A part of this scope; what is not in it cannot be asked for.
    pub(crate) fn narrowed(&self, asked: Self) -> Result<Self, TokenError> {
        if asked == Self::default() {
            return Ok(self.clone());
        }
        let too_much = || TokenError::refused(OAuthError::InvalidScope, "this is more than was granted");
        if !asked.words.is_subset(&self.words) {
            return Err(too_much());
        }
        if beyond(&asked.listed(), &self.listed()).is_some() {
            return Err(too_much());
        }
        let grants = if asked.grants.is_empty() { self.grants.clone() } else { asked.grants };
        Ok(Self { words: asked.words, grants })
    }

    /// What its holder may do by it.
    pub(crate) fn permissions(&self, held: &[Grant]) -> Vec<Grant> {
        intersection(&self.listed(), held)
    }

    fn listed(&self) -> Vec<Grant> {
        self.grants.iter().cloned().collect()
    }

    pub(crate) fn names(&self, word: &str) -> bool {
        self.words.contains(word)
    }
}

/// Whether a word is of the kind of `openid`, and no permission that is misspelt.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl std::fmt::Display for Scope {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = self.words.iter().map(String::as_str).chain(self.grants.iter().map(Grant::as_str));
        formatter.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(text: &str) -> Vec<Grant> {
        text.split_whitespace().map(|word| word.parse().unwrap()).collect()
    }

    fn shown(grants: impl IntoIterator<Item = Grant>) -> String {
        grants.into_iter().map(String::from).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_token_may_do_what_scope_and_roles_both_allow() {
        for (scope, held, expected) in [
            ("orders:read", "*:*", "orders:read"),
            ("orders:*", "orders:read invoices:read", "orders:read"),
            ("*:read", "orders:*", "orders:read"),
            ("*:*", "orders:read *:read", "*:read"),
            ("orders:read", "invoices:*", ""),
            ("orders:read orders:write", "orders:*", "orders:read orders:write"),
        ] {
            let scope = Scope::parse(scope).unwrap();
            assert_eq!(shown(scope.permissions(&grants(held))), expected, "{scope} and {held}");
        }
    }

    #[test]
    fn a_client_gets_its_own_scopes_at_most() {
        for (asked, allowed, expected) in [
            ("", "", Some("*:*")),
            ("openid", "orders:read", Some("openid orders:read")),
            ("orders:write", "", Some("orders:write")),
            ("orders:* openid", "orders:read", Some("openid orders:read")),
            ("orders:write", "orders:read", None),
            ("openid phone", "orders:read", Some("openid orders:read")),
            ("Nonsense", "", None),
            ("a:b:c", "", None),
        ] {
            let given = Scope::parse(asked).and_then(|scope| scope.for_client(&grants(allowed)));
            assert_eq!(
                given.ok().map(|scope| scope.to_string()).as_deref(),
                expected,
                "{asked} of {allowed}"
            );
        }
        assert!(Scope::parse(&"a:b ".repeat(MOST + 1)).is_err());
    }

    #[test]
    fn what_was_given_stays_within_what_the_client_may_have_now() {
        for (given, allowed, expected) in [
            ("openid", "orders:read", Some("openid")),
            ("", "orders:read", Some("")),
            ("openid orders:*", "orders:read", Some("openid orders:read")),
            ("orders:write", "", Some("orders:write")),
            ("orders:write", "orders:read", None),
        ] {
            let within = Scope::parse(given).unwrap().within(&grants(allowed));
            assert_eq!(within.ok().map(|scope| scope.to_string()).as_deref(), expected, "{given} {allowed}");
        }
        assert_eq!(Scope::parse("openid *:*").unwrap().held(&[]).to_string(), "openid");
    }

    #[test]
    fn a_scope_is_narrowed_and_never_widened() {
        let given = Scope::parse("openid orders:* invoices:read").unwrap();
        for (asked, expected) in [
            ("", Some("openid invoices:read orders:*")),
            ("orders:read", Some("orders:read")),
            ("openid", Some("openid invoices:read orders:*")),
            ("email", None),
            ("invoices:*", None),
            ("orders:read users:read", None),
            ("*:*", None),
        ] {
            let narrowed = Scope::parse(asked).and_then(|asked| given.narrowed(asked));
            assert_eq!(narrowed.ok().map(|scope| scope.to_string()).as_deref(), expected, "{asked}");
        }
    }
}
