//! Proofs that whoever sends a token holds the key that it is bound to (`DPoP`, RFC 9449).
//!
//! A proof is a small token that the sender signs for one request. It is accepted once: what was seen is remembered in
//! memory until the proof would be too old anyway, and by all gateways that share a store ([`crate::Together`]). A nonce of the gateway, where it is demanded,
//! keeps proofs from being made beforehand.

mod error;
mod memory;
mod nonce;
mod proof;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand::SystemRandom};
use bartizan_config::Dpop;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

pub use self::error::DpopError;
use self::{memory::ProofMemory, nonce::NonceMaker, proof::Proof};
use crate::{InvalidReason, Spent, signature::Use};

/// Carries the proof (RFC 9449, section 4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");
/// How many proofs are remembered of all keys together: some 17,000 a second.
const ROOM: usize = 1_000_000;
/// How far ahead a client's clock may be, as for tokens and signatures. Such a proof is remembered so much longer.
const AHEAD: u64 = 30;

/// The proofs that were seen.
#[derive(Debug)]
pub(crate) struct DpopProofs {
    used: ProofMemory,
    nonces: NonceMaker,
}

/// What a proof must be for.
#[derive(Debug, Clone)]
pub(crate) struct ProvenRequest<'a> {
    pub(crate) method: &'a str,
    /// Scheme and authority; one of them.
    pub(crate) origins: SmallVec<[(&'a str, &'a str); 1]>,
    pub(crate) path: &'a str,
    /// The token that comes with it.
    pub(crate) token: Option<&'a [u8]>,
    /// The thumbprint of the key that the token is bound to.
    pub(crate) key: Option<&'a str>,
}

/// The key of a proof that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProvenKey {
    pub(crate) thumbprint: String,
    pub(crate) spent: Spent,
}

impl DpopProofs {
    /// Nothing was seen yet. Without a key that others have too, nonces are for this gateway alone.
    pub(crate) fn new(key: Option<hmac::Key>) -> Self {
        let random = || hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        let used = ProofMemory::since(seconds(SystemTime::now()), ROOM);
        Self { used, nonces: NonceMaker::new(key.or_else(random)) }
    }

    /// The key that signed the proof in these headers (RFC 9449, section 4.3).
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        request: &ProvenRequest<'_>,
        policy: &Dpop,
        now: SystemTime,
    ) -> Result<ProvenKey, DpopError> {
        let now = seconds(now);
        let mut values = headers.get_all(DPOP).iter();
        let proof = match (values.next(), values.next()) {
            (None, _) => return Err(DpopError::Missing),
            (Some(value), None) => Proof::verify(value.as_bytes())?,
            (Some(_), Some(_)) => return Err(DpopError::Ambiguous),
        };
        // Before it takes any room.
        if request.key.is_some_and(|key| key != proof.thumbprint) {
            return Err(DpopError::OtherKey);
        }
        if proof.text("htm") != Some(request.method) {
            return Err(DpopError::Method);
        }
        let is_for = |url: &str| {
            let mut origins = request.origins.iter();
            origins.any(|(scheme, authority)| is_target(url, (scheme, authority, request.path)))
        };
        if !proof.text("htu").is_some_and(is_for) {
            return Err(DpopError::Target);
        }
        if let Some(token) = request.token
            && proof.text("ath") != Some(base64_sha256(token).as_str())
        {
            return Err(DpopError::TokenHash);
        }
        let issued = proof.issued_at().ok_or(DpopError::IssuedAt)?;
        if issued > now.saturating_add(AHEAD) {
            return Err(DpopError::InFuture);
        }
        if policy.nonce && !proof.text("nonce").is_some_and(|nonce| self.nonces.knows(nonce, now)) {
            return Err(DpopError::Nonce);
        }
        let until = issued.saturating_add(policy.max_age.as_secs());
        if until < now {
            return Err(DpopError::TooOld);
        }
        let id = proof.text("jti").filter(|id| (1..=256).contains(&id.len())).ok_or(DpopError::Identifier)?;
        if !self.used.remembers(issued) {
            return Err(DpopError::BeforeMemory);
        }
        match self.used.spend(&proof.thumbprint, id, until, now, policy.max_proofs) {
            Use::First => {
                let parts = ["dpop", proof.thumbprint.as_str(), id];
                let again = InvalidReason::Dpop(DpopError::Replay);
                let spent = Spent::new(&parts, until.saturating_sub(now), again);
                Ok(ProvenKey { thumbprint: proof.thumbprint, spent })
            }
            Use::Again => Err(DpopError::Replay),
            Use::NoRoom => Err(DpopError::NoRoom),
        }
    }

    /// A nonce for the next proof (RFC 9449, sections 8 and 9).
    pub(crate) fn nonce(&self, now: SystemTime) -> Option<HeaderValue> {
        HeaderValue::try_from(self.nonces.make(seconds(now))).ok()
    }

    /// Whether there is a proof among these headers, good or not.
    pub(crate) fn are_in(headers: &HeaderMap) -> bool {
        headers.contains_key(DPOP)
    }
}

/// The base64url SHA-256 of something.
pub(crate) fn base64_sha256(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

/// Whether a URL is the target, apart from query and fragment, as RFC 3986, section 6.2, compares them.
fn is_target(url: &str, (scheme, authority, path): (&str, &str, &str)) -> bool {
    let (Ok(url), Ok(authority)) = (url.parse::<Uri>(), authority.parse::<http::uri::Authority>()) else {
        return false;
    };
    let Some(named) = url.authority().filter(|named| !named.as_str().contains('@')) else { return false };
    let default = if scheme == "https" { 443 } else { 80 };
    let port = |authority: &http::uri::Authority| authority.port_u16().unwrap_or(default);
    let path = if path.is_empty() { "/" } else { path };
    url.scheme_str() == Some(scheme)
        && named.host().eq_ignore_ascii_case(authority.host())
        && port(named) == port(&authority)
        && url.path() == path
}

fn seconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}
