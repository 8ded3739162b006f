//! Signed tokens (RFC 7519), checked in this order: size, form, header, key, signature, claims.
//!
//! Nothing of a token is believed before its signature has been checked, with one exception: where several
//! issuers share a header, the unverified `iss` chooses whose rules and keys apply. A lie about it only chooses
//! keys that do not fit.

mod cache;
mod claims;
mod compact;
mod header;
pub(crate) mod json;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::SystemTime};

use bartizan_config::JwtProvider;
use bartizan_model::{Name, Principal, PrincipalKind};
use http::HeaderName;

use self::{
    cache::{TokenCache, TokenDigest},
    claims::Claims,
};
pub use self::{claims::MULTI_FACTOR_CLASSES, header::TokenHeader};
pub(crate) use self::{
    claims::{check_audience, check_times, multi_factor},
    compact::CompactToken,
    header::is_key_id,
    json::Object,
};
use crate::{
    Identified, InvalidReason, Proof,
    identified::{Entitlements, Standing},
    key::KeySet,
    key_source::KeySource,
};

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its own fault.
    Invalid(InvalidReason),
    /// There are no keys to check it with.
    NoKeysYet,
}

impl From<InvalidReason> for Refusal {
    fn from(reason: InvalidReason) -> Self {
        Self::Invalid(reason)
    }
}

/// Checks a token for the one of `verifiers` that it claims to be from. A refusal names that verifier when the
/// check came so far.
pub(crate) fn verify_token<'a>(
    token: &[u8],
    verifiers: &'a [Arc<TokenVerifier>],
    now: SystemTime,
) -> Result<Arc<Identified>, (Option<&'a TokenVerifier>, Refusal)> {
    let anonymous = |reason: InvalidReason| (None, reason.into());
    if verifiers.iter().all(|verifier| token.len() > verifier.settings.max_bytes) {
        return Err(anonymous(InvalidReason::TooLong));
    }
    let digest = TokenDigest::of(token);
    if let Some(identified) = verifiers.iter().find_map(|verifier| verifier.cached(&digest, now)) {
        return Ok(identified);
    }
    let token = CompactToken::parse(token).map_err(anonymous)?;
    let verifier = if let [only] = verifiers {
        only
    } else {
        let issuer = claims::unverified_issuer(&token.payload).map_err(anonymous)?;
        let trusted = verifiers.iter().find(|verifier| verifier.settings.issuer == issuer);
        trusted.ok_or_else(|| anonymous(InvalidReason::Issuer))?
    };
    verifier.verify(&token, digest, now).map_err(|refusal| (Some(&**verifier), refusal))
}

/// The rules, keys and verified tokens of one provider.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    name: Name,
    settings: Arc<JwtProvider>,
    types: Vec<String>,
    source: Arc<KeySource>,
    entitlements: Arc<Entitlements>,
    verified: TokenCache,
}

impl TokenVerifier {
    pub(crate) fn new(
        name: &Name,
        settings: &Arc<JwtProvider>,
        source: Arc<KeySource>,
        entitlements: Arc<Entitlements>,
    ) -> Self {
        Self {
            name: name.clone(),
            settings: Arc::clone(settings),
            types: settings.types.iter().map(|text| header::normalized_type(text)).collect(),
            source,
            entitlements,
            verified: TokenCache::new(),
        }
    }

    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn header(&self) -> &HeaderName {
        &self.settings.header
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    pub(crate) fn key_source(&self) -> &Arc<KeySource> {
        &self.source
    }

    fn cached(&self, digest: &TokenDigest, now: SystemTime) -> Option<Arc<Identified>> {
        let keys = self.source.keys();
        self.verified.find(digest, keys.as_ref()?.epoch(), now)
    }

    fn verify(
        &self,
        token: &CompactToken<'_>,
        digest: TokenDigest,
        now: SystemTime,
    ) -> Result<Arc<Identified>, Refusal> {
        if token.text.len() > self.settings.max_bytes {
            return Err(InvalidReason::TooLong.into());
        }
        let header = TokenHeader::parse(&token.header)?;
        self.check_header(&header)?;
        let keys = self.source.keys();
        let keys = keys.as_ref().ok_or(Refusal::NoKeysYet)?;
        check_signature(token, &header, keys).inspect_err(|reason| {
            if *reason == InvalidReason::UnknownKey {
                self.source.request_refresh();
            }
        })?;
        let claims = Claims::check(&token.payload, &self.settings, now)?;

        let identified = Arc::new(self.identify(&claims));
        let until = claims.expires.checked_add(self.settings.leeway).unwrap_or(claims.expires);
        self.verified.keep(digest, &identified, keys.epoch(), until);
        Ok(identified)
    }

    fn check_header(&self, header: &TokenHeader) -> Result<(), InvalidReason> {
        if !self.settings.algorithms.contains(&header.algorithm()) {
            return Err(InvalidReason::Algorithm);
        }
        let token_type = header.token_type().unwrap_or("jwt");
        if !self.types.iter().any(|allowed| allowed == token_type) {
            return Err(InvalidReason::Type);
        }
        Ok(())
    }

    fn identify(&self, claims: &Claims) -> Identified {
        let principal = Principal {
            id: claims.subject.as_str().into(),
            kind: PrincipalKind::Token,
            organization: claims.organization.as_deref().map(Into::into),
            provider: self.name.clone(),
            multi_factor: claims.multi_factor,
        };
        let roles = claims.roles.iter().map(String::as_str);
        let standing = Standing { caller_type: self.settings.principal, zone: self.settings.zone };
        let identified =
            self.entitlements.identify(principal, standing, &claims.grants, roles, Some(claims.expires));
        let counted = self.entitlements.counted_claims.iter();
        let proof = Proof { at: claims.auth_time, ..Proof::default() };
        let claims = counted.filter_map(|name| Some((name.clone(), claims.word(name)?))).collect();
        Identified { claims, proof, ..identified }
    }
}

/// Whether one of `keys`, chosen by the header, made the signature.
pub(crate) fn check_signature(
    token: &CompactToken<'_>,
    header: &TokenHeader,
    keys: &KeySet,
) -> Result<(), InvalidReason> {
    let key = keys.choose(header)?;
    if key.verifies(header.algorithm(), token.signed, token.signature) {
        Ok(())
    } else {
        Err(InvalidReason::Signature)
    }
}
