//! The secret of a session, and what is derived from it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};

use crate::IdentityError;

/// 32 bytes as base64url.
const LENGTH: usize = 43;
/// Keeps the two derived values apart.
const CSRF: &[u8] = b"bartizan csrf token\0";

/// The secret that a session's cookie carries: 256 random bits.
#[derive(Debug, Clone)]
pub struct SessionToken(SecretString);

/// How a session is known here and in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionDigest([u8; 32]);

impl SessionToken {
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        let mut random = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random.as_slice()).into()))
    }

    /// A token as a cookie carries it, if it has the form of one.
    pub(crate) fn presented(value: &[u8]) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if value.len() != LENGTH || !value.iter().all(allowed) {
            return None;
        }
        std::str::from_utf8(value).ok().map(|text| Self(text.into()))
    }

    /// The value of the cookie.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// What a page must say in `x-csrf-token`. Whoever does not know the session's secret cannot work it out, so a
    /// cookie that a neighbouring host plants is of no use.
    pub fn csrf(&self) -> String {
        let digest = Sha256::new().chain_update(CSRF).chain_update(self.0.expose_secret()).finalize();
        URL_SAFE_NO_PAD.encode(digest)
    }

    pub(crate) fn digest(&self) -> SessionDigest {
        SessionDigest(Sha256::digest(self.0.expose_secret()).into())
    }
}

impl SessionDigest {
    /// As the store has it.
    pub(crate) fn stored(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_token_is_hashed() {
        let token = SessionToken::generate().unwrap();
        let text = token.secret().expose_secret();
        let again = SessionToken::presented(text.as_bytes()).unwrap();
        assert_eq!(token.digest(), again.digest());
        assert_eq!(token.csrf(), again.csrf());
        assert_ne!(token.csrf(), token.digest().stored());
        for wrong in ["", "short", &"é".repeat(22), &format!("{text}x"), &text.replace(&text[..1], " ")] {
            assert!(SessionToken::presented(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
