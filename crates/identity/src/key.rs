//! Keys that verify signatures. A key is bound to its algorithms when it is loaded, so a token cannot talk a key
//! into an algorithm it was not made for (RFC 8725, section 3.1).

mod jwk;
mod set;
#[cfg(test)]
mod tests;
mod weakness;

use bartizan_config::Algorithm;
use jsonwebtoken::{Algorithm as SignatureAlgorithm, DecodingKey, crypto};
use sha2::{Digest, Sha256};

pub(crate) use self::{
    jwk::parse as parse_jwk,
    set::{KeySet, MAX_KEYS},
    weakness::check_rsa,
};

/// One key, the algorithms it verifies, and its id.
#[derive(Debug)]
pub(crate) struct VerificationKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    material: DecodingKey,
    fingerprint: [u8; 32],
}

impl VerificationKey {
    /// `bytes` is the key's value, by which it is recognised in a later set.
    fn new(id: Option<String>, algorithms: Vec<Algorithm>, material: DecodingKey, bytes: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in bytes {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self { id, algorithms, material, fingerprint: hash.finalize().into() }
    }

    /// Whether `signature` (base64url) is this key's over `message`.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &str, signature: &str) -> bool {
        self.algorithms.contains(&algorithm)
            && crypto::verify(signature, message.as_bytes(), &self.material, signature_algorithm(algorithm))
                .unwrap_or(false)
    }

    /// Whether both are the same key, under the same id, for the same algorithms.
    fn equals(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.id == other.id && self.algorithms == other.algorithms
    }
}

/// The algorithm that a header or key names. `Ed25519` is the name that RFC 9864 gives to `EdDSA` with that curve.
pub(crate) fn algorithm_named(text: &str) -> Option<Algorithm> {
    Some(match text {
        "HS256" => Algorithm::HS256,
        "HS384" => Algorithm::HS384,
        "HS512" => Algorithm::HS512,
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

fn signature_algorithm(algorithm: Algorithm) -> SignatureAlgorithm {
    match algorithm {
        Algorithm::HS256 => SignatureAlgorithm::HS256,
        Algorithm::HS384 => SignatureAlgorithm::HS384,
        Algorithm::HS512 => SignatureAlgorithm::HS512,
        Algorithm::RS256 => SignatureAlgorithm::RS256,
        Algorithm::RS384 => SignatureAlgorithm::RS384,
        Algorithm::RS512 => SignatureAlgorithm::RS512,
        Algorithm::PS256 => SignatureAlgorithm::PS256,
        Algorithm::PS384 => SignatureAlgorithm::PS384,
        Algorithm::PS512 => SignatureAlgorithm::PS512,
        Algorithm::ES256 => SignatureAlgorithm::ES256,
        Algorithm::ES384 => SignatureAlgorithm::ES384,
        Algorithm::EdDSA => SignatureAlgorithm::EdDSA,
    }
}
