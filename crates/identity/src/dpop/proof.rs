//! One proof: a JWS with the public key that verifies it in its header (RFC 9449, section 4.2).

use bartizan_config::Algorithm;
use serde_json::Value;

use super::DpopError;
use crate::{
    authorization_server::thumbprint::thumbprint,
    key::{algorithm_named, parse_jwk},
    token::{CompactToken, json, json::Object},
};

/// The longest proof that is read: an RSA key of 4096 bits fits.
const LONGEST: usize = 4096;

/// A proof whose signature has been checked.
#[derive(Debug)]
pub(super) struct Proof {
    /// Of the key that signed it.
    pub(super) thumbprint: String,
    claims: Object,
}

impl Proof {
    pub(super) fn verify(text: &[u8]) -> Result<Self, DpopError> {
        if text.len() > LONGEST {
            return Err(DpopError::TooLong);
        }
        let token = CompactToken::parse(text).map_err(|_| DpopError::Form)?;
        let header = json::parse_object(&token.header).map_err(|_| DpopError::Form)?;
        let word = |name: &str| header.get(name).and_then(Value::as_str);
        if !word("typ").is_some_and(|text| text.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(DpopError::Type);
        }
        if header.contains_key("crit") {
            return Err(DpopError::Critical);
        }
        let algorithm = word("alg").and_then(algorithm_named).filter(|algorithm| !is_shared(*algorithm));
        let algorithm = algorithm.ok_or(DpopError::Algorithm)?;
        let jwk = header.get("jwk").and_then(Value::as_object).ok_or(DpopError::Key)?;
        let key = parse_jwk(jwk).map_err(|_| DpopError::Key)?;
        let thumbprint = thumbprint(jwk).ok_or(DpopError::Key)?;
        if !key.verifies(algorithm, token.signed, token.signature) {
            return Err(DpopError::Signature);
        }
        let claims = json::parse_object(&token.payload).map_err(|_| DpopError::Form)?;
        Ok(Self { thumbprint, claims })
    }

    pub(super) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    pub(super) fn issued_at(&self) -> Option<u64> {
        self.claims.get("iat").and_then(Value::as_u64)
    }
}

fn is_shared(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}
