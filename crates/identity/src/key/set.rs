//! The keys of one provider: a JWK set (RFC 7517, section 5), or one shared secret.

use bartizan_config::Algorithm;
use bartizan_model::Name;
use jsonwebtoken::DecodingKey;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    VerificationKey,
    jwk::{self, KeyRefused},
};
use crate::{IdentityError, InvalidReason, JwksError, TokenHeader, token::json};

/// How many keys a set may hold.
pub(crate) const MAX_KEYS: usize = 100;

/// Keys, and the epoch that counts the sets before it that lost a key.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<VerificationKey>,
    /// A shared secret is alone, so it answers to whatever `kid` a token carries.
    ids_matter: bool,
    epoch: u64,
}

/// A key that was not taken into the set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefusedKey {
    pub(crate) position: usize,
    pub(crate) id: Option<String>,
    pub(crate) reason: KeyRefused,
}

impl KeySet {
    /// Reads a JWK set. A key that cannot be used is left out, as RFC 7517, section 5, advises, and reported: a set
    /// may hold encryption keys, or keys of types to come. Keys that share a `kid` are all left out.
    pub(crate) fn from_jwks(document: &[u8]) -> Result<(Self, Vec<RefusedKey>), JwksError> {
        let members = json::parse_object(document).map_err(|error| JwksError::Json(error.to_string()))?;
        let Some(Value::Array(entries)) = members.get("keys") else { return Err(JwksError::NotASet) };
        if entries.len() > MAX_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        let mut keys = Vec::new();
        let mut refused = Vec::new();
        for (position, entry) in entries.iter().enumerate() {
            let key = entry.as_object().ok_or(KeyRefused::NotAnObject).and_then(jwk::parse);
            let key = key
                .and_then(|key| if is_shared(&key, entries) { Err(KeyRefused::SameKeyId) } else { Ok(key) });
            match key {
                Ok(key) => keys.push(key),
                Err(reason) => {
                    let id = entry.get("kid").and_then(Value::as_str).map(str::to_owned);
                    refused.push(RefusedKey { position, id, reason });
                }
            }
        }
        Ok((Self { keys, ids_matter: true, epoch: 0 }, refused))
    }

    /// A shared secret for those of `algorithms` that use one.
    pub(crate) fn from_secret(
        provider: &Name,
        secret: &SecretString,
        algorithms: &[Algorithm],
    ) -> Result<Self, IdentityError> {
        Self::from_secret_bytes(secret.expose_secret().as_bytes(), algorithms).map_err(
            |(algorithm, least)| {
                let length = secret.expose_secret().len();
                IdentityError::ShortSecret { provider: provider.clone(), algorithm, length, least }
            },
        )
    }

    /// The error is an algorithm and how many bytes it needs.
    pub(crate) fn from_secret_bytes(
        secret: &[u8],
        algorithms: &[Algorithm],
    ) -> Result<Self, (&'static str, usize)> {
        let mut usable = Vec::new();
        for algorithm in algorithms {
            let (name, least) = match algorithm {
                Algorithm::HS256 => ("HS256", 32),
                Algorithm::HS384 => ("HS384", 48),
                Algorithm::HS512 => ("HS512", 64),
                _ => continue,
            };
            if secret.len() < least {
                return Err((name, least));
            }
            usable.push(*algorithm);
        }
        // No fingerprint: it would be a hash of the secret, and a secret has no successor to be compared with.
        let key = VerificationKey::new(None, usable, DecodingKey::from_secret(secret), &[]);
        Ok(Self { keys: vec![key], ids_matter: false, epoch: 0 })
    }

    /// The key that a token was signed with, by what its header says.
    pub(crate) fn choose(&self, header: &TokenHeader) -> Result<&VerificationKey, InvalidReason> {
        match header.key_id() {
            Some(id) if self.ids_matter => {
                let key = self.keys.iter().find(|key| key.id.as_deref() == Some(id));
                key.ok_or(InvalidReason::UnknownKey).and_then(|key| {
                    if key.algorithms.contains(&header.algorithm()) {
                        Ok(key)
                    } else {
                        Err(InvalidReason::Algorithm)
                    }
                })
            }
            _ => {
                let mut fitting = self.keys.iter().filter(|key| key.algorithms.contains(&header.algorithm()));
                match (fitting.next(), fitting.next()) {
                    (Some(key), None) => Ok(key),
                    (None, _) => Err(InvalidReason::UnknownKey),
                    (Some(_), Some(_)) => Err(InvalidReason::AmbiguousKey),
                }
            }
        }
    }

    /// This set as the successor of `previous`: the epoch moves on if a key has gone.
    pub(crate) fn after(mut self, previous: &Self) -> Self {
        let lost = previous.keys.iter().any(|old| !self.keys.iter().any(|new| new.equals(old)));
        self.epoch = previous.epoch + u64::from(lost);
        self
    }

    /// What was verified in one epoch would be verified again in the same.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

fn is_shared(key: &VerificationKey, entries: &[Value]) -> bool {
    let with_same_id = |entry: &&Value| entry.get("kid").and_then(Value::as_str) == key.id.as_deref();
    key.id.is_some() && entries.iter().filter(with_same_id).count() > 1
}
