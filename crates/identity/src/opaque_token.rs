//! Opaque tokens: random texts that mean nothing by themselves. Sessions, refresh tokens, invitations and API keys
//! are such tokens.
//!
//! The form is `prefix_` + 43 characters of base 62 (256 random bits) + six of checksum (CRC-32 of all before it,
//! in base 62). Prefix and checksum are for secret scanners, which so find a leaked token without asking anybody and
//! without false alarms, and for us, who refuse a mistyped one before the store is asked. Neither is a secret.
//!
//! What is kept is the SHA-256 of the token. A slow or keyed hash would add nothing: 256 random bits cannot be
//! guessed from their hash.
//!
//! ```
//! use bartizan_identity::{OpaqueToken, TokenPrefix};
//! use secrecy::ExposeSecret;
//!
//! let prefix: TokenPrefix = "btz_session".parse()?;
//! let token = OpaqueToken::generate(&prefix)?;
//! let stored = token.hash();
//!
//! let presented = OpaqueToken::parse(&prefix, token.secret().expose_secret())?;
//! assert_eq!(presented.hash(), stored);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::{fmt, str::FromStr};

use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::IdentityError;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^43 is a little more than 2^256.
const RANDOM_CHARACTERS: usize = 43;
const CHECKSUM_CHARACTERS: usize = 6;

/// What a kind of token begins with: 1 to 32 letters, digits, `-` or `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenPrefix(String);

impl FromStr for TokenPrefix {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=32).contains(&text.len()) || !text.bytes().all(allowed) {
            return Err(IdentityError::KeyPrefix(text.into()));
        }
        Ok(Self(text.into()))
    }
}

/// A token of the right form. Whether it is known only its hash can tell. `Debug` does not show it.
#[derive(Clone)]
pub struct OpaqueToken(SecretString);

/// Why a text cannot be a token of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum TokenFormError {
    #[error("the token has another prefix")]
    Prefix,
    #[error("the token is not 49 letters and digits after its prefix")]
    Form,
    #[error("the token's checksum does not fit: it is mistyped or cut off")]
    Checksum,
}

impl OpaqueToken {
    /// A new token.
    pub fn generate(TokenPrefix(prefix): &TokenPrefix) -> Result<Self, IdentityError> {
        let mut text = String::with_capacity(prefix.len() + 1 + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS);
        text.push_str(prefix);
        text.push('_');
        let unchecked = text.len() + RANDOM_CHARACTERS;
        while text.len() < unchecked {
            let mut random = Zeroizing::new([0; 64]);
            aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| IdentityError::Random)?;
            // 248 is the last multiple of 62: more would favour the first characters.
            let characters = random.iter().filter(|byte| **byte < 248).map(|byte| digit(u32::from(*byte)));
            text.extend(characters.take(unchecked - text.len()));
        }
        let checksum = checksum(&text);
        text.extend(checksum);
        Ok(Self(text.into()))
    }

    /// Reads a presented token; needs no store.
    pub fn parse(TokenPrefix(prefix): &TokenPrefix, text: &str) -> Result<Self, TokenFormError> {
        let rest = text.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('_'));
        let rest = rest.ok_or(TokenFormError::Prefix)?;
        if rest.len() != RANDOM_CHARACTERS + CHECKSUM_CHARACTERS
            || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            return Err(TokenFormError::Form);
        }
        let (unchecked, presented) = text.split_at(text.len() - CHECKSUM_CHARACTERS);
        if !presented.chars().eq(checksum(unchecked)) {
            return Err(TokenFormError::Checksum);
        }
        Ok(Self(text.into()))
    }

    /// The token, for its holder.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.expose_secret()).into())
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpaqueToken(***)")
    }
}

/// The SHA-256 of a token: what the store knows and looks for. Compared in constant time here.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash from the store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash, for the store.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(***)")
    }
}

fn digit(value: u32) -> char {
    let index = usize::try_from(value % 62).unwrap_or_default();
    ALPHABET.get(index).map_or('0', |byte| char::from(*byte))
}

fn checksum(text: &str) -> impl Iterator<Item = char> + use<> {
    let crc = crc32(text.as_bytes());
    [5, 4, 3, 2, 1, 0].into_iter().map(move |place| digit(crc / 62_u32.pow(place)))
}

/// CRC-32 of ISO-HDLC: reflected polynomial 0xEDB88320.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix() -> TokenPrefix {
        "btz_session".parse().unwrap()
    }

    #[test]
    fn the_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert!(checksum("").eq("000000".chars()));
    }

    #[test]
    fn tokens_are_long_and_different_and_not_shown() {
        let tokens: Vec<_> = (0..100).map(|_| OpaqueToken::generate(&prefix()).unwrap()).collect();
        for (index, token) in tokens.iter().enumerate() {
            let text = token.secret().expose_secret();
            assert_eq!(text.len(), "btz_session_".len() + 43 + 6);
            assert_eq!(OpaqueToken::parse(&prefix(), text).unwrap().hash(), token.hash());
            assert!(tokens[..index].iter().all(|other| other.hash() != token.hash()));
            assert_eq!(format!("{token:?} {:?}", token.hash()), "OpaqueToken(***) TokenHash(***)");
        }
        let all: String = tokens.iter().map(|token| token.secret().expose_secret()).collect();
        assert!(ALPHABET.iter().all(|byte| all.contains(char::from(*byte))), "every character occurs");
    }

    #[test]
    fn prefixes_have_a_form() {
        for text in ["", "a b", "é", "a\n", &"a".repeat(33)] {
            assert!(matches!(text.parse::<TokenPrefix>(), Err(IdentityError::KeyPrefix(_))), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_noticed(at in 0_usize..61, replacement in "[0-9A-Za-z]") {
            let token = OpaqueToken::generate(&prefix()).unwrap();
            let right = token.secret().expose_secret();
            let mut wrong = right.to_owned();
            wrong.replace_range(at..=at, &replacement);
            let parsed = OpaqueToken::parse(&prefix(), &wrong);
            prop_assert_eq!(parsed.is_ok(), wrong == right, "{}", wrong);
        }

        #[test]
        fn any_text_is_refused(text in "(btz_session_)?\\PC{0,60}") {
            prop_assert!(OpaqueToken::parse(&prefix(), &text).is_err());
        }
    }
}
