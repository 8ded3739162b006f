//! Keys that the configuration knows, as SHA-256 hashes.
//!
//! A presented key is hashed, and the hash is looked up. The first eight bytes of the hash choose the candidates,
//! the rest is compared in constant time. What the look-up's timing may tell is which hashes share a prefix with
//! that of the presented key; an attacker cannot steer a SHA-256 hash towards a prefix byte by byte, and a known
//! hash does not give the key, whose 256 random bits cannot be guessed. A slow password hash would add nothing.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::SystemTime};

use bartizan_config::ApiKeyProvider;
use bartizan_model::{CallerType, Name, Principal, PrincipalKind};
use http::HeaderName;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::stored::StoredKeys;
use crate::{
    AuthenticationError, Identified, IdentityError, InvalidReason, LiveSessions, OpaqueToken,
    identified::{Entitlements, Standing},
};

/// A new API key (an [`OpaqueToken`]: `prefix_`, 256 random bits, a checksum) and the hash to put into the
/// configuration.
pub fn generate_api_key(prefix: &str) -> Result<(SecretString, [u8; 32]), IdentityError> {
    let token = OpaqueToken::generate(&prefix.parse()?)?;
    Ok((token.secret().clone(), *token.hash().as_bytes()))
}

/// The hash under which the configuration knows an API key.
pub fn hash_api_key(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// The keys of one provider.
#[derive(Debug)]
pub(crate) struct ApiKeyTable {
    name: Name,
    header: HeaderName,
    clients: HashMap<[u8; 8], Vec<Client>>,
    /// Those of the store, where they are accepted.
    stored: Option<StoredKeys>,
}

#[derive(Debug)]
struct Client {
    hash: [u8; 32],
    identified: Arc<Identified>,
}

impl ApiKeyTable {
    pub(crate) fn new(
        name: &Name,
        settings: &ApiKeyProvider,
        sessions: Option<&Arc<LiveSessions>>,
        entitlements: &Arc<Entitlements>,
    ) -> Result<Self, IdentityError> {
        let live = sessions.map(|sessions| sessions.keys());
        let mut table = Self {
            name: name.clone(),
            header: settings.header.clone(),
            clients: HashMap::new(),
            stored: settings.stored.map(|zone| StoredKeys::new(name, zone, live, entitlements)),
        };
        for key in &settings.keys {
            if let Some(other) = table.client(&key.hash) {
                return Err(IdentityError::SameCredential {
                    provider: name.clone(),
                    first: other.principal.id.to_string(),
                    second: key.name.to_string(),
                });
            }
            let principal = Principal {
                id: key.name.as_str().into(),
                kind: PrincipalKind::ApiKey,
                organization: key.organization.clone(),
                provider: name.clone(),
                multi_factor: false,
            };
            let roles = key.roles.iter().map(Name::as_str);
            let standing = Standing { caller_type: CallerType::ApiKey, zone: key.zone };
            let identified = entitlements.identify(principal, standing, &key.permissions, roles, None);
            let identified = Arc::new(identified);
            table.clients.entry(prefix(&key.hash)).or_default().push(Client { hash: key.hash, identified });
        }
        Ok(table)
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn header(&self) -> &HeaderName {
        &self.header
    }

    /// Who holds `key`, according to the first of `tables` that knows it.
    pub(crate) fn find(
        tables: &[Arc<Self>],
        key: &[u8],
        address: Option<IpAddr>,
        now: SystemTime,
    ) -> Result<Option<Arc<Identified>>, AuthenticationError> {
        if let Some(first) = tables.first()
            && !(16..=256).contains(&key.len())
        {
            let (provider, reason) = (first.name.clone(), InvalidReason::KeyLength);
            return Err(AuthenticationError::Invalid { provider, reason });
        }
        if tables.iter().any(|table| !table.clients.is_empty()) {
            let hash = Sha256::digest(key).into();
            if let Some(found) = tables.iter().find_map(|table| table.client(&hash)) {
                return Ok(Some(Arc::clone(found)));
            }
        }
        let mut stored = tables.iter().filter_map(|table| table.stored.as_ref());
        // Every one sees the same keys.
        stored.next().map_or(Ok(None), |stored| stored.find(key, address, now))
    }

    fn client(&self, hash: &[u8; 32]) -> Option<&Arc<Identified>> {
        let candidates = self.clients.get(&prefix(hash))?;
        let client = candidates.iter().find(|client| client.hash.ct_eq(hash).into())?;
        Some(&client.identified)
    }
}

fn prefix(hash: &[u8; 32]) -> [u8; 8] {
    let [prefix, ..] = hash.as_chunks().0 else { return [0; 8] };
    *prefix
}
