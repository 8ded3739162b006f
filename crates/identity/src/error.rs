//! What may go wrong: with the configuration ([`IdentityError`]), with a credential
//! ([`AuthenticationError`], [`InvalidReason`]).

use std::{error::Error, path::PathBuf};

use bartizan_model::Name;

/// Why an [`crate::Authenticator`] cannot be made, or a route's `auth` cannot be resolved. The operator's to fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A route names a provider that `identity:` does not have.
    #[error("`{0}` is not an entry of `identity`")]
    UnknownProvider(Name),
    /// Another configuration changes what the tokens that were issued depend on.
    #[error(
        "`accounts.tokens.{0}` changes with a restart only, for every token that was issued depends on it: put back what it was, or restart the gateway"
    )]
    TokensChanged(&'static str),
    /// Two token providers of one route look for tokens of the same issuer in the same header.
    #[error(
        "`{0}` and `{1}` read the same header and trust the same issuer: list only one of them in `auth`"
    )]
    SameIssuer(Name, Name),
    /// Two entries give the same API key or certificate name to different clients.
    #[error("`{provider}` gives `{first}` and `{second}` the same credential: every client needs its own")]
    SameCredential {
        /// The entry of `identity`.
        provider: Name,
        /// The earlier client.
        first: String,
        /// The later client.
        second: String,
    },
    /// The JWK set URL is neither `https:` nor `http:` on loopback.
    #[error("`{provider}` fetches keys from `{url}`: use `https:`, or `http:` on a loopback address")]
    InsecureUrl {
        /// The entry of `identity`.
        provider: Name,
        /// The URL.
        url: String,
    },
    /// A file that holds keys or authorities cannot be read.
    #[error("`{provider}` cannot read `{}`: {source}", path.display())]
    File {
        /// The entry of `identity`.
        provider: Name,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A JWK set file does not hold a JWK set, or none of its keys can be used (the log says why).
    #[error("`{provider}` cannot take keys from `{}`: {source}", path.display())]
    KeyFile {
        /// The entry of `identity`.
        provider: Name,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: JwksError,
    },
    /// The HTTP client for a JWK set cannot be made; usually a `ca` file without certificates.
    #[error("`{provider}` cannot prepare to fetch keys: {}", with_causes(source))]
    Client {
        /// The entry of `identity`.
        provider: Name,
        /// Why not.
        source: reqwest::Error,
    },
    /// A shared secret shorter than the hash of its algorithm (RFC 7518, section 3.2).
    #[error("the secret of `{provider}` has {length} bytes: {algorithm} needs at least {least}")]
    ShortSecret {
        /// The entry of `identity`.
        provider: Name,
        /// The algorithm.
        algorithm: &'static str,
        /// What it has.
        length: usize,
        /// What it needs.
        least: usize,
    },
    /// A key that signs or verifies requests cannot be used.
    #[error("the key `{key}` of `{provider}`: {source}")]
    SignatureKey {
        /// The entry of `identity`.
        provider: Name,
        /// The id of the key.
        key: String,
        /// Why not.
        source: crate::SignatureKeyError,
    },
    /// An API key prefix with unsuitable characters.
    #[error("`{0}` cannot start an API key: use 1 to 32 letters, digits, `-` or `_`")]
    KeyPrefix(String),
    /// The operating system gives no random bytes.
    #[error("no random bytes to make a key of")]
    Random,
    /// A webhook that nothing can be posted to.
    #[error("nothing can be posted to `{url}`: {reason}")]
    Webhook {
        /// Where it is.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Why a document is not a usable JWK set (RFC 7517).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// Nothing answered, or not in time.
    #[error("cannot be fetched: {}", with_causes(.0))]
    Fetch(#[source] reqwest::Error),
    /// The answer was not 200.
    #[error("answered {0} instead of 200")]
    Status(http::StatusCode),
    /// The document is longer than 1 MiB.
    #[error("longer than {} bytes", crate::key_source::MAX_BYTES)]
    TooLong,
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// Not JSON, or JSON with duplicate members.
    #[error("not JSON that can be trusted: {0}")]
    Json(String),
    /// No array `keys`.
    #[error("not a JWK set: an object with an array `keys` is expected")]
    NotASet,
    /// A set without a key that can be used. The log says what is wrong with each.
    #[error("it holds no key that can be used")]
    NoKey,
    /// More keys than anybody needs.
    #[error("more than {} keys", crate::key::MAX_KEYS)]
    TooManyKeys,
}

/// `reqwest` says what it was doing, and only its causes say what went wrong.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Why a request could not be authenticated. The client learns only which of the three it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// No credential of any of the route's providers was presented.
    #[error("no credential presented")]
    Missing,
    /// The presented credential is not valid.
    #[error("credential refused by `{provider}`: {reason}")]
    Invalid {
        /// The entry of `identity` that refused it.
        provider: Name,
        /// Why: for the trace and the log, not for the client.
        reason: InvalidReason,
    },
    /// It cannot be remembered that the credential was used, so it cannot be accepted.
    #[error("`{provider}` has no room to remember another nonce: `max_nonces`")]
    Exhausted {
        /// The entry of `identity`.
        provider: Name,
    },
    /// It cannot be remembered that the token's proof was used, so it cannot be accepted.
    #[error(
        "`{provider}` has no room to remember another proof, of this key (`dpop.max_proofs`) or of all together"
    )]
    NoRoomForProof {
        /// The entry of `identity`.
        provider: Name,
    },
    /// What it is checked with is missing: keys that were never obtained, a store that does not answer.
    #[error("`{provider}` has nothing to check it with")]
    Unavailable {
        /// The entry of `identity`.
        provider: Name,
    },
    /// Not decided yet: [`crate::Authenticator::look_up`] asks the store.
    #[error("the session is not remembered")]
    Unread(crate::UnreadSession),
}

/// What is wrong with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each variant says what it means")]
pub enum InvalidReason {
    #[error("the header occurs more than once")]
    Ambiguous,
    #[error("longer than allowed")]
    TooLong,
    #[error("not three base64url parts separated by dots")]
    Form,
    #[error("the token header is not a JSON object with unique members")]
    Header,
    #[error("the algorithm is not allowed")]
    Algorithm,
    #[error("the token type is not allowed")]
    Type,
    #[error("the token header has a critical extension")]
    Critical,
    #[error("the token header brings or names its own key, or an encoding that is not supported")]
    HeaderParameter,
    #[error("the key id is not 1 to 256 bytes of text")]
    KeyId,
    #[error("no key fits")]
    UnknownKey,
    #[error("several keys fit and the token names none")]
    AmbiguousKey,
    #[error("the signature does not match")]
    Signature,
    #[error("the claims are not a JSON object with unique members")]
    Claims,
    #[error("the issuer is missing or not the expected one")]
    Issuer,
    #[error("the audience is missing or not the expected one")]
    Audience,
    #[error("the expiry is missing or not a number")]
    Expiry,
    #[error("expired")]
    Expired,
    #[error("not valid yet, or `nbf` is not a number")]
    NotYetValid,
    #[error("issued in the future, or `iat` is not a number")]
    IssuedInFuture,
    #[error("`auth_time` is not a number, or lies in the future")]
    AuthTime,
    #[error("the subject is missing, too long or holds control characters")]
    Subject,
    #[error("the organisation is not a text, too long or holds control characters")]
    Organization,
    #[error("permissions or roles are not text, or too many")]
    Permissions,
    #[error("the API key is not 16 to 256 bytes")]
    KeyLength,
    #[error("the API key is unknown")]
    UnknownApiKey,
    #[error("the API key has expired, or another has taken its place")]
    KeyExpired,
    #[error("the API key is suspended")]
    KeySuspended,
    #[error("the API key may not be used from this address")]
    KeyAddress,
    #[error("the owner of the API key is disabled, suspended or gone")]
    KeyOwner,
    #[error("`Signature-Input` and `Signature` cannot be read, or do not belong together")]
    SignatureFields,
    #[error("more signatures than are looked at")]
    TooManySignatures,
    #[error("the signature covers more components than are looked at")]
    TooManyComponents,
    #[error("the signature covers something that cannot be verified from a request")]
    Component,
    #[error("the signature covers something that the request does not have")]
    MissingComponent,
    #[error("the signature does not cover all that it must")]
    Coverage,
    #[error("the tag is not the expected one")]
    Tag,
    #[error("the time of the signature is missing or not a number")]
    Created,
    #[error("signed in the future")]
    CreatedInFuture,
    #[error("signed too long ago")]
    TooOld,
    #[error("the nonce is missing")]
    Nonce,
    #[error("the nonce was used before")]
    Replay,
    #[error("signed before this gateway began to remember nonces")]
    BeforeMemory,
    #[error("`Content-Digest` names no SHA-256 or SHA-512 digest")]
    ContentDigest,
    #[error("the content is not what was signed")]
    Content,
    #[error("there is content that was not signed")]
    UnsignedContent,
    #[error("the certificate names no known client")]
    UnknownCertificate,
    #[error("the certificate names several known clients")]
    AmbiguousCertificate,
    #[error("what the token is bound to is not understood")]
    Confirmation,
    #[error("the token is bound to a certificate that the connection does not have")]
    OtherCertificate,
    #[error("{0}")]
    Dpop(crate::DpopError),
    #[error("the token has been revoked")]
    Revoked,
    #[error("the session has ended, or never was")]
    UnknownSession,
}
