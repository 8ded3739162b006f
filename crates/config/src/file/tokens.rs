//! `accounts.tokens:` and `dpop:`.

use std::{num::NonZeroU32, time::Duration};

use bartizan_model::Grant;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Cors, Entries};
use crate::{
    forms::{OneOrMany, Parsed},
    located::{At, Optional},
    word::{KeyHash, Secret, Url},
};

/// Tokens that the gateway issues itself, as an OAuth 2.0 authorization server: access tokens (RFC 9068), refresh tokens,
/// and ID tokens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tokens {
    /// The `iss` of every token: the URL under which clients reach this gateway, with the prefix of accounts or without
    /// any path. `https:`, or `http:` on loopback.
    #[schemars(extend("examples" = ["https://id.shop.test"]))]
    pub(crate) issuer: At<Parsed<Url>>,
    /// What the private keys are encrypted with in the store: at least 32 bytes, the same for every gateway of the store. Of a
    /// list the first encrypts, and all decrypt.
    pub(crate) secret: At<Parsed<OneOrMany<Secret>>>,
    /// What new tokens are signed with where neither `resource_algorithms` nor the client says something else. Keys are
    /// made by the gateway.
    #[serde(default)]
    #[schemars(extend("default" = "EdDSA"))]
    pub(crate) algorithm: Optional<TokenAlgorithm>,
    /// What tokens may be for: URLs that clients name as `resource` (RFC 8707). The first is meant where they name none.
    /// Default: the issuer.
    #[serde(default)]
    pub(crate) resources: Optional<Vec<At<Parsed<Url>>>>,
    /// What access tokens for some of the `resources` are signed with instead, for services that know nothing else. Of
    /// several the first that is named here counts.
    #[serde(default)]
    #[schemars(extend("examples" = [{ "https://legacy.shop.test": "RS256" }]))]
    pub(crate) resource_algorithms: Optional<Entries<TokenAlgorithm, Url>>,
    /// How long an access token lasts: up to 1 h.
    #[serde(default)]
    #[schemars(extend("default" = "15min"))]
    pub(crate) access: Optional<Parsed<Duration>>,
    /// How long a refresh token lasts that is not used.
    #[serde(default)]
    #[schemars(extend("default" = "7d"))]
    pub(crate) refresh: Optional<Parsed<Duration>>,
    /// How long the tokens that came from one authorisation last, however often they are renewed.
    #[serde(default)]
    #[schemars(extend("default" = "30d"))]
    pub(crate) absolute: Optional<Parsed<Duration>>,
    /// How long a refresh token that was used still gets the same successor, for answers that were lost: up to 1 min.
    /// Afterwards its use ends the whole authorisation.
    #[serde(default)]
    #[schemars(extend("default" = "10s"))]
    pub(crate) grace: Optional<Parsed<Duration>>,
    /// Authorisations of one person at once; a further one ends the oldest.
    #[serde(default)]
    #[schemars(extend("default" = 5))]
    pub(crate) at_most: Optional<Parsed<NonZeroU32>>,
    /// How long access tokens count while the store does not say what has been revoked: 5 s to 1 h. Afterwards they get 503
    /// until it does. With as much as `access` they count until they end.
    #[serde(default)]
    #[schemars(extend("default" = "30s"))]
    pub(crate) stale_after: Optional<Parsed<Duration>>,
    /// How often another key signs: at least a day.
    #[serde(default)]
    #[schemars(extend("default" = "30d"))]
    pub(crate) rotate_keys: Optional<Parsed<Duration>>,
    /// Where people are sent to log in, with `return_to` added to the query. Without it the client is told that they
    /// must (`login_required`).
    #[serde(default)]
    pub(crate) login_page: Optional<Parsed<Url>>,
    /// Whether a `DPoP` proof at the token endpoint must hold a nonce of this gateway (RFC 9449, section 8), so that none
    /// can be made beforehand.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) dpop_nonce: Optional<Parsed<bool>>,
    /// Origins whose pages may ask for tokens by themselves (CORS): single-page applications that are served elsewhere. For
    /// `token`, `refresh`, `service`, `userinfo`, `revoke`, `jwks` and the metadata, and never with cookies.
    #[serde(default)]
    #[schemars(extend("default" = "same-origin", "examples" = [["https://app.shop.test"]]))]
    pub(crate) cors: Optional<Parsed<Cors>>,
    /// Applications that may ask for tokens, by their `client_id`.
    #[serde(default)]
    pub(crate) clients: Optional<Entries<TokenClient>>,
}

/// What tokens are signed with (RFC 7518, RFC 8037).
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum TokenAlgorithm {
    /// Ed25519.
    EdDSA,
    /// ECDSA with P-256 and SHA-256.
    ES256,
    /// RSA with 3072 bits and SHA-256, for clients that know nothing else.
    RS256,
}

/// An application that may ask for tokens.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenClient {
    /// The SHA-256 of its secret, for one that can keep a secret. Without it the client proves nothing but PKCE.
    #[serde(default)]
    pub(crate) secret: Optional<Parsed<KeyHash>>,
    /// Where people may be sent back to, compared exactly: `https:` URLs, `http:` on loopback, or URLs with a scheme of
    /// the application's own that has a dot in it. The port of `127.0.0.1` and `[::1]` may be any (RFC 8252).
    #[serde(default)]
    pub(crate) redirect_uris: Optional<Vec<At<Parsed<String>>>>,
    /// Where people may be sent after a logout that the application began, of the same forms.
    #[serde(default)]
    pub(crate) post_logout_redirect_uris: Optional<Vec<At<Parsed<String>>>>,
    /// What its tokens may do at most. Without it whatever the person may.
    #[serde(default)]
    pub(crate) scopes: Optional<Vec<At<Parsed<Grant>>>>,
    /// What its ID tokens and, where no resource says something else, its access tokens are signed with. Default: what
    /// those of others are.
    #[serde(default)]
    pub(crate) algorithm: Optional<TokenAlgorithm>,
    /// What it may do by itself, without a person (client credentials). Needs a `secret`.
    #[serde(default)]
    pub(crate) permissions: Optional<Vec<At<Parsed<Grant>>>>,
    /// Whether it may exchange tokens that it was called with for others to call on with (RFC 8693). Needs a `secret`.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) exchange: Optional<Parsed<bool>>,
    /// Whether its tokens must be bound to a key of its own (RFC 9449).
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) dpop: Optional<Parsed<bool>>,
    /// Whether its tokens are bound to the certificate of its connection (RFC 8705). Needs `tls.client_ca`.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub(crate) certificate_bound: Optional<Parsed<bool>>,
}

/// What is asked of the holder of a token besides having it (`DPoP`, RFC 9449). A token that is bound to a key or a
/// certificate is accepted with a proof only, whatever stands here.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dpop {
    /// Whether tokens that are bound to nothing are refused.
    #[schemars(extend("default" = false))]
    pub(crate) required: Optional<Parsed<bool>>,
    /// Whether a proof must hold a nonce of this gateway, so that none can be made beforehand. Several gateways must have
    /// `accounts.tokens` with one secret for it.
    #[schemars(extend("default" = false))]
    pub(crate) nonce: Optional<Parsed<bool>>,
    /// How old a proof may be: up to 10 min.
    #[schemars(extend("default" = "1min"))]
    pub(crate) max_age: Optional<Parsed<Duration>>,
    /// How many proofs are remembered for each key until they are too old, some 70 bytes each: up to 1000000. A key that
    /// has made more gets 503. The default is enough for 1600 requests a second by one key.
    #[schemars(extend("default" = 100_000))]
    pub(crate) max_proofs: Optional<Parsed<u32>>,
    /// The origins under which clients reach this gateway, such as `https://api.shop.test`: a proof must name a URL of one
    /// of them (`htu`). Without any it must name the request's own scheme and `Host`, which a proxy in front may have
    /// changed.
    pub(crate) origins: Optional<Vec<At<Parsed<Url>>>>,
}
