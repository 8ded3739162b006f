//! What keeps the secrets of second factors from those who read the store.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use bartizan_config::SecondFactor;
use bartizan_store::{Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, zeroize::Zeroizing};

use super::{AccountError, shared_secret::SharedSecret};
use crate::{
    IdentityError,
    passkey::ChallengeKey,
    second_factor::{code::CodeKey, totp::TotpSecret},
};

/// Encrypts what apps and the gateway share and the numbers of telephones, and keys the codes that are sent and the
/// challenges for passkeys.
pub(crate) struct FactorKeys {
    seal: RandomizedNonceKey,
    codes: CodeKey,
    challenges: ChallengeKey,
}

impl FactorKeys {
    pub(crate) async fn open(store: &Store, settings: &SecondFactor) -> Result<Self, AccountError> {
        let kept;
        let key: &[u8] = if let Some(key) = &settings.key {
            key.expose_secret().as_bytes()
        } else {
            kept = SharedSecret::SecondFactors.of(store).await?;
            kept.as_slice()
        };
        Self::derive(key)
    }

    /// Several keys of one, so that none says anything about another.
    fn derive(key: &[u8]) -> Result<Self, AccountError> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let derived = |label: &str| {
            let tag = hmac::sign(&key, label.as_bytes());
            let mut bytes = Zeroizing::new([0; 32]);
            bytes.copy_from_slice(tag.as_ref().get(..32)?);
            Some(bytes)
        };
        let seal = derived("bartizan totp secrets v1").ok_or(IdentityError::Random)?;
        let codes = derived("bartizan one-time codes v1").ok_or(IdentityError::Random)?;
        let challenges = derived("bartizan passkey challenges v1").ok_or(IdentityError::Random)?;
        let seal =
            RandomizedNonceKey::new(&AES_256_GCM, seal.as_slice()).map_err(|_| IdentityError::Random)?;
        Ok(Self { seal, codes: CodeKey::new(&codes), challenges: ChallengeKey::new(&challenges) })
    }

    pub(crate) fn codes(&self) -> &CodeKey {
        &self.codes
    }

    pub(crate) fn challenges(&self) -> &ChallengeKey {
        &self.challenges
    }

    /// A secret as the store has it. It can be opened for the same factor only.
    pub(crate) fn seal(&self, factor: &str, secret: &TotpSecret) -> Result<String, AccountError> {
        self.seal_bytes(factor, secret.expose())
    }

    /// The same for what is no secret of an app.
    pub(crate) fn seal_bytes(&self, factor: &str, bytes: &[u8]) -> Result<String, AccountError> {
        let mut sealed = bytes.to_vec();
        let nonce = self.seal.seal_in_place_append_tag(Aad::from(factor.as_bytes()), &mut sealed);
        let nonce = nonce.map_err(|_| IdentityError::Random)?;
        Ok(STANDARD_NO_PAD.encode([nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// The secret of a factor.
    pub(crate) fn unseal(&self, factor: &str, sealed: &str) -> Result<TotpSecret, StoreError> {
        let secret = self.unseal_bytes(factor, sealed)?;
        TotpSecret::from_bytes(&secret).ok_or_else(nonsense)
    }

    /// What was sealed for a factor.
    pub(crate) fn unseal_bytes(&self, factor: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| nonsense())?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(nonsense)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(nonce, Aad::from(factor.as_bytes()), &mut text);
        let length = opened.map_err(|_| nonsense())?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn nonsense() -> StoreError {
    StoreError::Nonsense { what: "the secret of a second factor (another key?)" }
}

impl fmt::Debug for FactorKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FactorKeys(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_for_its_factor_only() {
        let (keys, others) = (FactorKeys::derive(&[7; 32]).unwrap(), FactorKeys::derive(&[8; 32]).unwrap());
        let secret = TotpSecret::generate().unwrap();
        let sealed = keys.seal("one", &secret).unwrap();
        assert_ne!(sealed, keys.seal("one", &secret).unwrap());
        assert_eq!(keys.unseal("one", &sealed).unwrap().expose(), secret.expose());
        for refused in [keys.unseal("two", &sealed), others.unseal("one", &sealed), keys.unseal("one", "")] {
            assert!(refused.is_err());
        }
    }
}
