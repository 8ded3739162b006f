//! What a browser says about a ceremony (section 5.8.1).

use bartizan_config::Passkeys;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::PasskeyError;
use crate::token::json;

/// A kind of ceremony.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// A credential is registered.
    Create,
    /// A credential is used.
    Get,
}

/// Client data of a page of the relying party.
#[derive(Debug, Clone)]
pub struct ClientData {
    challenge: String,
    hash: [u8; 32],
}

impl Ceremony {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

impl ClientData {
    /// Reads `clientDataJSON`. The challenge is not looked at.
    pub fn read(document: &[u8], ceremony: Ceremony, party: &Passkeys) -> Result<Self, PasskeyError> {
        let members = json::parse_object(document).map_err(|_| PasskeyError::ClientData)?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if text("type") != Some(ceremony.name()) {
            return Err(PasskeyError::Ceremony(ceremony.name()));
        }
        let challenge = text("challenge").ok_or(PasskeyError::Challenge)?.to_owned();
        let origin = text("origin").unwrap_or_default();
        if !party.origins.iter().any(|known| known == origin) {
            return Err(PasskeyError::Origin(origin.chars().take(256).collect()));
        }
        let is_framed = members.get("crossOrigin").is_some_and(|value| *value != Value::Bool(false));
        if is_framed || members.contains_key("topOrigin") {
            return Err(PasskeyError::CrossOrigin);
        }
        Ok(Self { challenge, hash: Sha256::digest(document).into() })
    }

    /// The challenge that was answered, in base64url.
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// What is signed: the data of the authenticator and the hash of this.
    pub(super) fn signed(&self, authenticator_data: &[u8]) -> Vec<u8> {
        [authenticator_data, &self.hash].concat()
    }
}
