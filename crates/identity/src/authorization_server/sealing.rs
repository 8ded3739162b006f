//! Encryption of what the store keeps: AES-256-GCM under a key derived from the configured secret (HKDF-SHA256).

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf, hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::TokenError;

/// Comes before everything that is sealed, so that another way of sealing can follow.
const VERSION: &str = "1.";
const SEALING: &[u8] = b"bartizan sealing of tokens";
const NONCES: &[u8] = b"bartizan dpop nonces";

/// Seals and opens. What is sealed for one thing (`about`) cannot be opened as another.
pub(crate) struct Sealing(RandomizedNonceKey);

impl Sealing {
    pub(crate) fn new(secret: &SecretString) -> Result<Self, TokenError> {
        let key = derived(secret, SEALING)?;
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| TokenError::Cryptography)?;
        Ok(Self(key))
    }

    pub(crate) fn seal(&self, about: &str, plain: &[u8]) -> Result<String, TokenError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(about), &mut sealed)
            .map_err(|_| TokenError::Cryptography)?;
        let mut whole = nonce.as_ref().to_vec();
        whole.extend_from_slice(&sealed);
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    pub(crate) fn open(
        &self,
        about: impl AsRef<[u8]>,
        sealed: &str,
    ) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let encoded = sealed.strip_prefix(VERSION).ok_or(TokenError::Sealed)?;
        let whole = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Sealed)?;
        let (nonce, rest) = whole.split_at_checked(NONCE_LEN).ok_or(TokenError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TokenError::Sealed)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = self
            .0
            .open_in_place(nonce, Aad::from(about), plain.as_mut_slice())
            .map_err(|_| TokenError::Sealed)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sealing(***)")
    }
}

/// The key of the nonces that every gateway with this secret accepts.
pub(crate) fn nonce_key(secret: &SecretString) -> Result<hmac::Key, TokenError> {
    let key = derived(secret, NONCES)?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()))
}

fn derived(secret: &SecretString, purpose: &[u8]) -> Result<Zeroizing<[u8; 32]>, TokenError> {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::none(hkdf::HKDF_SHA256).extract(secret.expose_secret().as_bytes());
    let purpose = [purpose];
    let expanded = extracted.expand(&purpose, hkdf::HKDF_SHA256).map_err(|_| TokenError::Cryptography)?;
    expanded.fill(key.as_mut_slice()).map_err(|_| TokenError::Cryptography)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::wycheproof::{hex, load, tests};

    /// Project Wycheproof's vectors. Keys and nonces of other lengths than ours open nothing.
    #[test]
    fn aes_gcm() {
        let Some(vectors) = load("aes_gcm_test.json") else { return };
        let mut opened = 0;
        for (group, test) in tests(&vectors) {
            let sealed = ["iv", "ct", "tag"].map(|part| hex(&test[part])).concat();
            let sealed = format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(sealed));
            let key = RandomizedNonceKey::new(&AES_256_GCM, &hex(&test["key"]));
            let plain = key.ok().and_then(|key| Sealing(key).open(hex(&test["aad"]), &sealed).ok());
            let is_ours = group["keySize"] == 256 && group["ivSize"] == 96;
            let expected = (is_ours && test["result"] == "valid").then(|| hex(&test["msg"]));
            assert_eq!(plain.as_ref().map(|plain| plain.as_slice()), expected.as_deref(), "{test}");
            opened += usize::from(plain.is_some());
        }
        assert_eq!(opened, 39);
    }

    #[test]
    fn what_is_sealed_opens_with_its_secret_and_as_what_it_was() {
        let sealing = Sealing::new(&"s".repeat(32).into()).unwrap();
        let other = Sealing::new(&"t".repeat(32).into()).unwrap();
        let sealed = sealing.seal("key a", b"private").unwrap();
        assert_eq!(sealing.open("key a", &sealed).unwrap().as_slice(), b"private");
        assert_ne!(sealing.seal("key a", b"private").unwrap(), sealed, "no nonce is used twice");
        assert!(matches!(sealing.open("key b", &sealed), Err(TokenError::Sealed)));
        assert!(matches!(other.open("key a", &sealed), Err(TokenError::Sealed)));
        for broken in
            ["", "1.", "2.AAAA", "1.AAAA", "1.****", &sealed[..sealed.len() - 1], &format!("{sealed}A")]
        {
            assert!(matches!(sealing.open("key a", broken), Err(TokenError::Sealed)), "{broken}");
        }
        assert_eq!(format!("{sealing:?}"), "Sealing(***)");
    }
}
