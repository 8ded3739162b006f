//! One JWK (RFC 7517; RFC 7518, section 6; RFC 8037), read as a public key that verifies signatures.

use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};
use bartizan_config::Algorithm;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;

use super::{VerificationKey, algorithm_named, weakness::check_rsa};
use crate::token::{is_key_id, json::Object};

/// Why a key of a set is not used. The other keys of the set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRefused {
    #[error("not an object")]
    NotAnObject,
    #[error("a symmetric key: whoever can read this document can sign with it")]
    Symmetric,
    #[error("a private key: whoever can read this document can sign with it")]
    Private,
    #[error("its type or curve is not supported")]
    Type,
    #[error("not meant for signatures")]
    Use,
    #[error("its algorithm is unknown or does not belong to its type")]
    Algorithm,
    #[error("`kid` is not 1 to 256 bytes of text")]
    KeyId,
    #[error("another key has the same `kid`")]
    SameKeyId,
    #[error("`{0}` is missing or not the base64url of as many bytes as it needs")]
    Member(&'static str),
    #[error("not a point of its curve")]
    Point,
    #[error("an RSA key of {0} bits: from 2048 to 8192 are accepted")]
    Size(usize),
    #[error("its RSA exponent is even, under 65537 or over 33 bits")]
    Exponent,
    #[error("an RSA key made by a broken generator (ROCA, CVE-2017-15361)")]
    Roca,
}

/// Reads one member of `keys`.
pub(crate) fn parse(members: &Object) -> Result<VerificationKey, KeyRefused> {
    let text = |name: &str| members.get(name).and_then(|value| value.as_str());
    let kind = text("kty");
    if kind == Some("oct") {
        return Err(KeyRefused::Symmetric);
    }
    if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| members.contains_key(*name)) {
        return Err(KeyRefused::Private);
    }
    check_use(members)?;
    let id = match members.get("kid") {
        None => None,
        Some(value) => Some(value.as_str().filter(|id| is_key_id(id)).ok_or(KeyRefused::KeyId)?.to_owned()),
    };
    let bytes = |name: &'static str| {
        let decoded = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        decoded.filter(|bytes| !bytes.is_empty()).ok_or(KeyRefused::Member(name))
    };
    match (kind, text("crv")) {
        (Some("RSA"), _) => {
            let algorithms = algorithms(members, &RSA_ALGORITHMS)?;
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            check_rsa(&modulus, &exponent)?;
            let material = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            Ok(VerificationKey::new(id, algorithms, material, &[&modulus, &exponent]))
        }
        (Some("EC"), Some("P-256")) => {
            let algorithms = algorithms(members, &[Algorithm::ES256])?;
            let point = point(&bytes("x")?, &bytes("y")?, 32)?;
            check_point(&signature::ECDSA_P256_SHA256_FIXED, &point)?;
            Ok(VerificationKey::new(id, algorithms, DecodingKey::from_ec_der(&point), &[&point]))
        }
        (Some("EC"), Some("P-384")) => {
            let algorithms = algorithms(members, &[Algorithm::ES384])?;
            let point = point(&bytes("x")?, &bytes("y")?, 48)?;
            check_point(&signature::ECDSA_P384_SHA384_FIXED, &point)?;
            Ok(VerificationKey::new(id, algorithms, DecodingKey::from_ec_der(&point), &[&point]))
        }
        (Some("OKP"), Some("Ed25519")) => {
            let algorithms = algorithms(members, &[Algorithm::EdDSA])?;
            let point = bytes("x")?;
            check_point(&signature::ED25519, &point)?;
            Ok(VerificationKey::new(id, algorithms, DecodingKey::from_ed_der(&point), &[&point]))
        }
        _ => Err(KeyRefused::Type),
    }
}

const RSA_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// `use` and `key_ops`, where given, must speak of verifying signatures.
fn check_use(members: &Object) -> Result<(), KeyRefused> {
    let signs = members.get("use").is_none_or(|value| value == "sig");
    let verifies = members.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    });
    if signs && verifies { Ok(()) } else { Err(KeyRefused::Use) }
}

/// The algorithms of the key's type, or the one of them that `alg` restricts it to.
fn algorithms(members: &Object, of_type: &[Algorithm]) -> Result<Vec<Algorithm>, KeyRefused> {
    let Some(named) = members.get("alg") else { return Ok(of_type.to_vec()) };
    let named = named.as_str().and_then(algorithm_named).filter(|algorithm| of_type.contains(algorithm));
    named.map(|algorithm| vec![algorithm]).ok_or(KeyRefused::Algorithm)
}

/// An uncompressed point (SEC 1, section 2.3.3). Coordinates have the full length of the field.
fn point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, KeyRefused> {
    match (x.len() == length, y.len() == length) {
        (true, true) => Ok([&[4], x, y].concat()),
        (false, _) => Err(KeyRefused::Member("x")),
        (true, false) => Err(KeyRefused::Member("y")),
    }
}

fn check_point(algorithm: &'static dyn VerificationAlgorithm, point: &[u8]) -> Result<(), KeyRefused> {
    ParsedPublicKey::new(algorithm, point).map(drop).map_err(|_| KeyRefused::Point)
}
