//! Public keys of credentials (RFC 9052, section 7; RFC 9053; RFC 8230, section 4; section 6.5.1.1).

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use ciborium::Value;

use super::PasskeyError;
use crate::key::check_rsa;

/// The algorithms of keys, the one that is asked for first in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA, PKCS #1 v1.5 with SHA-256.
    Rs256,
}

impl KeyAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// Its number (IANA, COSE Algorithms).
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
            Self::Rs256 => -257,
        }
    }
}

/// A public key.
#[derive(Debug)]
pub(super) enum CoseKey {
    Es256(Vec<u8>),
    EdDsa(Vec<u8>),
    Rs256 { modulus: Vec<u8>, exponent: Vec<u8> },
}

const KEY_TYPE: i64 = 1;
const ALGORITHM: i64 = 3;
/// The curve; the modulus of RSA.
const FIRST: i64 = -1;
/// The first coordinate; the exponent of RSA.
const SECOND: i64 = -2;
/// The other coordinate.
const THIRD: i64 = -3;

impl CoseKey {
    /// Reads one key from the front of `bytes`, which then are what follows it.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, PasskeyError> {
        let members = map(bytes).ok_or(PasskeyError::Key("it is not a CBOR map with unique members"))?;
        let missing = PasskeyError::Key("a member is missing or has another length");
        let number = |label| integer(find(&members, label)?);
        let bytes = |label| find(&members, label).and_then(Value::as_bytes);
        match (number(KEY_TYPE), number(ALGORITHM), number(FIRST)) {
            (Some(2), Some(-7), Some(1)) => {
                let coordinate = |label| bytes(label).filter(|coordinate| coordinate.len() == 32);
                let (x, y) = coordinate(SECOND).zip(coordinate(THIRD)).ok_or(missing)?;
                let point = [&[4], x.as_slice(), y.as_slice()].concat();
                ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point)
                    .map_err(|_| PasskeyError::Key("not a point of its curve"))?;
                Ok(Self::Es256(point))
            }
            (Some(1), Some(-8), Some(6)) => {
                let point = bytes(SECOND).ok_or(missing)?.clone();
                ParsedPublicKey::new(&ED25519, &point)
                    .map_err(|_| PasskeyError::Key("not a point of its curve"))?;
                Ok(Self::EdDsa(point))
            }
            (Some(3), Some(-257), None) => {
                let (modulus, exponent) = bytes(FIRST).zip(bytes(SECOND)).ok_or(missing)?;
                check_rsa(modulus, exponent).map_err(|_| PasskeyError::Key("an RSA key that is too weak"))?;
                Ok(Self::Rs256 { modulus: modulus.clone(), exponent: exponent.clone() })
            }
            _ => Err(PasskeyError::Key("its algorithm is not ES256, EdDSA with Ed25519 or RS256")),
        }
    }

    /// The algorithm.
    pub(super) const fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Es256(_) => KeyAlgorithm::Es256,
            Self::EdDsa(_) => KeyAlgorithm::EdDsa,
            Self::Rs256 { .. } => KeyAlgorithm::Rs256,
        }
    }

    /// Whether `signature` is this key's over `message`, in the format of section 6.5.5.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            Self::EdDsa(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok(),
            Self::Rs256 { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
        }
    }
}

/// How deep CBOR may be nested: authenticators are bound to four (CTAP 2.1, section 8).
const DEPTH: usize = 8;

/// One CBOR map without a repeated key, from the front of `bytes`.
pub(super) fn map(bytes: &mut &[u8]) -> Option<Vec<(Value, Value)>> {
    let value: Value = ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH).ok()?;
    let members = value.into_map().ok()?;
    let repeats = |(index, (key, _)): (usize, &(Value, Value))| {
        members.iter().skip(index + 1).any(|(other, _)| other == key)
    };
    let has_repeated = members.iter().enumerate().any(repeats);
    (!has_repeated).then_some(members)
}

/// The member with this number.
fn find(members: &[(Value, Value)], label: i64) -> Option<&Value> {
    members.iter().find(|(key, _)| integer(key) == Some(label)).map(|(_, value)| value)
}

/// The number that a value is.
pub(super) fn integer(value: &Value) -> Option<i64> {
    value.as_integer().and_then(|integer| integer.try_into().ok())
}
