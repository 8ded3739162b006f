//! Passkeys: the relying party's side of Web Authentication (W3C, Web Authentication Level 3).
//!
//! Everything here is a pure function of what a browser says, what is stored and a time. [`ChallengeKey`] makes
//! challenges that need no place to be kept, [`register`] (section 7.1) reads a new credential, [`prove`] (section 7.2)
//! checks a signature of a known one. The caller uses up each challenge once, and stores the counter.
//!
//! Who made the authenticator is not asked (attestation `none`): nobody here keeps lists of good ones, and browsers ask
//! people before they tell. A statement by which a key signs for itself (`packed` without certificates) is checked,
//! because some browsers leave it in.
//!
//! Keys are ES256, `EdDSA` and RS256, which is what authenticators have.

mod authenticator_data;
mod challenge;
mod client_data;
mod cose_key;
mod error;
mod proof;
mod registration;
#[cfg(test)]
mod tests;

pub use challenge::{ChallengeKey, ChallengePurpose, OpenedChallenge};
pub use client_data::{Ceremony, ClientData};
pub use cose_key::KeyAlgorithm;
pub use error::PasskeyError;
pub use proof::{Assertion, KnownCredential, Proof, prove};
pub use registration::{NewCredential, register};

/// Whether it must be shown who holds an authenticator, by a PIN or a finger, and not only that somebody does
/// (section 5.8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserVerification {
    /// Without it, nothing is proven.
    Required,
    /// Where the authenticator can.
    Preferred,
}

impl UserVerification {
    /// As options say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Preferred => "preferred",
        }
    }
}
