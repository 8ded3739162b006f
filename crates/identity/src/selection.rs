//! A route's `auth` list, resolved: where to look for which credential, in which order, and what to ask for.

use std::{sync::Arc, time::SystemTime};

use bartizan_config::SignatureComponent;
use bartizan_model::{Name, Principal, PrincipalKind};
use http::{HeaderName, HeaderValue, header, request::Parts};

use crate::{
    Authenticated, AuthenticationError, DpopError, IdentityError, InvalidReason, Presented,
    api_key::ApiKeyTable,
    authenticator::Checker,
    certificate::CertificateTable,
    confirmation::Scheme,
    session::table::SessionTable,
    signature::{LegacyTable, Refused, SignatureFields, SignatureTable},
    token::{Refusal, TokenVerifier, verify_token},
};

/// What proofs may be signed with (RFC 9449, section 7.1).
const PROOF_ALGORITHMS: &str = "EdDSA ES256 ES384 PS256 PS384 PS512 RS256 RS384 RS512";

/// The providers of one route. Made by [`crate::Authenticator::select`].
#[derive(Debug, Clone)]
pub struct Selection {
    slots: Vec<Slot>,
    challenges: Vec<HeaderValue>,
    challenges_after_invalid_token: Vec<HeaderValue>,
    challenges_after_unfit_token: Vec<HeaderValue>,
    challenges_after_invalid_proof: Vec<HeaderValue>,
    challenges_for_a_nonce: Vec<HeaderValue>,
    challenges_for_another_scope: Vec<HeaderValue>,
}

/// A place where a credential may be, and everybody who would accept one from there.
#[derive(Debug, Clone)]
enum Slot {
    Token { header: HeaderName, verifiers: Vec<Arc<TokenVerifier>> },
    ApiKey { header: HeaderName, tables: Vec<Arc<ApiKeyTable>> },
    Certificate { tables: Vec<Arc<CertificateTable>> },
    Signature { tables: Vec<Arc<SignatureTable>>, demanded: Vec<SignatureComponent> },
    LegacySignature { tables: Vec<Arc<LegacyTable>> },
    Session { table: Arc<SessionTable> },
}

impl Selection {
    pub(crate) fn new(checkers: &[Checker], signed: &[SignatureComponent]) -> Result<Self, IdentityError> {
        let mut slots: Vec<Slot> = Vec::new();
        for checker in checkers {
            match slots.iter_mut().find(|slot| slot.suits(checker)) {
                Some(slot) => slot.add(checker)?,
                None => slots.push(Slot::new(checker, signed)),
            }
        }
        let challenges = |fault| slots.iter().flat_map(|slot| slot.challenges(fault)).collect();
        Ok(Self {
            challenges: challenges(None),
            challenges_after_invalid_token: challenges(Some(Fault::Token)),
            challenges_after_unfit_token: challenges(Some(Fault::Binding)),
            challenges_after_invalid_proof: challenges(Some(Fault::Proof)),
            challenges_for_a_nonce: challenges(Some(Fault::Nonce)),
            challenges_for_another_scope: slots.iter().flat_map(Slot::scope_challenges).collect(),
            slots,
        })
    }

    /// The values of `WWW-Authenticate` for a 401 because of `error` (RFC 9110, section 11.6.1).
    ///
    /// Tokens are asked for as RFC 6750 says. `ApiKey`, `Certificate`, `Signature` and `Cookie` are no registered schemes;
    /// they are there
    /// because a 401 must carry a challenge, and they tell a person what is missing.
    pub fn challenges(&self, error: &AuthenticationError) -> &[HeaderValue] {
        match error {
            AuthenticationError::Invalid { reason: InvalidReason::Dpop(DpopError::Nonce), .. } => {
                &self.challenges_for_a_nonce
            }
            // What is wrong with the token and not with the proof is answered as RFC 6750 says.
            AuthenticationError::Invalid {
                reason: InvalidReason::Dpop(DpopError::Scheme | DpopError::Unbound | DpopError::OtherKey),
                ..
            } => &self.challenges_after_unfit_token,
            AuthenticationError::Invalid { reason: InvalidReason::Dpop(_), .. } => {
                &self.challenges_after_invalid_proof
            }
            AuthenticationError::Invalid { provider, .. } if self.is_token_provider(provider) => {
                &self.challenges_after_invalid_token
            }
            _ => &self.challenges,
        }
    }

    /// The values of `WWW-Authenticate` for a 403 to whoever was proven by a token that gives them too little (RFC 6750,
    /// section 3.1); none for others. What would be enough is not told.
    pub fn insufficient_scope(&self, principal: &Principal) -> &[HeaderValue] {
        let is_by_token =
            principal.kind == PrincipalKind::Token && self.is_token_provider(&principal.provider);
        if is_by_token { &self.challenges_for_another_scope } else { &[] }
    }

    /// The nonce that the next proof must hold, where `error` says that it must (RFC 9449, section 9).
    pub fn nonce(&self, error: &AuthenticationError) -> Option<HeaderValue> {
        let AuthenticationError::Invalid { reason: InvalidReason::Dpop(DpopError::Nonce), .. } = error else {
            return None;
        };
        let mut verifiers = self.slots.iter().flat_map(|slot| match slot {
            Slot::Token { verifiers, .. } => verifiers.as_slice(),
            _ => &[],
        });
        verifiers.next().and_then(|verifier| verifier.proofs().nonce(SystemTime::now()))
    }

    /// Whether the request's content must be at hand before anything can be said about its sender: what carries a
    /// signature of the legacy profile.
    pub fn needs_content(&self, head: &Parts) -> bool {
        let is_legacy = |slot: &Slot| matches!(slot, Slot::LegacySignature { .. });
        LegacyTable::is_in(&head.headers) && self.slots.iter().any(is_legacy)
    }

    pub(crate) fn authenticate(
        &self,
        presented: &Presented<'_>,
        now: SystemTime,
    ) -> Result<Authenticated, AuthenticationError> {
        let decided = self.slots.iter().find_map(|slot| slot.authenticate(presented, now));
        decided.unwrap_or(Err(AuthenticationError::Missing))
    }

    fn is_token_provider(&self, name: &Name) -> bool {
        self.slots.iter().any(|slot| match slot {
            Slot::Token { verifiers, .. } => verifiers.iter().any(|verifier| verifier.name() == name),
            _ => false,
        })
    }
}

impl Slot {
    fn new(checker: &Checker, signed: &[SignatureComponent]) -> Self {
        match checker {
            Checker::Token(verifier) => {
                Self::Token { header: verifier.header().clone(), verifiers: vec![Arc::clone(verifier)] }
            }
            Checker::ApiKey(table) => {
                Self::ApiKey { header: table.header().clone(), tables: vec![Arc::clone(table)] }
            }
            Checker::Certificate(table) => Self::Certificate { tables: vec![Arc::clone(table)] },
            Checker::Signature(table) => {
                Self::Signature { tables: vec![Arc::clone(table)], demanded: signed.to_vec() }
            }
            Checker::LegacySignature(table) => Self::LegacySignature { tables: vec![Arc::clone(table)] },
            Checker::Session(table) => Self::Session { table: Arc::clone(table) },
        }
    }

    /// Whether the credential of `checker` is looked for in this place.
    fn suits(&self, checker: &Checker) -> bool {
        match (self, checker) {
            (Self::Token { header, .. }, Checker::Token(verifier)) => header == verifier.header(),
            (Self::ApiKey { header, .. }, Checker::ApiKey(table)) => header == table.header(),
            // Every entry of this kind sees the same sessions.
            (Self::Certificate { .. }, Checker::Certificate(_))
            | (Self::Session { .. }, Checker::Session(_))
            | (Self::Signature { .. }, Checker::Signature(_))
            | (Self::LegacySignature { .. }, Checker::LegacySignature(_)) => true,
            _ => false,
        }
    }

    fn add(&mut self, checker: &Checker) -> Result<(), IdentityError> {
        match (self, checker) {
            (Self::Token { verifiers, .. }, Checker::Token(verifier)) => {
                if let Some(same) = verifiers.iter().find(|other| other.issuer() == verifier.issuer()) {
                    return Err(IdentityError::SameIssuer(same.name().clone(), verifier.name().clone()));
                }
                verifiers.push(Arc::clone(verifier));
            }
            (Self::ApiKey { tables, .. }, Checker::ApiKey(table)) => tables.push(Arc::clone(table)),
            (Self::Certificate { tables }, Checker::Certificate(table)) => tables.push(Arc::clone(table)),
            (Self::Signature { tables, .. }, Checker::Signature(table)) => tables.push(Arc::clone(table)),
            (Self::LegacySignature { tables }, Checker::LegacySignature(table)) => {
                tables.push(Arc::clone(table));
            }
            _ => {}
        }
        Ok(())
    }

    /// The verdict on the credential in this place, or `None` when there is none.
    fn authenticate(
        &self,
        presented: &Presented<'_>,
        now: SystemTime,
    ) -> Option<Result<Authenticated, AuthenticationError>> {
        match self {
            Self::Token { header, verifiers } => authenticate_token(presented, header, verifiers, now),
            Self::ApiKey { header, tables } => authenticate_api_key(presented, header, tables, now),
            Self::Certificate { tables } => authenticate_certificate(presented, tables),
            Self::Signature { tables, demanded } => authenticate_signature(presented, tables, demanded, now),
            Self::LegacySignature { tables } => authenticate_legacy_signature(presented, tables, now),
            Self::Session { table } => table.authenticate(presented, now).map(|known| known.map(Into::into)),
        }
    }

    fn scope_challenges(&self) -> Vec<HeaderValue> {
        match self {
            Self::Token { header, verifiers } => token_challenges(header, verifiers, Some(Fault::Scope)),
            _ => Vec::new(),
        }
    }

    fn challenges(&self, fault: Option<Fault>) -> Vec<HeaderValue> {
        let text = match self {
            Self::Token { header, verifiers } => return token_challenges(header, verifiers, fault),
            Self::ApiKey { header, .. } => format!("ApiKey realm=\"bartizan\", header=\"{header}\""),
            Self::Certificate { .. } => "Certificate realm=\"bartizan\"".into(),
            Self::Signature { .. } => "Signature realm=\"bartizan\"".into(),
            Self::LegacySignature { .. } => "Signature realm=\"bartizan\", header=\"x-signature\"".into(),
            Self::Session { table } => {
                format!("Cookie realm=\"bartizan\", cookie-name=\"{}\"", table.cookie())
            }
        };
        // INVARIANT: header names are tokens, so the text is printable ASCII.
        HeaderValue::from_str(&text).into_iter().collect()
    }
}

/// What was wrong, as challenges say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Token,
    /// The token, for what it is bound to, or not.
    Binding,
    Proof,
    Nonce,
    /// The token gives too little.
    Scope,
}

/// RFC 6750, section 3; RFC 9449, section 7.1; RFC 9728, section 5.1.
fn token_challenges(
    header: &HeaderName,
    verifiers: &[Arc<TokenVerifier>],
    fault: Option<Fault>,
) -> Vec<HeaderValue> {
    let place =
        if *header == header::AUTHORIZATION { String::new() } else { format!(", header=\"{header}\"") };
    let metadata = verifiers.iter().find_map(|verifier| verifier.resource_metadata());
    let metadata = metadata.map_or(String::new(), |url| format!(", resource_metadata=\"{url}\""));
    let error = |name: &str| format!(", error=\"{name}\"");
    let (bearer, proof) = match fault {
        None => (String::new(), String::new()),
        Some(Fault::Token | Fault::Binding) => (error("invalid_token"), error("invalid_token")),
        Some(Fault::Scope) => (error("insufficient_scope"), error("insufficient_scope")),
        Some(Fault::Proof) => (String::new(), error("invalid_dpop_proof")),
        Some(Fault::Nonce) => (String::new(), error("use_dpop_nonce")),
    };
    let policies = || verifiers.iter().map(|verifier| (verifier.dpop(), verifier.resource_metadata()));
    let takes_bearer = policies().any(|(policy, _)| !policy.required);
    let takes_proofs = policies().any(|(policy, own)| policy.required || policy.nonce || own.is_some());
    let is_about_proofs = matches!(fault, Some(Fault::Binding | Fault::Proof | Fault::Nonce));
    let mut texts = Vec::new();
    if takes_bearer {
        texts.push(format!("Bearer realm=\"bartizan\"{place}{bearer}{metadata}"));
    }
    if takes_proofs || is_about_proofs {
        texts.push(format!("DPoP realm=\"bartizan\"{place}{proof}, algs=\"{PROOF_ALGORITHMS}\"{metadata}"));
    }
    // INVARIANT: header names are tokens and URLs ASCII, so the text is printable ASCII.
    texts.iter().filter_map(|text| HeaderValue::from_str(text).ok()).collect()
}

fn authenticate_token(
    presented: &Presented<'_>,
    header: &HeaderName,
    verifiers: &[Arc<TokenVerifier>],
    now: SystemTime,
) -> Option<Result<Authenticated, AuthenticationError>> {
    let first = verifiers.first()?.name();
    let value = match presented.only(header) {
        Ok(value) => value?,
        Err(reason) => return Some(Err(invalid(first, reason))),
    };
    let (scheme, token) = if *header == header::AUTHORIZATION {
        credentials(value.as_bytes())?
    } else {
        (Scheme::Bare, value.as_bytes())
    };
    let verified = verify_token(token, verifiers, now).map_err(|(verifier, refusal)| {
        let provider = verifier.map_or(first, |verifier| verifier.name());
        match refusal {
            Refusal::Invalid(reason) => invalid(provider, reason),
            Refusal::NoKeysYet | Refusal::Unread => {
                AuthenticationError::Unavailable { provider: provider.clone() }
            }
        }
    });
    Some(verified.and_then(|(verifier, accepted)| {
        let proven = accepted.confirmation.check(
            presented,
            (scheme, token),
            (verifier.proofs(), verifier.dpop()),
            now,
        );
        match proven {
            Ok(spent) => {
                let identified = Arc::clone(&accepted.identified);
                Ok(Authenticated { identified, content: None, spent })
            }
            Err(InvalidReason::Dpop(DpopError::NoRoom)) => {
                Err(AuthenticationError::NoRoomForProof { provider: verifier.name().clone() })
            }
            Err(reason) => Err(invalid(verifier.name(), reason)),
        }
    }))
}

fn authenticate_api_key(
    presented: &Presented<'_>,
    header: &HeaderName,
    tables: &[Arc<ApiKeyTable>],
    now: SystemTime,
) -> Option<Result<Authenticated, AuthenticationError>> {
    let first = tables.first()?.name();
    let key = match presented.only(header) {
        Ok(value) => value?.as_bytes(),
        Err(reason) => return Some(Err(invalid(first, reason))),
    };
    let found = ApiKeyTable::find(tables, key, presented.address, now).transpose();
    let unknown = || Err(invalid(first, InvalidReason::UnknownApiKey));
    Some(found.unwrap_or_else(unknown).map(Authenticated::from))
}

fn authenticate_certificate(
    presented: &Presented<'_>,
    tables: &[Arc<CertificateTable>],
) -> Option<Result<Authenticated, AuthenticationError>> {
    let first = tables.first()?.name();
    let certificate = presented.client_certificate?;
    let outcome = CertificateTable::find(tables, certificate);
    Some(outcome.map(Authenticated::from).map_err(|reason| invalid(first, reason)))
}

fn authenticate_signature(
    presented: &Presented<'_>,
    tables: &[Arc<SignatureTable>],
    demanded: &[SignatureComponent],
    now: SystemTime,
) -> Option<Result<Authenticated, AuthenticationError>> {
    let first = &tables.first()?.keys.name;
    if !SignatureFields::are_in(&presented.head.headers) {
        return None;
    }
    let outcome = SignatureTable::find(tables, presented.head, presented.secure, demanded, now);
    Some(outcome.map_err(|(provider, refused)| refusal(provider.as_ref().unwrap_or(first), refused)))
}

fn authenticate_legacy_signature(
    presented: &Presented<'_>,
    tables: &[Arc<LegacyTable>],
    now: SystemTime,
) -> Option<Result<Authenticated, AuthenticationError>> {
    let first = &tables.first()?.keys.name;
    if !LegacyTable::is_in(&presented.head.headers) {
        return None;
    }
    let outcome = LegacyTable::find(tables, presented.head, presented.content, now);
    Some(outcome.map_err(|(provider, refused)| refusal(provider.as_ref().unwrap_or(first), refused)))
}

fn refusal(provider: &Name, refused: Refused) -> AuthenticationError {
    match refused {
        Refused::Invalid(reason) => invalid(provider, reason),
        Refused::NoRoom => AuthenticationError::Exhausted { provider: provider.clone() },
    }
}

fn invalid(provider: &Name, reason: InvalidReason) -> AuthenticationError {
    AuthenticationError::Invalid { provider: provider.clone(), reason }
}

/// The token of an `Authorization` value with the scheme `Bearer` (RFC 6750, section 2.1) or `DPoP` (RFC 9449, section
/// 7.1); `None` for any other scheme, which is somebody else's credential.
pub(crate) fn credentials(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let (scheme, rest) = value.split_at(value.iter().position(|byte| *byte == b' ').unwrap_or(value.len()));
    let scheme = if scheme.eq_ignore_ascii_case(b"bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case(b"dpop") {
        Scheme::Dpop
    } else {
        return None;
    };
    Some((scheme, rest.trim_ascii_start()))
}
