//! Signed requests: who may sign, what a signature must cover, and how the gateway signs itself.

use std::{fmt, path::PathBuf, time::Duration};

use bartizan_model::{Grant, Name, OrganizationId, Zone};
use http::HeaderName;
use secrecy::{ExposeSecret, SecretSlice};

/// Requests signed by their sender.
#[derive(Debug)]
pub struct SignatureProvider {
    /// How a request is signed.
    pub profile: SignatureProfile,
    /// The keys that exist; their ids differ.
    pub keys: Vec<SignatureKey>,
    /// What every signature must cover. Empty in [`SignatureProfile::Legacy`], which always covers the same.
    pub components: Vec<SignatureComponent>,
    /// How old a signature may be. Default 5 min.
    pub window: Duration,
    /// Whether a signature must carry a nonce. One that is there is never accepted twice. Default required.
    pub nonce: NoncePolicy,
    /// How many nonces are remembered for each key; where there is room for no more, requests are refused. Default
    /// 100 000.
    pub max_nonces: usize,
    /// The only `tag` accepted (RFC 9421, section 2.3); `None`: any, or none.
    pub tag: Option<String>,
}

/// How requests are signed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SignatureProfile {
    /// HTTP Message Signatures (RFC 9421): `Signature-Input` and `Signature`.
    #[default]
    Rfc9421,
    /// HMAC-SHA256 over method, target, body, timestamp and nonce: `X-Signature`, `X-Timestamp` and `X-Nonce`.
    Legacy,
}

/// Whether a signature must carry a nonce.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NoncePolicy {
    /// A signature without a nonce is refused.
    #[default]
    Required,
    /// A signature without a nonce can be replayed as long as it is valid. Not with the profile `legacy`.
    Optional,
}

/// Signature algorithms (RFC 9421, section 6.2.2).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub enum SignatureAlgorithm {
    /// `EdDSA` using curve edwards25519.
    #[serde(rename = "ed25519")]
    Ed25519,
    /// ECDSA using curve P-256 and SHA-256.
    #[serde(rename = "ecdsa-p256-sha256")]
    EcdsaP256Sha256,
    /// ECDSA using curve P-384 and SHA-384.
    #[serde(rename = "ecdsa-p384-sha384")]
    EcdsaP384Sha384,
    /// RSASSA-PSS using SHA-512.
    #[serde(rename = "rsa-pss-sha512")]
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 using SHA-256.
    #[serde(rename = "rsa-v1_5-sha256")]
    RsaV15Sha256,
    /// HMAC using SHA-256.
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
}

impl SignatureAlgorithm {
    /// Its name in the registry of RFC 9421.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::HmacSha256 => "hmac-sha256",
        }
    }
}

/// A sender known by its key.
#[derive(Debug, Clone)]
pub struct SignatureKey {
    /// What requests call it (`keyid`): the principal's id.
    pub id: String,
    /// The only algorithm it verifies, whatever a request says.
    pub algorithm: SignatureAlgorithm,
    /// The key.
    pub material: VerifyingMaterial,
    /// What its holder may do.
    pub permissions: Vec<Grant>,
    /// Roles its holder has.
    pub roles: Vec<Name>,
    /// Whom its holder acts for.
    pub organization: Option<OrganizationId>,
    /// The zone its holder calls from. Default the provider's, which is public by default.
    pub zone: Zone,
}

/// What signatures are verified with.
#[derive(Debug, Clone)]
pub enum VerifyingMaterial {
    /// A file with the public key (PEM, `SubjectPublicKeyInfo`).
    PublicKey(PathBuf),
    /// A shared secret of at least 32 bytes, for HMAC.
    Secret(SecretSlice<u8>),
}

/// What the gateway signs requests to an upstream with (RFC 9421).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSigning {
    /// What the upstream knows the key by (`keyid`).
    pub id: String,
    /// The algorithm.
    pub algorithm: SignatureAlgorithm,
    /// The key.
    pub material: SigningMaterial,
    /// What is covered, as far as a request has it.
    pub components: Vec<SignatureComponent>,
    /// The `tag` to say (RFC 9421, section 2.3).
    pub tag: Option<String>,
}

/// What signatures are made with.
#[derive(Debug, Clone)]
pub enum SigningMaterial {
    /// A file with the private key (PEM, PKCS #8).
    PrivateKey(PathBuf),
    /// A shared secret of at least 32 bytes, for HMAC.
    Secret(SecretSlice<u8>),
}

impl PartialEq for SigningMaterial {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::PrivateKey(path), Self::PrivateKey(other)) => path == other,
            // Both are the operator's; neither is a guess of somebody who could learn from how long this takes.
            (Self::Secret(secret), Self::Secret(other)) => secret.expose_secret() == other.expose_secret(),
            _ => false,
        }
    }
}

impl Eq for SigningMaterial {}

/// A part of a request that a signature can cover as a whole (RFC 9421, sections 2.1 and 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SignatureComponent {
    /// `@method`.
    Method,
    /// `@target-uri`: scheme, authority, path and query.
    TargetUri,
    /// `@authority`.
    Authority,
    /// `@scheme`.
    Scheme,
    /// `@path`.
    Path,
    /// `@query`.
    Query,
    /// A header field, with all its values.
    Field(HeaderName),
}

impl SignatureComponent {
    /// The derived ones.
    pub(crate) const DERIVED: [Self; 6] =
        [Self::Method, Self::TargetUri, Self::Authority, Self::Scheme, Self::Path, Self::Query];

    /// `Content-Digest` (RFC 9530), which stands for the content.
    pub const CONTENT_DIGEST: Self = Self::Field(HeaderName::from_static("content-digest"));

    /// Its name, as signatures write it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Method => "@method",
            Self::TargetUri => "@target-uri",
            Self::Authority => "@authority",
            Self::Scheme => "@scheme",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::Field(name) => name.as_str(),
        }
    }
}

impl fmt::Display for SignatureComponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
