//! Challenges (section 13.4.3) that carry by themselves what they are good for, so that nothing has to be kept for people
//! who only begin: however many ceremonies are begun, they take no room.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::PasskeyError;
use crate::IdentityError;

/// The key of the challenges, the same on every gateway of a store.
pub struct ChallengeKey(hmac::Key);

/// What a challenge is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChallengePurpose {
    /// To register a passkey, in a session.
    Register,
    /// To log in by nothing else.
    SignIn,
    /// To complete a login whose password was right.
    SecondFactor,
    /// To prove again who holds a session.
    StepUp,
}

/// A challenge that was given for this, and lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedChallenge {
    /// By what it is remembered once it is used.
    pub id: String,
    /// Until when.
    pub expires: SystemTime,
}

/// How long a ceremony may take: what section 15.1 recommends at the least.
const LIFETIME: Duration = Duration::from_mins(5);
const NONCE: usize = 16;
const TAG: usize = 32;

impl ChallengeKey {
    /// Takes the key.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// How long a challenge is good for.
    pub const fn lifetime() -> Duration {
        LIFETIME
    }

    /// A new challenge in base64url. `subject` is the one session or login that it is for.
    pub fn issue(
        &self,
        purpose: ChallengePurpose,
        subject: &str,
        now: SystemTime,
    ) -> Result<String, IdentityError> {
        let mut nonce = [0; NONCE];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| IdentityError::Random)?;
        let expires = (now + LIFETIME).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expires = expires.to_be_bytes();
        let tag = hmac::sign(&self.0, &message(purpose, subject, &nonce, expires));
        Ok(URL_SAFE_NO_PAD.encode([&nonce, expires.as_slice(), tag.as_ref()].concat()))
    }

    /// Checks a challenge that came back.
    pub fn open(
        &self,
        challenge: &str,
        purpose: ChallengePurpose,
        subject: &str,
        now: SystemTime,
    ) -> Result<OpenedChallenge, PasskeyError> {
        self.parse(challenge, purpose, subject, now).ok_or(PasskeyError::Challenge)
    }

    fn parse(
        &self,
        challenge: &str,
        purpose: ChallengePurpose,
        subject: &str,
        now: SystemTime,
    ) -> Option<OpenedChallenge> {
        let bytes = URL_SAFE_NO_PAD.decode(challenge).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (expires, tag) = rest.split_first_chunk::<8>()?;
        let tag: &[u8; TAG] = tag.try_into().ok()?;
        hmac::verify(&self.0, &message(purpose, subject, nonce, *expires), tag).ok()?;
        let expires = UNIX_EPOCH.checked_add(Duration::from_secs(u64::from_be_bytes(*expires)))?;
        let digest = Sha256::new_with_prefix("webauthn challenge\0").chain_update(&bytes).finalize();
        (now < expires).then(|| OpenedChallenge { id: URL_SAFE_NO_PAD.encode(digest), expires })
    }
}

impl ChallengePurpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::SignIn => "sign-in",
            Self::SecondFactor => "second-factor",
            Self::StepUp => "step-up",
        }
    }
}

/// The parts of variable length stand last but one and behind a NUL: no two challenges give the same bytes.
fn message(purpose: ChallengePurpose, subject: &str, nonce: &[u8; NONCE], expires: [u8; 8]) -> Vec<u8> {
    [nonce.as_slice(), &expires, purpose.name().as_bytes(), b"\0", subject.as_bytes()].concat()
}

impl fmt::Debug for ChallengeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChallengeKey(***)")
    }
}
