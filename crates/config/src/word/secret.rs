//! Secrets and their hashes. Neither is ever quoted in a message.

use base64::{Engine, engine::general_purpose::STANDARD};
use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::{SecretSlice, SecretString};

use crate::forms::Forms;

/// A shared secret.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) SecretString);

impl Forms for Secret {
    const NAME: &'static str = "Secret";
    const EXPECTED: &'static str = "a secret";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 4,
            "description": "A secret of at least 32 bytes. Take it from the environment: `${JWT_SECRET}`.",
            "examples": ["${JWT_SECRET}"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        Ok(Self(word.into()))
    }
}

/// A secret that HMACs are made with: text, or bytes as base64.
#[derive(Clone)]
pub(crate) struct SigningSecret(pub(crate) SecretSlice<u8>);

const BASE64: &str = "base64:";

impl Forms for SigningSecret {
    const NAME: &'static str = "SigningSecret";
    const EXPECTED: &'static str = "a secret";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 4,
            "description": "A secret of at least 32 bytes: text as it is, or after `base64:` the base64 of bytes that are no text. Take it from the environment: `${PARTNER_SECRET}`.",
            "examples": ["${PARTNER_SECRET}"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let bytes = match word.strip_prefix(BASE64) {
            Some(encoded) => {
                STANDARD.decode(encoded).map_err(|_| "this is not base64 after `base64:`".to_owned())?
            }
            None => word.into(),
        };
        Ok(Self(bytes.into()))
    }
}

/// What the gateway proves itself with to somebody else's server.
#[derive(Clone)]
pub(crate) struct Password(pub(crate) SecretString);

impl Forms for Password {
    const NAME: &'static str = "Password";
    const EXPECTED: &'static str = "a password";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A password. Take it from the environment: `${SMTP_PASSWORD}`.",
            "examples": ["${SMTP_PASSWORD}"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        if word.is_empty() { Err("this password is empty".into()) } else { Ok(Self(word.into())) }
    }
}

/// The SHA-256 of an API key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash(pub(crate) [u8; 32]);

impl Forms for KeyHash {
    const NAME: &'static str = "KeyHash";
    const EXPECTED: &'static str = "`sha256:` and 64 hexadecimal digits";

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(sha256:[0-9A-Fa-f]{64}|\$\{.*\})$",
            "description": "The SHA-256 of the key, in hexadecimal: `printf %s \"$KEY\" | sha256sum`.",
            "examples": ["sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"],
        })
    }

    fn word(word: &str) -> Result<Self, String> {
        let refuse = || {
            "this is not the hash of a key: write `sha256:` and the 64 hexadecimal digits of its SHA-256"
                .to_owned()
        };
        let digits = word.strip_prefix("sha256:").filter(|digits| digits.len() == 64).ok_or_else(refuse)?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.bytes().all(|byte| byte.is_ascii_hexdigit()));
            *byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(refuse)?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_signing_secret_is_text_or_the_base64_of_bytes() {
        let bytes = |word| SigningSecret::word(word).map(|secret| secret.0.expose_secret().to_vec());
        assert_eq!(bytes("c2VjcmV0").unwrap(), b"c2VjcmV0");
        assert_eq!(bytes("base64:+/8=").unwrap(), [0xfb, 0xff]);
        for wrong in ["base64:c2VjcmV", "base64:-_8=", "base64:c2 VjcmV0"] {
            let error = bytes(wrong).unwrap_err();
            assert!(!error.contains("c2V") && !error.contains("-_8"), "{error}");
        }
    }

    #[test]
    fn only_a_whole_sha256_is_a_hash() {
        let digits = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
        let hash = KeyHash::word(&format!("sha256:{digits}")).ok().unwrap();
        assert_eq!(hash.0[..2], [0x2c, 0x26]);
        for text in [
            digits,
            "sha256:",
            "sk_live_0123456789",
            &format!("sha256:{}", "+0".repeat(32)),
            &format!("sha256:{digits}0"),
        ] {
            let error = KeyHash::word(text).err().unwrap();
            assert!(!error.contains("sk_live") && !error.contains(digits), "{error}");
        }
    }
}
