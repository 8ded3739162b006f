//! The token's header (RFC 7515, section 4), read strictly. It comes from whoever sent the token, so it may choose
//! among the keys we have and nothing more.

use bartizan_config::Algorithm;

use super::json;
use crate::{InvalidReason, key::algorithm_named};

/// What a token's header says about how to check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHeader {
    algorithm: Algorithm,
    key_id: Option<String>,
    token_type: Option<String>,
}

impl TokenHeader {
    /// Reads the decoded header.
    ///
    /// Refused are: JSON that is not an object or repeats a member, unknown algorithms (among them `none`), any
    /// critical extension, and every parameter that brings or locates a key or changes the encoding (`jwk`, `jku`,
    /// `x5c`, `x5u`, `b64`, `zip`, `enc`). Other parameters are ignored, as RFC 7515 demands.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidReason> {
        let members = json::parse_object(json).map_err(|_| InvalidReason::Header)?;
        if members.contains_key("crit") {
            return Err(InvalidReason::Critical);
        }
        if ["jwk", "jku", "x5c", "x5u", "b64", "zip", "enc"].iter().any(|name| members.contains_key(*name)) {
            return Err(InvalidReason::HeaderParameter);
        }
        let algorithm = members.get("alg").and_then(|value| value.as_str()).and_then(algorithm_named);
        let key_id = match members.get("kid") {
            None => None,
            Some(value) => Some(value.as_str().filter(|id| is_key_id(id)).ok_or(InvalidReason::KeyId)?),
        };
        let token_type = match members.get("typ") {
            None => None,
            Some(value) => Some(value.as_str().ok_or(InvalidReason::Type)?),
        };
        Ok(Self {
            algorithm: algorithm.ok_or(InvalidReason::Algorithm)?,
            key_id: key_id.map(str::to_owned),
            token_type: token_type.map(normalized_type),
        })
    }

    /// How it is signed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// With which key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The media type, lower case, without `application/`.
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }
}

/// A media type as RFC 7515, section 4.1.9, wants it compared: without case, `application/` understood.
pub(super) fn normalized_type(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    match lower.strip_prefix("application/") {
        Some(subtype) => subtype.to_owned(),
        None => lower,
    }
}

/// Whether a text may be a key id: bounded, since it comes from anybody.
pub(crate) fn is_key_id(text: &str) -> bool {
    (1..=256).contains(&text.len())
}
