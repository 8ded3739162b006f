//! The door: providers made from the configuration, routes resolved against them, requests checked.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::SystemTime,
};

use bartizan_config::{
    Config, Dimension, IdentityProvider, JwtKeys, JwtProvider, Provider, Role, SignatureComponent,
    SignatureProfile, SignatureProvider, Tokens,
};
use bartizan_model::Name;
use bartizan_policy::{PermissionIndex, RoleTable};

use crate::{
    Authenticated, AuthenticationError, CrossSite, Identified, IdentityError, LiveSessions, Presented,
    Selection, UnreadSession, Visitor, WriteGuard,
    api_key::ApiKeyTable,
    authorization_server::metadata::resource_metadata_url,
    certificate::CertificateTable,
    dpop::DpopProofs,
    identified::Entitlements,
    key::KeySet,
    key_source::KeySource,
    session::table::SessionTable,
    signature::{Clients, LegacyTable, SignatureTable},
    token::{Own, TokenVerifier},
};

/// Checks credentials against the providers of one configuration.
#[derive(Debug)]
pub struct Authenticator {
    providers: HashMap<Name, Checker>,
    /// Handed on by a reload: what was used stays used.
    proofs: Arc<DpopProofs>,
}

/// What the accounts of this gateway give to providers.
#[derive(Clone, Copy)]
struct Live<'a> {
    sessions: Option<&'a Arc<LiveSessions>>,
    tokens: Option<&'a Tokens>,
    proofs: &'a Arc<DpopProofs>,
}

/// What stands behind one entry of `identity:`.
#[derive(Debug, Clone)]
pub(crate) enum Checker {
    Token(Arc<TokenVerifier>),
    ApiKey(Arc<ApiKeyTable>),
    Certificate(Arc<CertificateTable>),
    Signature(Arc<SignatureTable>),
    LegacySignature(Arc<LegacyTable>),
    Session(Arc<SessionTable>),
}

impl Authenticator {
    /// The authenticator of `config`. Permissions are expanded with `index`.
    ///
    /// JWK set URLs start to be fetched in the background at once, so a tokio runtime must be running; the
    /// fetching of a set ends when the last authenticator or selection that uses it is dropped. A URL whose
    /// settings have not changed is taken over from `previous` together with its keys; a file is read again, and a
    /// file that cannot be used is an error. Nonces that were used stay used. Verified tokens are not taken over:
    /// roles and permissions may have changed.
    pub fn new(
        config: &Config,
        index: &Arc<PermissionIndex>,
        sessions: Option<&Arc<LiveSessions>>,
        previous: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let dimensions = config.limits.iter().flat_map(|policy| &policy.rules).flat_map(|rule| &rule.per);
        let counted_claims = dimensions.filter_map(|dimension| match dimension {
            Dimension::Claim(name) => Some(name.clone()),
            _ => None,
        });
        let entitlements = Entitlements {
            roles: RoleTable::new(&config.roles),
            index: Arc::clone(index),
            counted_claims: counted_claims.collect(),
        };
        Self::entitling(&config.identity, entitlements, (sessions, config.tokens.as_deref()), previous)
    }

    /// The same for providers and roles without a whole configuration around them.
    pub fn of_providers(
        identity: &[Arc<IdentityProvider>],
        roles: &[Role],
        index: &Arc<PermissionIndex>,
        previous: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let entitlements = Entitlements {
            roles: RoleTable::new(roles),
            index: Arc::clone(index),
            counted_claims: BTreeSet::new(),
        };
        Self::entitling(identity, entitlements, (None, None), previous)
    }

    fn entitling(
        identity: &[Arc<IdentityProvider>],
        entitlements: Entitlements,
        (sessions, tokens): (Option<&Arc<LiveSessions>>, Option<&Tokens>),
        previous: Option<&Self>,
    ) -> Result<Self, IdentityError> {
        let own = sessions.and_then(|sessions| sessions.own_tokens());
        if let (Some(own), Some(tokens)) = (own, tokens) {
            own.check(tokens)?;
        }
        let nonce_key = own.map(|own| own.nonce_key.clone());
        let proofs = previous.map(|previous| Arc::clone(&previous.proofs));
        let proofs = proofs.unwrap_or_else(|| Arc::new(DpopProofs::new(nonce_key)));
        let live = Live { sessions, tokens, proofs: &proofs };
        let entitlements = Arc::new(entitlements);
        let mut providers = HashMap::new();
        for entry in identity {
            let checker = Checker::new(entry, &entitlements, live, previous)?;
            providers.insert(entry.name.clone(), checker);
        }
        Ok(Self { providers, proofs })
    }

    /// Resolves a route's `auth` list. Its order matters: the first entry whose credential is presented decides.
    /// Signatures must cover `signed` besides what their provider demands.
    pub fn select(&self, names: &[Name], signed: &[SignatureComponent]) -> Result<Selection, IdentityError> {
        let checkers: Vec<Checker> = names
            .iter()
            .map(|name| {
                let found = self.providers.get(name).cloned();
                found.ok_or_else(|| IdentityError::UnknownProvider(name.clone()))
            })
            .collect::<Result<_, _>>()?;
        Selection::new(&checkers, signed)
    }

    /// Checks what a request presents.
    ///
    /// The first entry of the selection whose credential is presented decides: if that credential is refused, so
    /// is the request, whatever else it carries.
    pub fn authenticate(
        &self,
        selection: &Selection,
        presented: &Presented<'_>,
    ) -> Result<Authenticated, AuthenticationError> {
        selection.authenticate(presented, SystemTime::now())
    }

    /// Asks the store about a session that [`Self::authenticate`] found unread. Waits for it, a second at most.
    pub async fn look_up(&self, session: &UnreadSession) -> Result<Arc<Identified>, AuthenticationError> {
        match self.providers.get(&session.provider) {
            Some(Checker::Session(table)) => table.look_up(session).await,
            _ => Err(AuthenticationError::Unavailable { provider: session.provider.clone() }),
        }
    }

    /// Whether a request that was proven by a session may ride on its cookie; others always may.
    pub fn check_write(
        &self,
        identified: &Identified,
        presented: &Presented<'_>,
        guard: WriteGuard<'_>,
    ) -> Result<(), CrossSite> {
        match self.providers.get(&identified.principal.provider) {
            Some(Checker::Session(table)) => table.check_write(presented, guard),
            _ => Ok(()),
        }
    }

    /// Notes it where a session is used from elsewhere than its person was proven; see [`crate::Home::has_moved`].
    pub fn follow(&self, identified: &Identified, visitor: Visitor<'_>) {
        if let Some(home) = &identified.proof.home
            && let Some(Checker::Session(table)) = self.providers.get(&identified.principal.provider)
        {
            table.follow(home, visitor);
        }
    }

    /// Whether every provider has the keys that it checks with.
    pub fn ready(&self) -> bool {
        self.key_sources().all(KeySource::ready)
    }

    /// Waits until [`Self::ready`].
    pub async fn wait_ready(&self) {
        for source in self.key_sources() {
            source.wait_ready().await;
        }
    }

    fn key_sources(&self) -> impl Iterator<Item = &KeySource> {
        self.providers.values().filter_map(|checker| match checker {
            Checker::Token(verifier) => Some(&**verifier.key_source()),
            _ => None,
        })
    }

    fn key_source(&self, provider: &Name) -> Option<&Arc<KeySource>> {
        match self.providers.get(provider)? {
            Checker::Token(verifier) => Some(verifier.key_source()),
            _ => None,
        }
    }

    /// Those who may sign for `provider`, with the nonces they have used.
    fn clients(&self, provider: &Name) -> Option<&Clients> {
        match self.providers.get(provider)? {
            Checker::Signature(table) => Some(&table.keys.clients),
            Checker::LegacySignature(table) => Some(&table.keys.clients),
            _ => None,
        }
    }
}

impl Live<'_> {
    /// What verifies own tokens, if these keys are meant.
    fn own(&self, settings: &JwtProvider) -> Option<Own> {
        let tokens = self.sessions.filter(|_| matches!(settings.keys, JwtKeys::Own))?.own_tokens()?;
        let has_metadata =
            |audience: &&String| self.tokens.is_some_and(|own| own.resources.contains(audience));
        let resource = settings.audiences.iter().find(has_metadata);
        Some(Own {
            tokens: Arc::clone(tokens),
            resource_metadata: resource.and_then(|resource| resource_metadata_url(resource)),
            patience: self.tokens?.stale_after,
        })
    }
}

impl Checker {
    fn new(
        entry: &IdentityProvider,
        entitlements: &Arc<Entitlements>,
        live: Live<'_>,
        previous: Option<&Authenticator>,
    ) -> Result<Self, IdentityError> {
        let name = &entry.name;
        Ok(match &entry.provider {
            Provider::Jwt(settings) => {
                let earlier = previous.and_then(|authenticator| authenticator.key_source(name));
                let own = live.own(settings);
                let source = match &own {
                    Some(own) => Arc::clone(own.tokens.keys()),
                    None => key_source(name, settings, earlier)?,
                };
                let verifier =
                    TokenVerifier::new(name, settings, source, own, live.proofs, Arc::clone(entitlements));
                Self::Token(Arc::new(verifier))
            }
            Provider::ApiKey(settings) => {
                Self::ApiKey(Arc::new(ApiKeyTable::new(name, settings, live.sessions, entitlements)?))
            }
            Provider::Certificate(settings) => {
                Self::Certificate(Arc::new(CertificateTable::new(name, settings, entitlements)?))
            }
            Provider::Session => {
                Self::Session(Arc::new(SessionTable::new(name, live.sessions, entitlements)))
            }
            Provider::Signature(settings) => {
                let earlier = previous.and_then(|authenticator| authenticator.clients(name));
                Self::signature(name, settings, entitlements, earlier)?
            }
        })
    }

    fn signature(
        name: &Name,
        settings: &SignatureProvider,
        entitlements: &Entitlements,
        earlier: Option<&Clients>,
    ) -> Result<Self, IdentityError> {
        Ok(match settings.profile {
            SignatureProfile::Rfc9421 => {
                let table = SignatureTable::new(name, settings, entitlements, earlier)?;
                Self::Signature(Arc::new(table))
            }
            SignatureProfile::Legacy => {
                let table = LegacyTable::new(name, settings, entitlements, earlier)?;
                Self::LegacySignature(Arc::new(table))
            }
        })
    }
}

fn key_source(
    name: &Name,
    settings: &JwtProvider,
    earlier: Option<&Arc<KeySource>>,
) -> Result<Arc<KeySource>, IdentityError> {
    match &settings.keys {
        JwtKeys::JwksUrl { url, ca, refresh } => {
            KeySource::from_url(name, url, ca.as_deref(), *refresh, earlier)
        }
        JwtKeys::JwksFile(path) => KeySource::from_file(name, path),
        // Where nothing is issued, nothing can be verified.
        JwtKeys::Own => Ok(KeySource::told(name)),
        JwtKeys::Secret(secret) => {
            let keys = KeySet::from_secret(name, secret, &settings.algorithms)?;
            Ok(KeySource::fixed(name, keys))
        }
    }
}
