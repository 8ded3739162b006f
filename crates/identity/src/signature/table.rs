//! The keys of one provider, and what their signatures must be like (RFC 9421, section 3.2).

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bartizan_config::{NoncePolicy, SignatureComponent, SignatureKey, SignatureProvider};
use bartizan_model::{CallerType, Name, Principal, PrincipalKind};
use http::request::Parts;

use super::{
    ExpectedContent, Message, Refused, SignatureFields,
    base::signature_base,
    digest::CONTENT_DIGEST,
    fields::LabelledSignature,
    key::VerificationKey,
    nonce::{Nonces, Use},
};
use crate::{
    Authenticated, Identified, IdentityError, InvalidReason, Spent,
    identified::{Entitlements, Standing},
};

/// How far a sender's clock may be ahead of ours.
const AHEAD: u64 = 30;

/// The keys of one provider, and how fresh what they sign must be, whatever form it has.
#[derive(Debug)]
pub(crate) struct ProviderKeys {
    pub(crate) name: Name,
    pub(super) freshness: Freshness,
    pub(crate) clients: Clients,
}

impl ProviderKeys {
    pub(super) fn new(
        name: &Name,
        settings: &SignatureProvider,
        entitlements: &Entitlements,
        previous: Option<&Clients>,
    ) -> Result<Self, IdentityError> {
        let freshness = Freshness::of(settings);
        let clients = Clients::new(name, &settings.keys, &freshness, entitlements, previous)?;
        Ok(Self { name: name.clone(), freshness, clients })
    }
}

/// The keys of one provider with signatures of RFC 9421.
#[derive(Debug)]
pub(crate) struct SignatureTable {
    pub(crate) keys: ProviderKeys,
    tag: Option<String>,
    demanded: Vec<SignatureComponent>,
}

impl SignatureTable {
    pub(crate) fn new(
        name: &Name,
        settings: &SignatureProvider,
        entitlements: &Entitlements,
        previous: Option<&Clients>,
    ) -> Result<Self, IdentityError> {
        Ok(Self {
            keys: ProviderKeys::new(name, settings, entitlements, previous)?,
            tag: settings.tag.clone(),
            demanded: settings.components.clone(),
        })
    }

    /// Who signed: the sender of the first signature that satisfies one of `tables` and covers what the route
    /// demands.
    pub(crate) fn find(
        tables: &[Arc<Self>],
        head: &Parts,
        secure: bool,
        demanded: &[SignatureComponent],
        now: SystemTime,
    ) -> Result<Authenticated, (Option<Name>, Refused)> {
        let unread = |reason: InvalidReason| (None, reason.into());
        let fields = SignatureFields::read(&head.headers).map_err(unread)?;
        let message = Message::received(head, secure).map_err(unread)?;
        let mut refused: Option<(Option<Name>, Refused)> = None;
        for signature in &fields.0 {
            // Proxies may have signed too: that nobody here knows their keys says nothing about the others.
            let knowing = tables.iter().find_map(|table| Some((table, table.client(signature)?)));
            let Some((table, client)) = knowing else { continue };
            match table.verify(signature, client, &message, demanded, now) {
                Ok(authenticated) => return Ok(authenticated),
                Err(reason) => {
                    refused.get_or_insert((Some(table.keys.name.clone()), reason));
                }
            }
        }
        Err(refused.unwrap_or_else(|| unread(InvalidReason::UnknownKey)))
    }

    fn client(&self, signature: &LabelledSignature) -> Option<&Client> {
        self.keys.clients.0.get(signature.key_id.as_deref()?)
    }

    /// The cheap checks come first; a nonce is used by a valid signature only.
    fn verify(
        &self,
        signature: &LabelledSignature,
        client: &Client,
        message: &Message<'_>,
        demanded: &[SignatureComponent],
        now: SystemTime,
    ) -> Result<Authenticated, Refused> {
        // Which algorithm a key is for is not the request's to say.
        if signature.algorithm.as_deref().is_some_and(|named| named != client.algorithm) {
            return Err(InvalidReason::Algorithm.into());
        }
        if self.tag.is_some() && self.tag != signature.tag {
            return Err(InvalidReason::Tag.into());
        }
        let content = self.content(signature, message, demanded)?;
        let created = signature.created.and_then(|seconds| u64::try_from(seconds).ok());
        let now = seconds(now);
        let created = self.keys.freshness.check(created, now)?;
        if signature
            .expires
            .is_some_and(|expires| u64::try_from(expires).is_ok_and(|end| end < now) || expires < 0)
        {
            return Err(InvalidReason::Expired.into());
        }
        let nonce = self.keys.freshness.nonce(signature.nonce.as_deref())?;
        let base = signature_base(message, &signature.components, &signature.parameters)?;
        if !client.key.verify(&base, &signature.signature) {
            return Err(InvalidReason::Signature.into());
        }
        let spent = self.keys.freshness.spend(client, nonce, created, now)?;
        Ok(Authenticated { identified: Arc::clone(&client.identified), content, spent })
    }

    /// Refuses a signature that does not cover enough, and says what its content must be.
    fn content(
        &self,
        signature: &LabelledSignature,
        message: &Message<'_>,
        demanded: &[SignatureComponent],
    ) -> Result<Option<ExpectedContent>, InvalidReason> {
        let covers = |demanded: &SignatureComponent| {
            signature.components.iter().any(|component| component.covers(demanded))
        };
        let mut is_content_demanded = false;
        for component in self.demanded.iter().chain(demanded) {
            if *component == SignatureComponent::CONTENT_DIGEST {
                is_content_demanded = true;
            } else if !covers(component) {
                return Err(InvalidReason::Coverage);
            }
        }
        let is_signed = signature.components.iter().any(|component| component.is_of_field(&CONTENT_DIGEST));
        if is_content_demanded && !covers(&SignatureComponent::CONTENT_DIGEST) {
            return Ok(Some(ExpectedContent::none(&self.keys.name)));
        }
        is_signed.then(|| ExpectedContent::of_field(&self.keys.name, message.headers)).transpose()
    }
}

/// How old signatures may be, and whether they may be used again.
#[derive(Debug)]
pub(super) struct Freshness {
    window: u64,
    nonce: NoncePolicy,
    max_nonces: usize,
}

impl Freshness {
    pub(super) fn of(settings: &SignatureProvider) -> Self {
        let window = settings.window.max(Duration::from_secs(1)).as_secs();
        Self { window, nonce: settings.nonce, max_nonces: settings.max_nonces }
    }

    /// When it was made, if that is neither too long ago nor to come.
    pub(super) fn check(&self, created: Option<u64>, now: u64) -> Result<u64, InvalidReason> {
        let created = created.ok_or(InvalidReason::Created)?;
        if created > now.saturating_add(AHEAD) {
            return Err(InvalidReason::CreatedInFuture);
        }
        if created < now.saturating_sub(self.window) { Err(InvalidReason::TooOld) } else { Ok(created) }
    }

    /// The nonce, if there is one or none is needed.
    pub(super) fn nonce<'n>(&self, nonce: Option<&'n str>) -> Result<Option<&'n str>, InvalidReason> {
        match nonce.filter(|nonce| !nonce.is_empty()) {
            None if self.nonce == NoncePolicy::Required => Err(InvalidReason::Nonce),
            nonce => Ok(nonce),
        }
    }

    /// Uses the nonce of a valid signature.
    pub(super) fn spend(
        &self,
        client: &Client,
        nonce: Option<&str>,
        created: u64,
        now: u64,
    ) -> Result<Option<Spent>, Refused> {
        let Some(nonce) = nonce else { return Ok(None) };
        if !client.nonces.remembers(created) {
            return Err(InvalidReason::BeforeMemory.into());
        }
        let until = created.saturating_add(self.window);
        match client.nonces.spend(nonce, until, now, self.max_nonces) {
            Use::First => {
                let Principal { id, provider, .. } = &client.identified.principal;
                let parts = ["signature", provider.as_str(), id.as_str(), nonce];
                Ok(Some(Spent::new(&parts, until.saturating_sub(now), InvalidReason::Replay)))
            }
            Use::Again => Err(InvalidReason::Replay.into()),
            Use::NoRoom => Err(Refused::NoRoom),
        }
    }
}

/// Those who may sign, by the ids of their keys.
#[derive(Debug)]
pub(crate) struct Clients(HashMap<String, Client>);

/// Somebody who may sign.
#[derive(Debug)]
pub(super) struct Client {
    algorithm: &'static str,
    pub(super) key: VerificationKey,
    pub(super) identified: Arc<Identified>,
    nonces: Arc<Nonces>,
    /// How long its nonces have been remembered.
    window: u64,
}

impl Clients {
    /// Nonces that were used stay used when the configuration changes. Those of a shorter window may have been
    /// forgotten too early for a longer one: then the memory begins anew.
    pub(super) fn new(
        provider: &Name,
        keys: &[SignatureKey],
        freshness: &Freshness,
        entitlements: &Entitlements,
        previous: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let now = seconds(SystemTime::now());
        let mut clients = HashMap::new();
        for key in keys {
            let principal = Principal {
                id: key.id.as_str().into(),
                kind: PrincipalKind::Signature,
                organization: key.organization.clone(),
                provider: provider.clone(),
                multi_factor: false,
            };
            let roles = key.roles.iter().map(Name::as_str);
            let standing = Standing { caller_type: CallerType::Service, zone: key.zone };
            let identified = entitlements.identify(principal, standing, &key.permissions, roles, None);
            let verification = VerificationKey::new(key.algorithm, &key.material);
            let unusable = |source| IdentityError::SignatureKey {
                provider: provider.clone(),
                key: key.id.clone(),
                source,
            };
            let earlier = previous.and_then(|previous| previous.0.get(&key.id));
            let earlier = earlier.filter(|earlier| earlier.window >= freshness.window);
            let client = Client {
                algorithm: key.algorithm.as_str(),
                key: verification.map_err(unusable)?,
                identified: Arc::new(identified),
                nonces: earlier
                    .map_or_else(|| Arc::new(Nonces::since(now)), |earlier| Arc::clone(&earlier.nonces)),
                window: freshness.window,
            };
            if clients.insert(key.id.clone(), client).is_some() {
                return Err(IdentityError::SameCredential {
                    provider: provider.clone(),
                    first: key.id.clone(),
                    second: key.id.clone(),
                });
            }
        }
        Ok(Self(clients))
    }

    pub(super) fn get(&self, id: &str) -> Option<&Client> {
        self.0.get(id)
    }

    /// The only one, if there is one only.
    pub(super) fn only(&self) -> Option<&Client> {
        let mut all = self.0.values();
        all.next().filter(|_| all.next().is_none())
    }
}

/// Seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
