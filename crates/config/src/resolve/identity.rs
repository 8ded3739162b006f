//! `identity:`: the providers, and what routes need to know about them.

mod jwt;
pub(super) mod signature;
pub(super) mod writable;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bartizan_model::{Grant, Name, OrganizationId, Zone};
use http::{HeaderName, header};

use super::{files::Files, roles::Roles, tokens};
use crate::{
    ApiKey, ApiKeyProvider, Authentication, CertificateClient, CertificateProvider, IdentityProvider,
    Provider, SignatureProfile, Tokens,
    file::{self, ApiKeys, Certificates, Document},
    forms::Parsed,
    located::{At, Optional, Position},
    problems::Problems,
    suggestion,
};

/// What `auth` says of a public route; no provider may be called so.
pub(crate) const NONE: &str = "none";

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The providers of the document.
pub(crate) struct Providers {
    list: Vec<Arc<IdentityProvider>>,
    known: HashMap<Name, Facts>,
    /// The names in the order of the document.
    names: Vec<Name>,
}

/// What a route needs to know about a provider, even about one that has problems of its own.
struct Facts {
    position: Position,
    used: bool,
    /// The headers that carry the credentials.
    headers: Vec<HeaderName>,
    kind: Kind,
    /// Whether its proofs hold only for the content that they were made for.
    proves_content: bool,
    /// Whether somebody else says whom it vouches for: an issuer of its own.
    is_foreign: bool,
}

/// What a provider's proofs are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Tokens, which may carry roles and say which factors were used.
    Token,
    ApiKey,
    Certificate,
    /// Signatures that cover what they are told to.
    Signature,
    /// Signatures that always cover the same, the content among it.
    LegacySignature,
    /// Sessions, whose people may hold any role.
    Session,
}

pub(crate) fn resolve(
    document: &Document,
    tokens: Option<&Tokens>,
    roles: &mut Roles,
    files: &mut Files<'_>,
    problems: &mut Problems<'_>,
) -> Providers {
    let mut providers = Providers { list: Vec::new(), known: HashMap::new(), names: Vec::new() };
    for (key, entry) in document.identity.iter().flat_map(|identity| &identity.value.0) {
        let Some(name) = problems.read(key) else { continue };
        if name.as_str() == NONE {
            problems
                .error(key.position, "`none` is what `auth` says of a public route")
                .help("choose another name");
        }
        providers.known.insert(name.clone(), facts(key.position, &entry.value));
        providers.names.push(name.clone());
        let provider = match &entry.value {
            file::Provider::Jwt(jwt) => {
                jwt::resolve(jwt, files, problems).map(|jwt| Provider::Jwt(Arc::new(jwt)))
            }
            file::Provider::ApiKey(keys) => {
                if keys.store.get() == Some(true) {
                    check_accounts(
                        document,
                        key.position,
                        "`store` needs `accounts`: there is no store of keys",
                        problems,
                    );
                }
                Some(Provider::ApiKey(api_keys(&name, key.position, keys, roles, problems)))
            }
            file::Provider::Certificate(certificates) => {
                check_client_ca(document, key.position, problems);
                Some(Provider::Certificate(clients(certificates, roles, problems)))
            }
            file::Provider::Signature(signatures) => {
                let resolved = signature::resolve(&name, signatures, roles, files, problems);
                Some(Provider::Signature(Arc::new(resolved)))
            }
            file::Provider::Session(_) => {
                check_accounts(
                    document,
                    key.position,
                    "`session` needs `accounts`: nobody can log in",
                    problems,
                );
                Some(Provider::Session)
            }
            file::Provider::Token(own) => {
                tokens::provider(tokens, own, key.position, problems).map(|jwt| Provider::Jwt(Arc::new(jwt)))
            }
        };
        if let Some(provider) = provider {
            providers.list.push(Arc::new(IdentityProvider { name, line: key.position.line(), provider }));
        }
    }
    providers
}

impl Providers {
    /// Whether the provider that a route lists is known; reports an unknown one.
    pub(crate) fn is_known(&mut self, name: &At<Name>, problems: &mut Problems<'_>) -> bool {
        if let Some(facts) = self.known.get_mut(&name.value) {
            facts.used = true;
            return true;
        }
        let hint = suggestion::hint(name.as_str(), self.names.iter().map(Name::as_str))
            .or_else(|| Some(format!("add `{}` under `identity`", name.value)));
        problems.error(name.position, format!("there is no identity provider `{}`", name.value)).hint(hint);
        false
    }

    /// Whether the provider's proofs can say that more than one factor was used.
    pub(crate) fn tell_factors(&self, name: &Name) -> bool {
        self.known.get(name).is_some_and(|facts| matches!(facts.kind, Kind::Token | Kind::Session))
    }

    /// The headers that carry the credentials a route asks for.
    pub(crate) fn headers(&self, authentication: &Authentication) -> Vec<HeaderName> {
        match authentication {
            Authentication::Public => Vec::new(),
            Authentication::Required(names) => names
                .iter()
                .filter_map(|name| self.known.get(name))
                .flat_map(|facts| facts.headers.clone())
                .collect(),
        }
    }

    /// The first provider that reads credentials from this header, whether some route lists it or not.
    pub(crate) fn reading(&self, header: &HeaderName) -> Option<&Name> {
        self.names
            .iter()
            .find(|name| self.known.get(*name).is_some_and(|facts| facts.headers.contains(header)))
    }

    /// The zones that callers of the route may be in, each once.
    pub(crate) fn zones(&self, authentication: &Authentication) -> Vec<Zone> {
        let Authentication::Required(names) = authentication else { return Vec::new() };
        let listed = self.list.iter().filter(|entry| names.contains(&entry.name));
        let mut zones: Vec<_> = listed.flat_map(|entry| entry.provider.zones()).collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }

    /// Whether some provider of the route accepts API keys.
    pub(crate) fn accept_keys(&self, authentication: &Authentication) -> bool {
        self.accept(authentication, Kind::ApiKey)
    }

    /// Whether some provider of the route accepts tokens.
    pub(crate) fn accept_tokens(&self, authentication: &Authentication) -> bool {
        self.accept(authentication, Kind::Token)
    }

    /// Whether some provider of the route accepts sessions.
    pub(crate) fn accept_sessions(&self, authentication: &Authentication) -> bool {
        self.accept(authentication, Kind::Session)
    }

    /// The providers of the route that name callers as issuers of their own do.
    pub(crate) fn foreign<'n>(&self, authentication: &'n Authentication) -> Vec<&'n Name> {
        let Authentication::Required(names) = authentication else { return Vec::new() };
        names.iter().filter(|name| self.known.get(*name).is_some_and(|facts| facts.is_foreign)).collect()
    }

    /// Whether some provider of the route accepts signatures that cover what they are told to.
    pub(crate) fn accept_signatures(&self, authentication: &Authentication) -> bool {
        self.accept(authentication, Kind::Signature)
    }

    /// The first provider of the route whose proofs hold only for the content that they were made for.
    pub(crate) fn proving_content<'n>(&self, authentication: &'n Authentication) -> Option<&'n Name> {
        let Authentication::Required(names) = authentication else { return None };
        names.iter().find(|name| self.known.get(*name).is_some_and(|facts| facts.proves_content))
    }

    fn accept(&self, authentication: &Authentication, kind: Kind) -> bool {
        let Authentication::Required(names) = authentication else { return false };
        names.iter().any(|name| self.known.get(name).is_some_and(|facts| facts.kind == kind))
    }

    pub(crate) fn warn_of_unused(&self, problems: &mut Problems<'_>) {
        for name in &self.names {
            if let Some(facts) = self.known.get(name).filter(|facts| !facts.used) {
                let message = format!("no route uses the identity provider `{name}`");
                problems.warning(facts.position, message);
            }
        }
    }

    /// Whether some provider's proofs carry roles of their own.
    pub(crate) fn issues_roles(&self) -> bool {
        self.known.values().any(|facts| matches!(facts.kind, Kind::Token | Kind::Session))
    }

    pub(crate) fn into_list(self) -> Vec<Arc<IdentityProvider>> {
        self.list
    }
}

fn facts(position: Position, provider: &file::Provider) -> Facts {
    let header = |optional: &Optional<Parsed<HeaderName>>, default: HeaderName| {
        optional.as_ref().and_then(|at| at.value.0.clone().ok()).unwrap_or(default)
    };
    let (headers, kind) = match provider {
        file::Provider::Jwt(jwt) => (vec![header(&jwt.header, header::AUTHORIZATION)], Kind::Token),
        file::Provider::ApiKey(keys) => (vec![header(&keys.header, API_KEY)], Kind::ApiKey),
        file::Provider::Certificate(_) => (Vec::new(), Kind::Certificate),
        file::Provider::Signature(signatures) => match signatures.profile.get().unwrap_or_default() {
            SignatureProfile::Rfc9421 => (signature::HEADERS.into(), Kind::Signature),
            SignatureProfile::Legacy => (signature::LEGACY_HEADERS.into(), Kind::LegacySignature),
        },
        file::Provider::Session(_) => (Vec::new(), Kind::Session),
        file::Provider::Token(_) => (vec![header::AUTHORIZATION], Kind::Token),
    };
    let proves_content = match provider {
        file::Provider::Signature(signatures) => signature::proves_content(signatures),
        _ => false,
    };
    let is_foreign = matches!(provider, file::Provider::Jwt(_));
    Facts { position, used: false, headers, kind, proves_content, is_foreign }
}

fn api_keys(
    provider: &Name,
    position: Position,
    file: &ApiKeys,
    roles: &mut Roles,
    problems: &mut Problems<'_>,
) -> ApiKeyProvider {
    let header = problems.read_or(&file.header, API_KEY);
    let zone = problems.read_or(&file.zone, Zone::default());
    let (mut keys, mut names, mut hashes) = (Vec::new(), HashSet::new(), HashSet::new());
    for key in file.keys.iter().flat_map(|keys| keys.iter()) {
        let (name, hash) = (problems.read(&key.name), problems.read(&key.hash));
        let permissions = grants(&key.permissions, problems);
        let roles = roles.held(&key.roles, problems);
        let organization = organization(&key.organization, problems);
        let zone = problems.read_or(&key.zone, zone);
        let (Some(name), Some(hash)) = (name, hash) else { continue };
        if !names.insert(name.clone()) {
            problems.error(key.name.position, format!("a second key is called `{name}`"));
        }
        if !hashes.insert(hash) {
            problems
                .error(key.hash.position, "another entry has the same hash")
                .help("give each holder a key of its own");
        }
        keys.push(ApiKey { name, hash: hash.0, permissions, roles, organization, zone });
    }
    let stored = (file.store.get() == Some(true)).then_some(zone);
    if stored.is_none() && file.keys.as_ref().is_none_or(|keys| keys.is_empty()) {
        problems
            .warning(position, format!("`{provider}` has no keys: it admits nobody"))
            .help("add `keys: [{ name, hash: \"sha256:...\" }]`, or `store: true`");
    }
    ApiKeyProvider { header, keys, stored }
}

fn clients(file: &Certificates, roles: &mut Roles, problems: &mut Problems<'_>) -> CertificateProvider {
    let zone = problems.read_or(&file.zone, Zone::default());
    let (mut clients, mut names) = (Vec::new(), HashSet::new());
    for client in &file.clients.value {
        let san = problems.read(&client.san);
        let permissions = grants(&client.permissions, problems);
        let roles = roles.held(&client.roles, problems);
        let organization = organization(&client.organization, problems);
        let zone = problems.read_or(&client.zone, zone);
        let Some(san) = san else { continue };
        if !names.insert(san.clone()) {
            problems.error(client.san.position, format!("a second client is called `{san}`"));
        }
        clients.push(CertificateClient { san, permissions, roles, organization, zone });
    }
    if file.clients.is_empty() {
        problems.warning(file.clients.position, "there are no clients: every certificate is refused");
    }
    CertificateProvider { name: file.name.get().unwrap_or_default(), clients }
}

fn check_client_ca(document: &Document, position: Position, problems: &mut Problems<'_>) {
    let has_client_ca = match document.tls.as_ref().map(|tls| &tls.value.0) {
        Some(Ok(file::Tls::Table(table))) => table.client_ca.is_some(),
        Some(Ok(file::Tls::Dev)) | None => false,
        Some(Err(_)) => true,
    };
    if !has_client_ca {
        problems
            .error(position, "`certificate` needs `tls.client_ca`: nobody is asked for a certificate")
            .help("add `client_ca` under `tls` with the PEM file of the authorities");
    }
}

fn check_accounts(document: &Document, position: Position, what: &str, problems: &mut Problems<'_>) {
    if document.accounts.is_none() {
        problems.error(position, what).help("add `accounts: {}` to the document");
    }
}

fn grants(grants: &Optional<Vec<At<Parsed<Grant>>>>, problems: &mut Problems<'_>) -> Vec<Grant> {
    let grants = grants.as_ref().map(|grants| problems.read_all(grants)).unwrap_or_default();
    grants.into_iter().map(|grant| grant.value).collect()
}

fn organization(text: &Optional<Parsed<String>>, problems: &mut Problems<'_>) -> Option<OrganizationId> {
    problems.read_optional(text).map(|text| OrganizationId::from(text.value.as_str()))
}
