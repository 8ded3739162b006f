//! One-time codes that are sent by e-mail or SMS.
//!
//! Six to eight digits are a million to a hundred million guesses: what protects them is that few tries are allowed
//! and that the store holds an HMAC under a key that is not in the store. The HMAC covers purpose, account and a
//! random nonce, so a code to confirm an address does not open an account, and no code works for somebody else.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use aws_lc_rs::hmac;
use secrecy::{SecretString, zeroize::Zeroizing};

use super::{compact, decimal};
use crate::IdentityError;

/// The key of the codes: 256 bits that are not kept beside them.
pub struct CodeKey(hmac::Key);

impl CodeKey {
    /// Takes the key.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CodeKey(***)")
    }
}

/// What a code is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodePurpose {
    /// To prove a second factor at login or for a step-up.
    SecondFactor,
    /// The same with a telephone.
    Telephone,
    /// To confirm an e-mail address or telephone number.
    Contact,
    /// To set a new password.
    PasswordReset,
}

impl CodePurpose {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second-factor",
            Self::Telephone => "telephone",
            Self::Contact => "contact",
            Self::PasswordReset => "password-reset",
        }
    }
}

/// How codes are made: six digits, ten minutes, five tries, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePolicy {
    digits: u8,
    lifetime: Duration,
    tries: u8,
}

impl Default for CodePolicy {
    fn default() -> Self {
        Self { digits: 6, lifetime: Duration::from_mins(10), tries: 5 }
    }
}

impl CodePolicy {
    /// Other codes: 6 to 8 digits, one minute to ten (SP 800-63B-4, section 3.1.3.2), 1 to 10 tries. `None` if out
    /// of bounds.
    pub fn new(digits: u8, lifetime: Duration, tries: u8) -> Option<Self> {
        let minutes = Duration::from_mins(1)..=Duration::from_mins(10);
        let possible = (6..=8).contains(&digits) && minutes.contains(&lifetime) && (1..=10).contains(&tries);
        possible.then_some(Self { digits, lifetime, tries })
    }

    /// A new code, to be sent, and what to keep of it. It replaces earlier codes of this account and purpose.
    pub fn issue(
        &self,
        key: &CodeKey,
        purpose: CodePurpose,
        account: &str,
        now: SystemTime,
    ) -> Result<(SecretString, IssuedCode), IdentityError> {
        let code = Zeroizing::new(decimal(uniform(10_u32.pow(self.digits.into()))?, self.digits));
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| IdentityError::Random)?;
        let tag = hmac::sign(&key.0, &message(purpose, account, &nonce, &code));
        let hash = tag.as_ref().first_chunk().copied().unwrap_or_default();
        let issued = IssuedCode { nonce, hash, expires: now + self.lifetime, tries_left: self.tries };
        Ok((SecretString::from(code.as_str()), issued))
    }
}

/// What is kept of a code that was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// Makes equal codes differ.
    pub nonce: [u8; 16],
    /// The HMAC.
    pub hash: [u8; 32],
    /// The end of its validity.
    pub expires: SystemTime,
    /// Tries that are left.
    pub tries_left: u8,
}

/// Why a code is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum CodeError {
    #[error("the code has expired: ask for another")]
    Expired,
    #[error("too many tries: ask for another code")]
    Exhausted,
    #[error("the code does not match")]
    Wrong,
}

impl IssuedCode {
    /// Checks what was typed. A try is taken before anything is compared: store `tries_left` back when this fails,
    /// in a write that lets no two requests use the same try, and delete the code when it succeeds.
    pub fn verify(
        &mut self,
        key: &CodeKey,
        purpose: CodePurpose,
        account: &str,
        typed: &str,
        now: SystemTime,
    ) -> Result<(), CodeError> {
        if now >= self.expires {
            return Err(CodeError::Expired);
        }
        self.tries_left = self.tries_left.checked_sub(1).ok_or(CodeError::Exhausted)?;
        let code = Zeroizing::new(compact(typed));
        let message = message(purpose, account, &self.nonce, &code);
        hmac::verify(&key.0, &message, &self.hash).map_err(|_| CodeError::Wrong)
    }
}

impl fmt::Debug for IssuedCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IssuedCode")
            .field("expires", &self.expires)
            .field("tries_left", &self.tries_left)
            .finish_non_exhaustive()
    }
}

/// Purpose, account, nonce and code, each after its length: no two quadruples give the same bytes.
fn message(purpose: CodePurpose, account: &str, nonce: &[u8; 16], code: &str) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(b"bartizan one-time code v1\0".to_vec());
    for part in [purpose.name().as_bytes(), account.as_bytes(), nonce, code.as_bytes()] {
        message.extend((part.len() as u64).to_be_bytes());
        message.extend(part);
    }
    message
}

/// A number below `end`, each as likely as the other: what would favour the small ones is drawn again.
fn uniform(end: u32) -> Result<u32, IdentityError> {
    let usable = u32::MAX - u32::MAX % end;
    loop {
        let mut bytes = [0; 4];
        aws_lc_rs::rand::fill(&mut bytes).map_err(|_| IdentityError::Random)?;
        let number = u32::from_be_bytes(bytes);
        if number < usable {
            return Ok(number % end);
        }
    }
}
