//! Keys that verify and keys that sign (RFC 9421, section 3.3), each for the one algorithm it was configured for.

use std::{fmt, path::Path};

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{
        self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
        ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA512, RsaKeyPair,
        VerificationAlgorithm,
    },
};
use bartizan_config::{SignatureAlgorithm, SigningMaterial, VerifyingMaterial};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};
use secrecy::{ExposeSecret, SecretSlice};
use x509_parser::{prelude::FromDer, public_key::PublicKey, x509::SubjectPublicKeyInfo};

use crate::key::check_rsa;

/// The shortest secret (RFC 7518, section 3.2, for the same algorithm).
const SECRET: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SignatureKeyError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    File(#[source] std::io::Error),
    /// No such PEM section.
    #[error("no PEM section `{0}` in it")]
    Pem(&'static str),
    /// A key of another kind than the algorithm needs.
    #[error("no key for `{0}`")]
    Kind(&'static str),
    /// An RSA key that gives no security.
    #[error("{0}")]
    Weak(String),
    /// A shared secret shorter than the hash.
    #[error("a secret of {0} bytes: at least {SECRET} are needed")]
    ShortSecret(usize),
    /// Another kind of material than the algorithm needs.
    #[error("`{0}` does not work with what is configured")]
    Material(&'static str),
}

/// Verifies signatures.
pub(super) enum VerificationKey {
    Public(ParsedPublicKey),
    Shared(Box<hmac::Key>),
}

impl VerificationKey {
    pub(super) fn new(
        algorithm: SignatureAlgorithm,
        material: &VerifyingMaterial,
    ) -> Result<Self, SignatureKeyError> {
        match material {
            VerifyingMaterial::Secret(secret) if algorithm == SignatureAlgorithm::HmacSha256 => {
                shared(secret).map(Self::Shared)
            }
            VerifyingMaterial::PublicKey(path) => {
                let pem = std::fs::read(path).map_err(SignatureKeyError::File)?;
                public(algorithm, &pem).map(Self::Public)
            }
            VerifyingMaterial::Secret(_) => Err(SignatureKeyError::Material(algorithm.as_str())),
        }
    }

    /// HMACs are compared in constant time.
    pub(super) fn verify(&self, base: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Public(key) => key.verify_sig(base, signature).is_ok(),
            Self::Shared(key) => hmac::verify(key, base, signature).is_ok(),
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public(_) => "VerificationKey::Public",
            Self::Shared(_) => "VerificationKey::Shared",
        })
    }
}

fn shared(secret: &SecretSlice<u8>) -> Result<Box<hmac::Key>, SignatureKeyError> {
    let bytes = secret.expose_secret();
    if bytes.len() < SECRET {
        return Err(SignatureKeyError::ShortSecret(bytes.len()));
    }
    Ok(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
}

fn public(algorithm: SignatureAlgorithm, pem: &[u8]) -> Result<ParsedPublicKey, SignatureKeyError> {
    let verification: &'static dyn VerificationAlgorithm = match algorithm {
        SignatureAlgorithm::Ed25519 => &ED25519,
        SignatureAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_FIXED,
        SignatureAlgorithm::EcdsaP384Sha384 => &ECDSA_P384_SHA384_FIXED,
        SignatureAlgorithm::RsaPssSha512 => &RSA_PSS_2048_8192_SHA512,
        SignatureAlgorithm::RsaV15Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        SignatureAlgorithm::HmacSha256 => return Err(SignatureKeyError::Material(algorithm.as_str())),
    };
    let der =
        SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| SignatureKeyError::Pem("PUBLIC KEY"))?;
    let unusable = || SignatureKeyError::Kind(algorithm.as_str());
    let (_, info) = SubjectPublicKeyInfo::from_der(&der).map_err(|_| unusable())?;
    if let Ok(PublicKey::RSA(key)) = info.parsed() {
        check_rsa(key.modulus, key.exponent)
            .map_err(|refused| SignatureKeyError::Weak(refused.to_string()))?;
    }
    ParsedPublicKey::new(verification, der.as_ref()).map_err(|_| unusable())
}

/// Makes signatures.
pub(super) struct SigningKey {
    pub(super) algorithm: SignatureAlgorithm,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Shared(Box<hmac::Key>),
}

impl SigningKey {
    pub(super) fn new(
        algorithm: SignatureAlgorithm,
        material: &SigningMaterial,
    ) -> Result<Self, SignatureKeyError> {
        let pair = match (algorithm, material) {
            (SignatureAlgorithm::HmacSha256, SigningMaterial::Secret(secret)) => {
                Pair::Shared(shared(secret)?)
            }
            (_, SigningMaterial::PrivateKey(path)) => private(algorithm, path)?,
            (_, SigningMaterial::Secret(_)) => return Err(SignatureKeyError::Material(algorithm.as_str())),
        };
        Ok(Self { algorithm, pair })
    }

    /// The signature; `None` when the system gives no random bytes.
    pub(super) fn sign(&self, base: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(key) => Some(key.sign(base).as_ref().to_vec()),
            Pair::Ecdsa(key) => key.sign(&random, base).ok().map(|signature| signature.as_ref().to_vec()),
            Pair::Rsa(key) => {
                let padding: &'static dyn signature::RsaEncoding = match self.algorithm {
                    SignatureAlgorithm::RsaPssSha512 => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, base, &mut signature).ok()?;
                Some(signature)
            }
            Pair::Shared(key) => Some(hmac::sign(key, base).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn private(algorithm: SignatureAlgorithm, path: &Path) -> Result<Pair, SignatureKeyError> {
    let pem = std::fs::read(path).map_err(SignatureKeyError::File)?;
    let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| SignatureKeyError::Pem("PRIVATE KEY"))?;
    let der = der.secret_pkcs8_der();
    let pair = match algorithm {
        SignatureAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::Ed25519),
        SignatureAlgorithm::EcdsaP256Sha256 => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::Ecdsa)
        }
        SignatureAlgorithm::EcdsaP384Sha384 => {
            EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Pair::Ecdsa)
        }
        SignatureAlgorithm::RsaPssSha512 | SignatureAlgorithm::RsaV15Sha256 => {
            RsaKeyPair::from_pkcs8(der).map(Pair::Rsa)
        }
        SignatureAlgorithm::HmacSha256 => return Err(SignatureKeyError::Material(algorithm.as_str())),
    };
    pair.map_err(|_| SignatureKeyError::Kind(algorithm.as_str()))
}
