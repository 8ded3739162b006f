//! What keeps the secrets of second factors from those who read the store. What an earlier key has sealed still opens, while
//! the configuration lists it, and is sealed anew in the background.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use bartizan_config::SecondFactor;
use bartizan_store::{Statement, Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, zeroize::Zeroizing};

use super::{AccountError, Accounts, shared_secret::SharedSecret};
use crate::{
    IdentityError,
    passkey::ChallengeKey,
    second_factor::{code::CodeKey, totp::TotpSecret},
};

/// Encrypts what apps and the gateway share and the numbers of telephones, and keys the codes that are sent and the
/// challenges for passkeys.
pub(crate) struct FactorKeys {
    seal: RandomizedNonceKey,
    earlier: Vec<RandomizedNonceKey>,
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
        let earlier = settings.earlier_keys.iter().map(|key| key.expose_secret().as_bytes());
        let earlier = earlier.map(|key| Ok(Self::derive(key)?.seal));
        Ok(Self { earlier: earlier.collect::<Result<_, AccountError>>()?, ..Self::derive(key)? })
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
        let (codes, challenges) = (CodeKey::new(&codes), ChallengeKey::new(&challenges));
        Ok(Self { seal, earlier: Vec::new(), codes, challenges })
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
        let mut keys = std::iter::once(&self.seal).chain(&self.earlier);
        keys.find_map(|key| opened(key, factor, sealed)).ok_or_else(nonsense)
    }

    /// The same as it is to be stored, if only an earlier key opens it.
    fn sealed_anew(&self, factor: &str, sealed: &str) -> Result<Option<String>, AccountError> {
        if opened(&self.seal, factor, sealed).is_some() {
            return Ok(None);
        }
        self.seal_bytes(factor, &self.unseal_bytes(factor, sealed)?).map(Some)
    }
}

impl Accounts {
    /// Seals what only an earlier key opens with the newest, so that the earlier one can be taken away.
    pub(super) async fn seal_factors_anew(&self) -> Result<(), AccountError> {
        const READ: &str = "SELECT id, secret FROM second_factors \
            WHERE id > $1 AND kind IN ('totp', 'sms') ORDER BY id LIMIT 500";
        const SEAL: &str = "UPDATE second_factors SET secret = $3 WHERE id = $1 AND secret = $2";
        if self.factor_keys.earlier.is_empty() {
            return Ok(());
        }
        let (mut last, mut count, mut unreadable) = (String::new(), 0_u64, 0_u64);
        loop {
            let rows = self.store.rows(Statement::new(READ).text(last.as_str())).await?;
            let mut transaction = self.store.begin().await?;
            for row in &rows {
                let (id, sealed) = (row.text("id")?, row.text("secret")?);
                match self.factor_keys.sealed_anew(&id, &sealed) {
                    Ok(Some(anew)) => {
                        let seal = Statement::new(SEAL).text(id.as_str()).text(sealed).text(anew);
                        count += transaction.execute(seal).await?;
                    }
                    Ok(None) => {}
                    Err(_) => unreadable += 1,
                }
                last = id;
            }
            transaction.commit().await?;
            if rows.is_empty() {
                tracing::info!(count, unreadable, "second factors are encrypted with the newest key");
                return Ok(());
            }
        }
    }
}

fn opened(key: &RandomizedNonceKey, factor: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut text = Zeroizing::new(rest.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let length = key.open_in_place(nonce, Aad::from(factor.as_bytes()), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
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
