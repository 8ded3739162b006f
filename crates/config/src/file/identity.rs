//! `identity:`.

use std::{path::PathBuf, time::Duration};

use bartizan_model::{Grant, Name, Zone};
use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Dpop;
use crate::{
    Algorithm, ClaimSource, NoncePolicy, SignatureAlgorithm, SignatureComponent, SignatureProfile,
    SubjectAlternativeName,
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::{ByteSize, KeyHash, Secret, SigningSecret, Url},
};

/// One kind of proof.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "IdentityProvider")]
pub(crate) enum Provider {
    /// Signed tokens of one issuer (JSON Web Tokens, RFC 7519).
    Jwt(Box<Jwt>),
    /// API keys, known here by their hashes.
    ApiKey(ApiKeys),
    /// Client certificates that the HTTPS listener has verified. Needs `tls.client_ca`.
    Certificate(Certificates),
    /// Requests signed by their sender (RFC 9421), with keys known here.
    Signature(Box<Signatures>),
    /// People who have logged in (see `accounts`), by the cookie of their session.
    Session(Session),
    /// Access tokens that this gateway has issued (see `accounts.tokens`).
    Token(OwnTokens),
}

/// People who have logged in. Needs `accounts`, where everything about them is said.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Session {}

/// Access tokens that this gateway has issued. Needs `accounts.tokens`.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OwnTokens {
    /// Which of `accounts.tokens.resources` a token must be for. Default: any of them.
    pub(crate) resources: Optional<Vec<At<Parsed<Url>>>>,
    /// What is asked of the holder of a token besides having it.
    pub(crate) dpop: Optional<Dpop>,
    /// The zone its subjects call from.
    #[schemars(extend("default" = "public"))]
    pub(crate) zone: Optional<Parsed<Zone>>,
    /// The zone that services call from (`bartizan service`), as long as they act for themselves. Default: what `zone` says.
    pub(crate) service_zone: Optional<Parsed<Zone>>,
}

/// JSON Web Tokens of one issuer (RFC 7519, RFC 8725). `exp`, `iss` and `aud` are always required.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Jwt {
    /// The only `iss` accepted, compared exactly.
    pub(crate) issuer: At<Parsed<String>>,
    /// A token must name at least one of these in `aud`.
    pub(crate) audience: At<Parsed<OneOrMany<String>>>,
    /// Where the public keys are: an `https:` URL of a JWK set (`http:` on loopback only), or a file. Either
    /// this or `secret`.
    #[serde(default)]
    #[schemars(with = "Parsed<String>", extend("examples" = ["https://id.shop.test/jwks", "./jwks.json"]))]
    pub(crate) jwks: Optional<Parsed<String>>,
    /// A secret shared with the issuer, for HS256, HS384 and HS512: at least 32, 48 or 64 bytes.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<Secret>>,
    /// The only signature algorithms accepted. Default: every asymmetric one with `jwks`, HS256 with `secret`.
    #[serde(default)]
    pub(crate) algorithms: Optional<Vec<At<Algorithm>>>,
    /// The only `typ` values accepted, without `application/`. A token without `typ` counts as `JWT`.
    #[serde(default)]
    #[schemars(extend("default" = ["JWT", "at+jwt"]))]
    pub(crate) types: Optional<Vec<At<Parsed<String>>>>,
    /// How far the clocks of issuer and gateway may differ.
    #[serde(default)]
    #[schemars(extend("default" = "30s"))]
    pub(crate) leeway: Optional<Parsed<Duration>>,
    /// The longest token that is read.
    #[serde(default)]
    #[schemars(extend("default" = "8KiB"))]
    pub(crate) max_bytes: Optional<Parsed<ByteSize>>,
    /// The header that carries the token. In `authorization` the scheme `Bearer` is expected; any other header
    /// holds the bare token.
    #[serde(default)]
    #[schemars(extend("default" = "authorization"))]
    pub(crate) header: Optional<Parsed<HeaderName>>,
    /// What is asked of the holder of a token besides having it.
    #[serde(default)]
    pub(crate) dpop: Optional<Dpop>,
    /// Which claims are read.
    #[serde(default)]
    pub(crate) claims: Optional<Claims>,
    /// What its subjects are in policies.
    #[serde(default)]
    #[schemars(extend("default" = "user"))]
    pub(crate) principal: Optional<TokenPrincipal>,
    /// The zone its subjects call from.
    #[serde(default)]
    #[schemars(extend("default" = "public"))]
    pub(crate) zone: Optional<Parsed<Zone>>,
    /// Authorities (PEM) to trust besides the system's when the key set is fetched.
    #[serde(default)]
    pub(crate) ca: Optional<Parsed<PathBuf>>,
    /// How often the key set is fetched again.
    #[serde(default)]
    #[schemars(extend("default" = "10min"))]
    pub(crate) refresh: Optional<Parsed<Duration>>,
}

/// What the subjects of tokens are in policies.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenPrincipal {
    /// People: `User`.
    User,
    /// Machines: `Service`.
    Service,
}

/// Which claims of a token are read: by name; where one is inside another, by JSON Pointer (RFC 6901): `/realm_access/roles`;
/// or by an expression (`JMESPath`): `jmespath:groups[?starts_with(@, 'shop-')]`. Where a list is meant, a text separated by
/// spaces is read too.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Claims {
    /// The subject.
    #[schemars(extend("default" = "sub"))]
    pub(crate) subject: Optional<Parsed<ClaimSource>>,
    /// Grants; all of these that a token has count.
    #[schemars(extend("default" = ["permissions", "scope"]))]
    pub(crate) permissions: Optional<Parsed<OneOrMany<ClaimSource>>>,
    /// Roles.
    #[schemars(extend("default" = "roles"))]
    pub(crate) roles: Optional<Parsed<ClaimSource>>,
    /// The organisation.
    #[schemars(extend("default" = "org_id"))]
    pub(crate) organization: Optional<Parsed<ClaimSource>>,
    /// Claims that the issuer lets its users write themselves, such as their profile: none of the claims above may be one
    /// of them or inside one, and no expression may read one. Those of well-known providers (`user_metadata`, `unsafe_metadata`) always are.
    pub(crate) user_writable: Optional<Vec<At<Parsed<String>>>>,
}

/// API keys.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ApiKeys {
    /// The header that carries the key.
    #[schemars(extend("default" = "x-api-key"))]
    pub(crate) header: Optional<Parsed<HeaderName>>,
    /// The zone that holders call from, unless the key says otherwise.
    #[schemars(extend("default" = "public"))]
    pub(crate) zone: Optional<Parsed<Zone>>,
    /// The keys that are written here.
    #[schemars(extend("default" = []))]
    pub(crate) keys: Optional<Vec<At<ApiKey>>>,
    /// Whether keys that are kept in the store (`bartizan key create`) are accepted, too. Needs `accounts`.
    #[schemars(extend("default" = false))]
    pub(crate) store: Optional<bool>,
}

/// One API key. The key itself is known only to its holder.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiKey {
    /// Who holds it, in logs and policies.
    pub(crate) name: At<Parsed<Name>>,
    /// The SHA-256 of the key.
    pub(crate) hash: At<Parsed<KeyHash>>,
    /// What it may do.
    #[serde(default)]
    pub(crate) permissions: Optional<Vec<At<Parsed<Grant>>>>,
    /// Roles it holds.
    #[serde(default)]
    pub(crate) roles: Optional<Vec<At<Parsed<Name>>>>,
    /// Whom it acts for.
    #[serde(default)]
    pub(crate) organization: Optional<Parsed<String>>,
    /// The zone it calls from.
    #[serde(default)]
    pub(crate) zone: Optional<Parsed<Zone>>,
}

/// Clients known by their certificates.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Certificates {
    /// Which kind of subject alternative name identifies a client.
    #[serde(default)]
    #[schemars(extend("default" = "uri"))]
    pub(crate) name: Optional<SubjectAlternativeName>,
    /// The zone that clients call from, unless the client says otherwise.
    #[serde(default)]
    #[schemars(extend("default" = "public"))]
    pub(crate) zone: Optional<Parsed<Zone>>,
    /// The clients; a certificate with another name is refused.
    pub(crate) clients: At<Vec<At<CertificateClient>>>,
}

/// A client known by its certificate.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateClient {
    /// The subject alternative name, exact.
    #[schemars(extend("examples" = ["spiffe://shop.test/billing", "billing.shop.test"]))]
    pub(crate) san: At<Parsed<String>>,
    /// What it may do.
    #[serde(default)]
    pub(crate) permissions: Optional<Vec<At<Parsed<Grant>>>>,
    /// Roles it holds.
    #[serde(default)]
    pub(crate) roles: Optional<Vec<At<Parsed<Name>>>>,
    /// Whom it acts for.
    #[serde(default)]
    pub(crate) organization: Optional<Parsed<String>>,
    /// The zone it calls from.
    #[serde(default)]
    pub(crate) zone: Optional<Parsed<Zone>>,
}

/// Signed requests. What is signed cannot be changed on the way, and a nonce cannot be used twice.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signatures {
    /// How requests are signed: `rfc9421` (`Signature-Input` and `Signature`), or `legacy` (`X-Signature`,
    /// `X-Timestamp` and `X-Nonce`: HMAC-SHA256 over method, target, body, timestamp and nonce).
    #[serde(default)]
    #[schemars(extend("default" = "rfc9421"))]
    pub(crate) profile: Optional<SignatureProfile>,
    /// The keys of those who may sign; a request that names another is refused.
    pub(crate) keys: At<Vec<At<SignatureKey>>>,
    /// What every signature must cover. A request whose signature does not cover `content-digest` although it is
    /// listed must have no content. Not in the profile `legacy`, which always covers the same.
    #[serde(default)]
    #[schemars(extend("default" = ["@method", "@target-uri", "content-digest"]))]
    pub(crate) components: Optional<Vec<At<Parsed<SignatureComponent>>>>,
    /// How old a signature may be, at most 1 h.
    #[serde(default)]
    #[schemars(extend("default" = "5min"))]
    pub(crate) window: Optional<Parsed<Duration>>,
    /// Whether a signature must carry a nonce. One that is there is never accepted twice.
    #[serde(default)]
    #[schemars(extend("default" = "required"))]
    pub(crate) nonce: Optional<NoncePolicy>,
    /// How many nonces are remembered for each key, for as long as `window`. Where there is room for no more, the
    /// key's requests are answered 503.
    #[serde(default)]
    #[schemars(extend("default" = 100_000))]
    pub(crate) max_nonces: Optional<Parsed<u32>>,
    /// The only `tag` accepted. Without it any, or none.
    #[serde(default)]
    pub(crate) tag: Optional<Parsed<String>>,
    /// The zone that signers call from, unless the key says otherwise.
    #[serde(default)]
    #[schemars(extend("default" = "public"))]
    pub(crate) zone: Optional<Parsed<Zone>>,
}

/// Somebody who may sign, known by a key: `public_key` or `secret`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureKey {
    /// What requests call the key (`keyid`, or `X-Key-Id` in the profile `legacy`), and its holder in logs and
    /// policies.
    pub(crate) id: At<Parsed<String>>,
    /// The algorithm of its signatures, whatever a request says.
    pub(crate) algorithm: At<SignatureAlgorithm>,
    /// The file with the public key (PEM).
    #[serde(default)]
    pub(crate) public_key: Optional<Parsed<PathBuf>>,
    /// The secret shared with the sender, for `hmac-sha256`: text, or `base64:` and the base64 of its bytes.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<SigningSecret>>,
    /// What its holder may do.
    #[serde(default)]
    pub(crate) permissions: Optional<Vec<At<Parsed<Grant>>>>,
    /// Roles its holder has.
    #[serde(default)]
    pub(crate) roles: Optional<Vec<At<Parsed<Name>>>>,
    /// Whom its holder acts for.
    #[serde(default)]
    pub(crate) organization: Optional<Parsed<String>>,
    /// The zone its holder calls from.
    #[serde(default)]
    pub(crate) zone: Optional<Parsed<Zone>>,
}
