//! Passwords: what may be one ([`PasswordRules`]), how it is kept ([`PasswordHash`], argon2id of RFC 9106), and
//! how it is checked without a flood of logins taking the machine ([`PasswordHasher`]).
//!
//! A [`Password`] is prepared once, by the `OpaqueString` profile of RFC 8265 (section 4.2): other spaces become
//! U+0020, and the text is normalised to NFC. Rules and hash see the same text, whichever keyboard it came from.
//!
//! ```
//! use bartizan_identity::password::{
//!     Argon2Parameters, Factors, HashingLimits, Password, PasswordContext, PasswordHasher, PasswordRules,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hasher = PasswordHasher::start(Argon2Parameters::default(), HashingLimits::default())?;
//! let rules = PasswordRules::default();
//! let alice = PasswordContext::new(["alice", "alice@shop.example", "Shop"]);
//!
//! let weak = Password::new(&"shop-alice-2026".into())?;
//! assert!(!rules.check(&weak, Factors::Alone, &alice)?.is_empty());
//!
//! let strong = Password::new(&"seven herons over a tin roof".into())?;
//! assert!(rules.check(&strong, Factors::Alone, &alice)?.is_empty());
//! let hash = hasher.hash(strong.clone()).await?;
//! assert!(hasher.verify(strong, &hash).await?.matches);
//! # Ok(()) }
//! ```

mod blocklist;
mod foreign;
mod hash;
mod hasher;
mod known;
mod pattern;
mod rules;
#[cfg(test)]
mod tests;
mod violation;
mod worker;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

pub use blocklist::{Blocklist, BlocklistError};
pub use foreign::{ForeignHash, ForeignHashError};
pub use hash::{Argon2Parameters, HashFormatError, ParametersError, PasswordHash};
pub use hasher::{HashingLimits, PasswordHasher, Verified};
pub use rules::{Factors, PasswordContext, PasswordProfile, PasswordRules};
pub use violation::{ContextKind, Violation};
pub use worker::HashingError;

/// Bytes of a password as it arrives: 128 code points of four bytes, and room for what normalisation joins.
const MAX_BYTES: usize = 1024;

/// A password, prepared and ready to be judged or hashed. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Prepares what a person typed. The error depends on the text only, never on an account.
    ///
    /// The buffer is allocated in its final size, so that no unwiped copy is left behind by growing it.
    pub fn new(typed: &SecretString) -> Result<Self, PasswordError> {
        let typed = typed.expose_secret();
        if typed.is_empty() {
            return Err(PasswordError::Empty);
        }
        if typed.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if typed.chars().any(char::is_control) {
            return Err(PasswordError::ControlCharacter);
        }
        let prepared = || typed.chars().map(to_plain_space).nfc();
        let mut text = String::with_capacity(prepared().map(char::len_utf8).sum());
        text.extend(prepared());
        Ok(Self(text.into()))
    }

    /// Its code points: "each Unicode code point shall be counted as a single character" (SP 800-63B-4).
    pub fn length(&self) -> usize {
        self.expose().chars().count()
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(***)")
    }
}

/// Any other space than U+0020 (RFC 8265, section 4.2.2, rule 2).
fn to_plain_space(character: char) -> char {
    match character {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

/// Why a text cannot be a password at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Nothing was typed.
    #[error("no password was given")]
    Empty,
    /// More than 1024 bytes.
    #[error("the password is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Line ends, NUL and their like (RFC 8264, section 4.3 disallows them).
    #[error("the password holds a control character")]
    ControlCharacter,
}
