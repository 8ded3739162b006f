//! Codes of an authenticator app: TOTP (RFC 6238) over HOTP (RFC 4226).

mod enrolment;

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice, SecretString, zeroize::Zeroizing};
use subtle::ConstantTimeEq;

use super::{compact, decimal};
use crate::IdentityError;

pub use enrolment::{Enrolment, EnrolmentError};

/// RFC 4226, section 4: at least 128 bits, 160 recommended.
const SECRET_BYTES: usize = 20;
const LEAST_SECRET_BYTES: usize = 16;
const MOST_SECRET_BYTES: usize = 64;

/// The hash of the HMAC. Many apps read nothing but SHA-1, whose weakness does not touch HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names of FIPS 180-4")]
pub enum TotpHash {
    #[default]
    Sha1,
    Sha256,
    Sha512,
}

impl TotpHash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

/// What the app and the gateway share. `Debug` does not show it; encrypt it where it is kept.
#[derive(Clone)]
pub struct TotpSecret(SecretSlice<u8>);

impl TotpSecret {
    /// A new secret of 160 bits.
    pub fn generate() -> Result<Self, IdentityError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        aws_lc_rs::rand::fill(bytes.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        Ok(Self(bytes.to_vec().into()))
    }

    /// A secret from the store: 16 to 64 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (LEAST_SECRET_BYTES..=MOST_SECRET_BYTES).contains(&bytes.len()).then(|| Self(bytes.to_vec().into()))
    }

    /// The bytes, for the store.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// For typing into an app (RFC 4648, section 6, without padding).
    pub fn base32(&self) -> SecretString {
        base32(self.expose()).into()
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TotpSecret(***)")
    }
}

/// A period of time, counted from 1970. The caller keeps the last one that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotpStep(pub u64);

/// Why a code is refused. The person learns only that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum TotpError {
    #[error("not a code of the expected number of digits")]
    Form,
    #[error("the code does not match")]
    Wrong,
    #[error("the code was used before")]
    Replayed,
}

/// How codes are made: six digits of HMAC-SHA-1 every 30 seconds, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totp {
    hash: TotpHash,
    digits: u8,
    period: u64,
}

impl Default for Totp {
    fn default() -> Self {
        Self { hash: TotpHash::Sha1, digits: 6, period: 30 }
    }
}

impl Totp {
    /// Other codes: 6 to 8 digits, 15 to 120 seconds. `None` if out of bounds.
    pub fn new(hash: TotpHash, digits: u8, period_seconds: u64) -> Option<Self> {
        let possible = (6..=8).contains(&digits) && (15..=120).contains(&period_seconds);
        possible.then_some(Self { hash, digits, period: period_seconds })
    }

    /// The code of a moment, as the app shows it.
    pub fn code(&self, secret: &TotpSecret, now: SystemTime) -> String {
        self.code_of(&hmac::Key::new(self.hash.hmac(), secret.expose()), self.step(now))
    }

    /// Checks a code of this step or a neighbour (RFC 6238, section 5.2), and that none of its step or later was
    /// used before.
    ///
    /// The step that is returned must become the next `last_used` in one atomic write that fails unless it is
    /// later than the stored one: that is what makes a code work once.
    pub fn verify(
        &self,
        secret: &TotpSecret,
        typed: &str,
        now: SystemTime,
        last_used: Option<TotpStep>,
    ) -> Result<TotpStep, TotpError> {
        let typed = compact(typed);
        if typed.len() != usize::from(self.digits) || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(TotpError::Form);
        }
        let key = hmac::Key::new(self.hash.hmac(), secret.expose());
        let TotpStep(current) = self.step(now);
        let mut found = None;
        // All three, whichever matches: the time says nothing. The latest is kept.
        for step in current.saturating_sub(1)..=current.saturating_add(1) {
            let code = self.code_of(&key, TotpStep(step));
            if code.as_bytes().ct_eq(typed.as_bytes()).into() {
                found = Some(TotpStep(step));
            }
        }
        let step = found.ok_or(TotpError::Wrong)?;
        if last_used.is_some_and(|last| step <= last) { Err(TotpError::Replayed) } else { Ok(step) }
    }

    /// What a person needs to add the secret to an app.
    pub fn enrol(
        &self,
        secret: &TotpSecret,
        issuer: &str,
        account: &str,
    ) -> Result<Enrolment, EnrolmentError> {
        Enrolment::new(*self, secret, issuer, account)
    }

    fn step(&self, now: SystemTime) -> TotpStep {
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        TotpStep(seconds / self.period)
    }

    /// RFC 4226, section 5.3: the four bytes at an offset that the last byte names, without the sign.
    fn code_of(&self, key: &hmac::Key, TotpStep(step): TotpStep) -> String {
        let tag = hmac::sign(key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 15);
        let truncated = tag.get(offset..).and_then(<[u8]>::first_chunk).copied().unwrap_or_default();
        decimal(u32::from_be_bytes(truncated) & 0x7fff_ffff, self.digits)
    }
}

fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let bits =
            chunk.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - chunk.len()));
        let digits = (chunk.len() * 8).div_ceil(5);
        text.extend((0..digits).filter_map(|digit| {
            ALPHABET.get(usize::try_from(bits >> (35 - 5 * digit) & 31).ok()?).map(|byte| char::from(*byte))
        }));
    }
    text
}
