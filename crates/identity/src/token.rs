//! Signed tokens (RFC 7519), checked in this order: size, form, header, key, signature, claims.
//!
//! Nothing of a token is believed before its signature has been checked, with one exception: where several
//! issuers share a header, the unverified `iss` chooses whose rules and keys apply. A lie about it only chooses
//! keys that do not fit.

mod cache;
pub(crate) mod claims;
pub(crate) mod compact;
mod header;
pub(crate) mod json;
#[cfg(test)]
mod tests;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use bartizan_config::{Dpop, JwtProvider};
use bartizan_model::{CallerType, Name, Principal, PrincipalKind};
use http::HeaderName;

use self::{
    cache::{TokenCache, TokenDigest},
    claims::Claims,
};
pub use self::{claims::MULTI_FACTOR_CLASSES, header::TokenHeader};
pub(crate) use self::{
    claims::{check_audience, check_times, found, list},
    compact::CompactToken,
    header::is_key_id,
    json::Object,
};
use crate::{
    Identified, InvalidReason, Proof,
    authorization_server::{
        OwnTokens,
        access_token::{is_machine, zone_of_machine},
        epochs::Subjects,
    },
    confirmation::Confirmation,
    dpop::DpopProofs,
    identified::{Entitlements, Standing},
    key::KeySet,
    key_source::KeySource,
    lease::Basis,
};

/// Why a token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its own fault.
    Invalid(InvalidReason),
    /// There are no keys to check it with.
    NoKeysYet,
    /// It may have been revoked: the store has not answered for a while.
    Unread,
}

impl From<InvalidReason> for Refusal {
    fn from(reason: InvalidReason) -> Self {
        Self::Invalid(reason)
    }
}

/// A token that counts, and who says so.
pub(crate) type Verified<'a> = (&'a TokenVerifier, Arc<Accepted>);

/// Checks a token for the one of `verifiers` that it claims to be from. A refusal names that verifier when the
/// check came so far.
pub(crate) fn verify_token<'a>(
    token: &[u8],
    verifiers: &'a [Arc<TokenVerifier>],
    now: SystemTime,
) -> Result<Verified<'a>, (Option<&'a TokenVerifier>, Refusal)> {
    let anonymous = |reason: InvalidReason| (None, reason.into());
    if verifiers.iter().all(|verifier| token.len() > verifier.settings.max_bytes) {
        return Err(anonymous(InvalidReason::TooLong));
    }
    let digest = TokenDigest::of(token);
    let known = verifiers.iter().find_map(|verifier| Some((&**verifier, verifier.cached(&digest, now)?)));
    if let Some((verifier, accepted)) = known {
        return verifier.standing(accepted).map_err(|refusal| (Some(verifier), refusal));
    }
    let token = CompactToken::parse(token).map_err(anonymous)?;
    let verifier = if let [only] = verifiers {
        only
    } else {
        let issuer = claims::unverified_issuer(&token.payload).map_err(anonymous)?;
        let trusted = verifiers.iter().find(|verifier| verifier.settings.issuer == issuer);
        trusted.ok_or_else(|| anonymous(InvalidReason::Issuer))?
    };
    let accepted = verifier.verify(&token, digest, now).map_err(|refusal| (Some(&**verifier), refusal))?;
    verifier.standing(accepted).map_err(|refusal| (Some(&**verifier), refusal))
}

/// A token that has met every rule but those about its sender.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) identified: Arc<Identified>,
    pub(crate) confirmation: Confirmation,
    /// What it can be revoked by, if it is one of our own.
    subjects: Option<Arc<Subjects>>,
}

/// What there is besides for the tokens that this gateway has issued.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    pub(crate) tokens: Arc<OwnTokens>,
    pub(crate) resource_metadata: Option<String>,
    /// How long it is believed that nothing was revoked while the store says nothing.
    pub(crate) patience: Duration,
}

/// The rules, keys and verified tokens of one provider.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    name: Name,
    settings: Arc<JwtProvider>,
    types: Vec<String>,
    source: Arc<KeySource>,
    own: Option<Own>,
    proofs: Arc<DpopProofs>,
    entitlements: Arc<Entitlements>,
    verified: TokenCache,
}

impl TokenVerifier {
    pub(crate) fn new(
        name: &Name,
        settings: &Arc<JwtProvider>,
        source: Arc<KeySource>,
        own: Option<Own>,
        proofs: &Arc<DpopProofs>,
        entitlements: Arc<Entitlements>,
    ) -> Self {
        Self {
            own,
            proofs: Arc::clone(proofs),
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

    /// What is asked of whoever sends a token.
    pub(crate) fn dpop(&self) -> &Dpop {
        &self.settings.dpop
    }

    /// What remembers their proofs.
    pub(crate) fn proofs(&self) -> &DpopProofs {
        &self.proofs
    }

    /// Where the metadata of what our own tokens are for is (RFC 9728).
    pub(crate) fn resource_metadata(&self) -> Option<&str> {
        self.own.as_ref().and_then(|own| own.resource_metadata.as_deref())
    }

    /// Refuses what has been revoked or may have been, whether it was verified just now or before.
    fn standing(&self, accepted: Arc<Accepted>) -> Result<Verified<'_>, Refusal> {
        if let (Some(own), Some(subjects)) = (&self.own, &accepted.subjects) {
            if own.tokens.epochs.revoke(subjects) {
                return Err(InvalidReason::Revoked.into());
            }
            if !own.tokens.epochs.is_current(own.patience) {
                return Err(Refusal::Unread);
            }
        }
        Ok((self, accepted))
    }

    fn cached(&self, digest: &TokenDigest, now: SystemTime) -> Option<Arc<Accepted>> {
        let keys = self.source.keys();
        self.verified.find(digest, keys.as_ref()?.epoch(), now)
    }

    fn verify(
        &self,
        token: &CompactToken<'_>,
        digest: TokenDigest,
        now: SystemTime,
    ) -> Result<Arc<Accepted>, Refusal> {
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

        let subjects = self.own.is_some().then(|| Arc::new(Subjects::of(&claims.members)));
        let accepted = Arc::new(Accepted {
            confirmation: Confirmation::of(&claims.members)?,
            identified: Arc::new(self.identify(&claims, subjects.as_ref())),
            subjects,
        });
        let until = claims.expires.checked_add(self.settings.leeway).unwrap_or(claims.expires);
        self.verified.keep(digest, &accepted, keys.epoch(), until);
        Ok(accepted)
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

    fn identify(&self, claims: &Claims, subjects: Option<&Arc<Subjects>>) -> Identified {
        let principal = Principal {
            id: claims.subject.as_str().into(),
            kind: PrincipalKind::Token,
            organization: claims.organization.as_deref().map(Into::into),
            provider: self.name.clone(),
            multi_factor: claims.multi_factor,
        };
        let roles = claims.roles.iter().map(String::as_str);
        let is_machine = self.own.is_some() && is_machine(&claims.members);
        let caller_type = if is_machine { CallerType::Service } else { self.settings.principal };
        let zone = if is_machine {
            zone_of_machine(&claims.members).unwrap_or(self.settings.service_zone)
        } else {
            self.settings.zone
        };
        let standing = Standing { caller_type, zone };
        let identified = if self.own.is_some() {
            // What the roles gave is in the token, as far as its scope allows it.
            self.entitlements.identify_exactly(
                principal,
                standing,
                &claims.grants,
                roles,
                Some(claims.expires),
            )
        } else {
            self.entitlements.identify(principal, standing, &claims.grants, roles, Some(claims.expires))
        };
        let counted = self.entitlements.counted_claims.iter();
        let basis = match (&self.own, subjects) {
            (Some(own), Some(subjects)) => {
                Basis::Token { tokens: Arc::clone(&own.tokens), subjects: Arc::clone(subjects) }
            }
            _ => Basis::Unending,
        };
        let proof = Proof { at: claims.auth_time, basis, ..Proof::default() };
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
