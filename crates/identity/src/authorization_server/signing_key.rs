//! One key that signs tokens: made here, kept sealed, published as a JWK (RFC 7517, RFC 8037).

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use bartizan_config::Algorithm;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Value, json};

use super::{TokenError, thumbprint::thumbprint};

/// A private key and its id, the RFC 7638 thumbprint of its public half.
pub(crate) struct SigningKey {
    id: String,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// A new key, and its PKCS#8 form for the store. RSA takes a second; call it where that may be.
    pub(crate) fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), TokenError> {
        let failed = |_| TokenError::Cryptography;
        let random = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::ES256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                made.map_err(failed)?.as_ref().to_vec()
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                pair.as_der().map_err(failed)?.as_ref().to_vec()
            }
            _ => Ed25519KeyPair::generate_pkcs8(&random).map_err(failed)?.as_ref().to_vec(),
        };
        let pkcs8 = Zeroizing::new(pkcs8);
        let algorithm = if matches!(algorithm, Algorithm::ES256 | Algorithm::RS256) {
            algorithm
        } else {
            Algorithm::EdDSA
        };
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    pub(crate) fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, TokenError> {
        let broken = |_| TokenError::Sealed;
        let pair = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                Pair::P256(pair.map_err(broken)?)
            }
            Algorithm::RS256 => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(broken)?),
            _ => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(broken)?),
        };
        let id = thumbprint(&public(&pair)).ok_or(TokenError::Cryptography)?;
        Ok(Self { id, algorithm, pair })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The name of the algorithm (RFC 7518, section 3.1).
    pub(crate) fn algorithm_name(&self) -> &'static str {
        algorithm_name(self.algorithm)
    }

    /// The public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let mut members = public(&self.pair);
        members.insert("kid".into(), self.id.clone().into());
        members.insert("use".into(), "sig".into());
        members.insert("alg".into(), self.algorithm_name().into());
        Value::Object(members)
    }

    /// A signed token (RFC 7515, section 3.1).
    pub(crate) fn sign(&self, token_type: &str, claims: &Map<String, Value>) -> Result<String, TokenError> {
        let header = json!({ "alg": self.algorithm_name(), "typ": token_type, "kid": self.id });
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        // INVARIANT: a map of JSON values always serialises.
        let claims = serde_json::to_string(claims).unwrap_or_default();
        let mut token = format!("{}.{}", part(&header.to_string()), part(&claims));
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let failed = |_| TokenError::Cryptography;
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::P256(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "SigningKey({})", self.id)
    }
}

/// Its name in tokens and in the store.
pub(crate) const fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::ES256 => "ES256",
        Algorithm::RS256 => "RS256",
        _ => "EdDSA",
    }
}

/// The required members of the public key (RFC 7518, section 6; RFC 8037, section 2).
fn public(pair: &Pair) -> Map<String, Value> {
    let number = |bytes: &[u8]| Value::from(URL_SAFE_NO_PAD.encode(bytes));
    let members = match pair {
        Pair::Ed25519(pair) => {
            vec![("kty", "OKP".into()), ("crv", "Ed25519".into()), ("x", number(pair.public_key().as_ref()))]
        }
        Pair::P256(pair) => {
            // An uncompressed point: 4, x, y (SEC 1, section 2.3.3).
            let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
            let (x, y) = point.split_at(point.len() / 2);
            vec![("kty", "EC".into()), ("crv", "P-256".into()), ("x", number(x)), ("y", number(y))]
        }
        Pair::Rsa(pair) => {
            let key = pair.public_key();
            vec![
                ("kty", "RSA".into()),
                ("n", number(key.modulus().big_endian_without_leading_zero())),
                ("e", number(key.exponent().big_endian_without_leading_zero())),
            ]
        }
    };
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TokenHeader, key::KeySet, token::CompactToken};

    #[test]
    fn every_algorithm_signs_what_its_published_key_verifies() {
        for algorithm in [Algorithm::EdDSA, Algorithm::ES256, Algorithm::RS256] {
            let (key, pkcs8) = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &pkcs8).unwrap();
            assert_eq!((key.id(), key.jwk()), (again.id(), again.jwk()));
            let token = again.sign("at+jwt", &Map::new()).unwrap();
            let token = CompactToken::parse(token.as_bytes()).unwrap();
            let (keys, refused) =
                KeySet::from_jwks(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap();
            assert!(refused.is_empty(), "{refused:?}");
            let header = TokenHeader::parse(&token.header).unwrap();
            assert_eq!(header.key_id(), Some(key.id()));
            let chosen = keys.choose(&header).unwrap();
            assert!(chosen.verifies(header.algorithm(), token.signed, token.signature), "{algorithm:?}");
            assert!(!chosen.verifies(header.algorithm(), "other", token.signature));
        }
    }
}
