//! Who may vouch for a caller.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bartizan_model::{CallerType, Grant, Line, Name, OrganizationId, Zone};
use secrecy::SecretString;

use crate::{ClaimSource, Dpop, SignatureProvider};

/// One entry of `identity:`.
#[derive(Debug)]
pub struct IdentityProvider {
    /// Its name, which routes list under `auth`.
    pub name: Name,
    /// Where it stands in the file.
    pub line: Line,
    /// What it checks.
    pub provider: Provider,
}

/// The kinds of proof.
#[derive(Debug)]
pub enum Provider {
    /// Signed tokens.
    Jwt(Arc<JwtProvider>),
    /// API keys.
    ApiKey(ApiKeyProvider),
    /// Client certificates that the HTTPS listener has verified.
    Certificate(CertificateProvider),
    /// Signed requests.
    Signature(Arc<SignatureProvider>),
    /// People who have logged in, by the cookie of their session.
    Session,
}

impl Provider {
    /// The zones that its callers may be in; empty if it admits nobody.
    pub fn zones(&self) -> Vec<Zone> {
        match self {
            Self::Jwt(jwt) if matches!(jwt.keys, JwtKeys::Own) => vec![jwt.zone, jwt.service_zone],
            Self::Jwt(jwt) => vec![jwt.zone],
            Self::ApiKey(keys) => keys.keys.iter().map(|key| key.zone).chain(keys.stored).collect(),
            Self::Certificate(certificates) => {
                certificates.clients.iter().map(|client| client.zone).collect()
            }
            Self::Signature(signatures) => signatures.keys.iter().map(|key| key.zone).collect(),
            Self::Session => vec![Zone::default()],
        }
    }

    /// Whether it lets in API keys that stand in the store.
    pub fn has_stored_keys(&self) -> bool {
        matches!(self, Self::ApiKey(keys) if keys.stored.is_some())
    }
}

/// JSON Web Tokens of one issuer (RFC 7519, RFC 8725).
#[derive(Debug)]
pub struct JwtProvider {
    /// The only `iss` accepted.
    pub issuer: String,
    /// A token must name at least one of these in `aud`.
    pub audiences: Vec<String>,
    /// Where the keys are.
    pub keys: JwtKeys,
    /// The only `alg` values accepted.
    pub algorithms: Vec<Algorithm>,
    /// The only `typ` values accepted, compared without case and without `application/`. A token without
    /// `typ` is accepted only if `JWT` is among them.
    pub types: Vec<String>,
    /// How far clocks may differ for `exp` and `nbf`. Default 30 s.
    pub leeway: Duration,
    /// The longest token read, in bytes. Default 8192.
    pub max_bytes: usize,
    /// Which header carries it. Default `authorization`, where the scheme `Bearer` is expected; any other
    /// header holds the bare token.
    pub header: http::HeaderName,
    /// Which claims are read.
    pub claims: ClaimNames,
    /// What its subjects are in policies. Default users.
    pub principal: CallerType,
    /// The zone its subjects call from. Default public.
    pub zone: Zone,
    /// The zone that services of the gateway itself call from, whose tokens these are. Default what `zone` is.
    pub service_zone: Zone,
    /// What is asked of the holder of a token besides having it.
    pub dpop: Dpop,
}

/// Where verification keys come from.
#[derive(Debug)]
pub enum JwtKeys {
    /// A JWK set (RFC 7517) fetched in the background.
    JwksUrl {
        /// `https:`, or `http:` on loopback.
        url: String,
        /// Extra authorities (PEM) for that fetch.
        ca: Option<PathBuf>,
        /// How often it is fetched again. Default 10 min.
        refresh: Duration,
    },
    /// A JWK set in a file, read again when it changes.
    JwksFile(PathBuf),
    /// One shared secret of at least 32 bytes, for HS256/384/512.
    Secret(SecretString),
    /// Those of the gateway itself, for tokens that it has issued.
    Own,
}

/// Signature algorithms (RFC 7518, RFC 8037). There is no `none`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[expect(missing_docs, reason = "the names are those of RFC 7518")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// Which claims say what. Values may be a string (space-separated where a list is meant) or an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// The subject. Default `sub`.
    pub subject: ClaimSource,
    /// Grants. Default `permissions` and `scope`; all that are present count.
    pub permissions: Vec<ClaimSource>,
    /// Roles. Default `roles`.
    pub roles: ClaimSource,
    /// The organisation. Default `org_id`.
    pub organization: ClaimSource,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            permissions: vec!["permissions".into(), "scope".into()],
            roles: "roles".into(),
            organization: "org_id".into(),
        }
    }
}

/// API keys, kept as hashes.
#[derive(Debug)]
pub struct ApiKeyProvider {
    /// The header that carries the key.
    pub header: http::HeaderName,
    /// The keys that are written here.
    pub keys: Vec<ApiKey>,
    /// The zone that holders of keys in the store call from; `None`: such keys are refused.
    pub stored: Option<Zone>,
}

/// One API key. The key itself is known only to its holder.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its name: the principal's id.
    pub name: Name,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// What it may do.
    pub permissions: Vec<Grant>,
    /// Roles it holds.
    pub roles: Vec<Name>,
    /// Whom it acts for.
    pub organization: Option<OrganizationId>,
    /// The zone it calls from. Default the provider's, which is public by default.
    pub zone: Zone,
}

/// Client certificates.
#[derive(Debug, Clone)]
pub struct CertificateProvider {
    /// Which kind of subject alternative name identifies the client.
    pub name: SubjectAlternativeName,
    /// The names that are accepted and what each may do; a certificate with another name is refused.
    pub clients: Vec<CertificateClient>,
}

/// A client known by its certificate.
#[derive(Debug, Clone)]
pub struct CertificateClient {
    /// The subject alternative name, exact (`spiffe://shop.test/billing`, `billing.shop.test`).
    pub san: String,
    /// What it may do.
    pub permissions: Vec<Grant>,
    /// Roles it holds.
    pub roles: Vec<Name>,
    /// Whom it acts for.
    pub organization: Option<OrganizationId>,
    /// The zone it calls from. Default the provider's, which is public by default.
    pub zone: Zone,
}

/// Kinds of subject alternative name (RFC 5280, section 4.2.1.6).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SubjectAlternativeName {
    /// `uniformResourceIdentifier`, as SPIFFE uses it.
    #[default]
    Uri,
    /// `dNSName`.
    Dns,
    /// `rfc822Name`.
    Email,
}

/// Somebody with a token of their own for the admin API. The token itself is known only to them.
#[derive(Debug, Clone)]
pub struct Operator {
    /// What the audit trail calls them.
    pub name: Name,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
}

/// A named set of grants.
#[derive(Debug, Clone)]
pub struct Role {
    /// Its name, as tokens and keys mention it.
    pub name: Name,
    /// Where it stands in the file.
    pub line: Line,
    /// What it grants.
    pub grants: Vec<Grant>,
}
