//! The form that signed requests had before RFC 9421: an HMAC-SHA256 over method, target, body, timestamp and nonce.
//!
//! Each stands on a line of its own, and the HMAC of it all goes as base64 into
//! `X-Signature`. Only the body can hold line ends, so no two requests are written the same. The body is part of what is
//! signed: without it nothing can be verified.

use std::{sync::Arc, time::SystemTime};

use aws_lc_rs::hmac;
use bartizan_config::SignatureProvider;
use bartizan_model::Name;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, request::Parts};
use subtle::ConstantTimeEq;

use super::{
    Refused,
    key::VerificationKey,
    table::{Client, Clients, ProviderKeys, seconds},
};
use crate::{Authenticated, IdentityError, InvalidReason, identified::Entitlements};

const X_SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");
const X_NONCE: HeaderName = HeaderName::from_static("x-nonce");
const X_KEY_ID: HeaderName = HeaderName::from_static("x-key-id");

/// The keys of one provider with the profile `legacy`.
#[derive(Debug)]
pub(crate) struct LegacyTable {
    pub(crate) keys: ProviderKeys,
}

impl LegacyTable {
    pub(crate) fn new(
        name: &Name,
        settings: &SignatureProvider,
        entitlements: &Entitlements,
        previous: Option<&Clients>,
    ) -> Result<Self, IdentityError> {
        Ok(Self { keys: ProviderKeys::new(name, settings, entitlements, previous)? })
    }

    /// Whether a request carries such a signature.
    pub(crate) fn is_in(headers: &HeaderMap) -> bool {
        headers.contains_key(X_SIGNATURE)
    }

    /// Who signed, according to the first of `tables` that knows the key.
    pub(crate) fn find(
        tables: &[Arc<Self>],
        head: &Parts,
        content: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<Authenticated, (Option<Name>, Refused)> {
        let unread = |reason: InvalidReason| (None, reason.into());
        let signature = LegacySignature::read(&head.headers).map_err(unread)?;
        let knowing = tables.iter().find_map(|table| Some((table, table.client(signature.key_id)?)));
        let (table, client) = knowing.ok_or_else(|| unread(InvalidReason::UnknownKey))?;
        let verified = table.verify(&signature, client, head, content, now);
        verified.map_err(|refused| (Some(table.keys.name.clone()), refused))
    }

    fn client(&self, key_id: Option<&str>) -> Option<&Client> {
        key_id.map_or_else(|| self.keys.clients.only(), |id| self.keys.clients.get(id))
    }

    fn verify(
        &self,
        signature: &LegacySignature<'_>,
        client: &Client,
        head: &Parts,
        content: Option<&[u8]>,
        now: SystemTime,
    ) -> Result<Authenticated, Refused> {
        let now = seconds(now);
        let created = self.keys.freshness.check(signature.timestamp.parse().ok(), now)?;
        let nonce = self.keys.freshness.nonce(signature.nonce)?;
        let content = content.ok_or(InvalidReason::UnsignedContent)?;
        // The configuration admits HMAC only.
        let VerificationKey::Shared(key) = &client.key else { return Err(InvalidReason::Algorithm.into()) };
        if !bool::from(signature.expected(key, head, content).as_ref().ct_eq(&signature.signature)) {
            return Err(InvalidReason::Signature.into());
        }
        let spent = self.keys.freshness.spend(client, nonce, created, now)?;
        Ok(Authenticated { identified: Arc::clone(&client.identified), content: None, spent })
    }
}

/// What the headers say.
struct LegacySignature<'h> {
    signature: Vec<u8>,
    timestamp: &'h str,
    nonce: Option<&'h str>,
    key_id: Option<&'h str>,
}

impl<'h> LegacySignature<'h> {
    fn read(headers: &'h HeaderMap) -> Result<Self, InvalidReason> {
        let signature = only(headers, &X_SIGNATURE)?.ok_or(InvalidReason::SignatureFields)?;
        Ok(Self {
            signature: STANDARD.decode(signature).map_err(|_| InvalidReason::SignatureFields)?,
            timestamp: only(headers, &X_TIMESTAMP)?.ok_or(InvalidReason::Created)?,
            nonce: only(headers, &X_NONCE)?,
            key_id: only(headers, &X_KEY_ID)?,
        })
    }

    /// The configuration demands a nonce; where there were none, its line would be empty.
    fn expected(&self, key: &hmac::Key, head: &Parts, content: &[u8]) -> hmac::Tag {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        let mut mac = hmac::Context::with_key(key);
        for line in [head.method.as_str().as_bytes(), target.as_bytes(), content, self.timestamp.as_bytes()] {
            mac.update(line);
            mac.update(b"\n");
        }
        mac.update(self.nonce.unwrap_or_default().as_bytes());
        mac.sign()
    }
}

/// The only value of a header. Of two, nobody can say which one was meant.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, InvalidReason> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(|_| InvalidReason::SignatureFields));
    if values.next().is_some() { Err(InvalidReason::Ambiguous) } else { first.transpose() }
}
