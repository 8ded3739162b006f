//! Encryption of what the store keeps, under keys derived from the configured secret (HKDF-SHA256): AES-256-GCM, and for
//! keys AES-256 key wrap with padding (NIST SP 800-38F, RFC 5649), which needs no nonce. What an earlier secret has sealed
//! still opens, while the configuration lists it.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf, hmac,
    key_wrap::{AES_256, AesKek, KeyWrapPadded},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

use super::TokenError;

/// Comes before everything that is sealed, so that another way of sealing can follow.
const VERSION: &str = "1.";
/// Comes before every key that is wrapped.
const WRAPPED: &str = "2.";
const SEALING: &[u8] = b"bartizan sealing of tokens";
const WRAPPING: &[u8] = b"bartizan wrapping of keys";
const NONCES: &[u8] = b"bartizan dpop nonces";

/// Seals and opens. What is sealed for one thing (`about`) cannot be opened as another.
pub(crate) struct Sealing {
    newest: Keys,
    earlier: Vec<Keys>,
}

/// What comes of one secret.
struct Keys {
    sealing: RandomizedNonceKey,
    wrapping: KeyWrap,
}

/// Wraps keys.
struct KeyWrap(Zeroizing<[u8; 32]>);

impl Sealing {
    /// Seals with a secret, and opens with the earlier ones, too.
    pub(crate) fn new(newest: &SecretString, earlier: &[SecretString]) -> Result<Self, TokenError> {
        let earlier = earlier.iter().map(Keys::new).collect::<Result<_, _>>()?;
        Ok(Self { newest: Keys::new(newest)?, earlier })
    }

    /// A private key in the form in which it is stored. The wrap holds nothing but the key: whoever unwraps it compares its id.
    pub(crate) fn wrap_key(&self, pkcs8: &[u8]) -> Result<String, TokenError> {
        self.newest.wrap_key(pkcs8)
    }

    /// The private key with this id, also of a store from before keys were wrapped, when they were sealed like all else.
    pub(crate) fn unwrap_key(&self, id: &str, stored: &str) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.first(|keys| keys.unwrap_key(id, stored))
    }

    /// A key as it is to be stored, if only an earlier secret opens it.
    pub(crate) fn wrap_anew(&self, id: &str, stored: &str) -> Result<Option<String>, TokenError> {
        if self.newest.unwrap_key(id, stored).is_ok() {
            return Ok(None);
        }
        self.wrap_key(&self.unwrap_key(id, stored)?).map(Some)
    }

    /// Whether something may have been sealed with another secret.
    pub(crate) fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    pub(crate) fn seal(&self, about: &str, plain: &[u8]) -> Result<String, TokenError> {
        self.newest.seal(about, plain)
    }

    pub(crate) fn open(&self, about: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        self.first(|keys| keys.open(about, sealed))
    }

    /// What the first secret opens that opens it.
    fn first<T>(&self, open: impl Fn(&Keys) -> Result<T, TokenError>) -> Result<T, TokenError> {
        let all = std::iter::once(&self.newest).chain(&self.earlier);
        let mut tried = all.map(open);
        tried.find(Result::is_ok).unwrap_or(Err(TokenError::Sealed))
    }
}

impl Keys {
    fn new(secret: &SecretString) -> Result<Self, TokenError> {
        let key = derived(secret, SEALING)?;
        let sealing =
            RandomizedNonceKey::new(&AES_256_GCM, key.as_slice()).map_err(|_| TokenError::Cryptography)?;
        Ok(Self { sealing, wrapping: KeyWrap(derived(secret, WRAPPING)?) })
    }

    fn wrap_key(&self, pkcs8: &[u8]) -> Result<String, TokenError> {
        Ok(format!("{WRAPPED}{}", URL_SAFE_NO_PAD.encode(self.wrapping.wrap(pkcs8)?)))
    }

    fn unwrap_key(&self, id: &str, stored: &str) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let Some(wrapped) = stored.strip_prefix(WRAPPED) else { return self.open(id, stored) };
        self.wrapping.unwrap(&URL_SAFE_NO_PAD.decode(wrapped).map_err(|_| TokenError::Sealed)?)
    }

    fn seal(&self, about: &str, plain: &[u8]) -> Result<String, TokenError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(about), &mut sealed)
            .map_err(|_| TokenError::Cryptography)?;
        let mut whole = nonce.as_ref().to_vec();
        whole.extend_from_slice(&sealed);
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(whole)))
    }

    fn open(&self, about: impl AsRef<[u8]>, sealed: &str) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let encoded = sealed.strip_prefix(VERSION).ok_or(TokenError::Sealed)?;
        let whole = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Sealed)?;
        let (nonce, rest) = whole.split_at_checked(NONCE_LEN).ok_or(TokenError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TokenError::Sealed)?;
        let mut plain = Zeroizing::new(rest.to_vec());
        let length = self
            .sealing
            .open_in_place(nonce, Aad::from(about), plain.as_mut_slice())
            .map_err(|_| TokenError::Sealed)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl KeyWrap {
    /// What wrapping adds at most: a block of integrity and the padding.
    const ADDED: usize = 15;

    fn wrap(&self, key: &[u8]) -> Result<Vec<u8>, TokenError> {
        let failed = |_| TokenError::Cryptography;
        let mut wrapped = vec![0; key.len() + Self::ADDED];
        let wrapping = AesKek::new(&AES_256, self.0.as_slice()).map_err(failed)?;
        let length = wrapping.wrap_with_padding(key, &mut wrapped).map_err(failed)?.len();
        wrapped.truncate(length);
        Ok(wrapped)
    }

    fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, TokenError> {
        let failed = |_| TokenError::Sealed;
        let mut key = Zeroizing::new(vec![0; wrapped.len()]);
        let wrapping = AesKek::new(&AES_256, self.0.as_slice()).map_err(failed)?;
        let length = wrapping.unwrap_with_padding(wrapped, key.as_mut_slice()).map_err(failed)?.len();
        key.truncate(length);
        Ok(key)
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
            let wrapping = || KeyWrap(Zeroizing::new([0; 32]));
            let plain = key.ok().and_then(|sealing| {
                Keys { sealing, wrapping: wrapping() }.open(hex(&test["aad"]), &sealed).ok()
            });
            let is_ours = group["keySize"] == 256 && group["ivSize"] == 96;
            let expected = (is_ours && test["result"] == "valid").then(|| hex(&test["msg"]));
            assert_eq!(plain.as_ref().map(|plain| plain.as_slice()), expected.as_deref(), "{test}");
            opened += usize::from(plain.is_some());
        }
        assert_eq!(opened, 39);
    }

    /// Project Wycheproof's vectors of 256 bits, both ways; what is damaged unwraps to nothing.
    #[test]
    fn aes_key_wrap_with_padding() {
        let Some(vectors) = load("aes_kwp_test.json") else { return };
        let (mut wrapped, mut refused) = (0, 0);
        for (group, test) in tests(&vectors) {
            let Ok(key) = <[u8; 32]>::try_from(hex(&test["key"])) else {
                assert_ne!(group["keySize"], 256, "{test}");
                continue;
            };
            let wrap = KeyWrap(Zeroizing::new(key));
            let (plain, cipher) = (hex(&test["msg"]), hex(&test["ct"]));
            if test["result"] == "invalid" {
                assert!(matches!(wrap.unwrap(&cipher), Err(TokenError::Sealed)), "{test}");
                refused += 1;
            } else {
                assert_eq!(wrap.wrap(&plain).unwrap(), cipher, "{test}");
                assert_eq!(wrap.unwrap(&cipher).unwrap().as_slice(), plain, "{test}");
                wrapped += 1;
            }
        }
        assert_eq!((wrapped, refused), (25, 69));
    }

    #[test]
    fn a_key_is_wrapped_and_unwrapped_also_as_it_was_sealed_before() {
        let sealing = Sealing::new(&"s".repeat(32).into(), &[]).unwrap();
        let other = Sealing::new(&"t".repeat(32).into(), &[]).unwrap();
        let wrapped = sealing.wrap_key(b"private").unwrap();
        assert!(wrapped.starts_with("2."), "{wrapped}");
        assert_eq!(sealing.unwrap_key("a", &wrapped).unwrap().as_slice(), b"private");
        let sealed = sealing.seal("a", b"private").unwrap();
        assert_eq!(sealing.unwrap_key("a", &sealed).unwrap().as_slice(), b"private");
        assert!(matches!(other.unwrap_key("a", &wrapped), Err(TokenError::Sealed)));
        for broken in ["", "2.", "2.AAAA", "2.****", "3.AAAA", &wrapped[..wrapped.len() - 1]] {
            assert!(matches!(sealing.unwrap_key("a", broken), Err(TokenError::Sealed)), "{broken}");
        }
    }

    #[test]
    fn what_is_sealed_opens_with_its_secret_and_as_what_it_was() {
        let sealing = Sealing::new(&"s".repeat(32).into(), &[]).unwrap();
        let other = Sealing::new(&"t".repeat(32).into(), &[]).unwrap();
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

    #[test]
    fn what_an_earlier_secret_has_sealed_opens_and_is_wrapped_anew() {
        let (old, new) = ("s".repeat(32).into(), "t".repeat(32).into());
        let before = Sealing::new(&old, &[]).unwrap();
        let both = Sealing::new(&new, std::slice::from_ref(&old)).unwrap();
        let after = Sealing::new(&new, &[]).unwrap();
        let (sealed, wrapped) = (before.seal("a", b"token").unwrap(), before.wrap_key(b"private").unwrap());
        assert_eq!(both.open("a", &sealed).unwrap().as_slice(), b"token");
        assert!(matches!(both.open("b", &sealed), Err(TokenError::Sealed)));
        assert!(after.open("a", &both.seal("a", b"token").unwrap()).is_ok(), "the newest seals");
        assert!(after.unwrap_key("a", &wrapped).is_err());
        let anew = both.wrap_anew("a", &wrapped).unwrap().unwrap();
        assert_eq!(after.unwrap_key("a", &anew).unwrap().as_slice(), b"private");
        assert_eq!(both.wrap_anew("a", &anew).unwrap(), None);
    }
}
