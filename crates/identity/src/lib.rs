//! Who asks? Verification of credentials: signed tokens, API keys, client certificates, signed requests.
//!
//! An [`Authenticator`] is made from the configuration. A route's `auth` list is resolved once
//! ([`Authenticator::select`]); after that every request is checked by [`Authenticator::authenticate`], which
//! neither waits nor does I/O: JWK sets are fetched in the background, and a key that is not there yet is a
//! refusal, not a wait. Whoever is proven comes back as [`Identified`], with its permissions already expanded, and with
//! what the content must be ([`ExpectedContent`]) where that was signed, too.
//!
//! Tokens are checked by the rules of RFC 7515 (JWS), RFC 7519 (JWT) and RFC 8725 (best practices), strictly:
//! `jsonwebtoken` computes the signature check and nothing else.
//!
//! ```
//! # use std::sync::Arc;
//! # use bartizan_config::{ApiKey, ApiKeyProvider, IdentityProvider, Provider};
//! use bartizan_identity::{AuthenticationError, Authenticator, Presented, generate_api_key};
//! use bartizan_policy::PermissionIndex;
//! use http::{HeaderName, HeaderValue, Request, request::Parts};
//! use secrecy::ExposeSecret;
//!
//! let (key, hash) = generate_api_key("shop")?;
//! # let partner = ApiKey {
//! #     name: "partner".parse()?, hash, permissions: vec!["orders:read".parse()?], roles: vec![], organization: None,
//! #     zone: bartizan_model::Zone::Public,
//! # };
//! # let header = HeaderName::from_static("x-api-key");
//! # let identity = [Arc::new(IdentityProvider {
//! #     name: "partners".parse()?,
//! #     line: bartizan_model::Line::NONE,
//! #     provider: Provider::ApiKey(ApiKeyProvider { header, keys: vec![partner], stored: None }),
//! # })];
//! // `identity` has an entry `partners` with the hash of that key, for the header `x-api-key`.
//! let index = Arc::new(PermissionIndex::new([]));
//! let authenticator = Authenticator::of_providers(&identity, &[], &index, None)?;
//! let selection = authenticator.select(&["partners".parse()?], &[])?;
//!
//! let (mut head, ()) = Request::get("/orders").body(())?.into_parts();
//! fn presented(head: &Parts) -> Presented<'_> {
//!     Presented { head, secure: true, address: None, client_certificate: None, content: None }
//! }
//! let nobody = authenticator.authenticate(&selection, &presented(&head));
//! assert_eq!(nobody.unwrap_err(), AuthenticationError::Missing);
//!
//! head.headers.insert("x-api-key", HeaderValue::from_str(key.expose_secret())?);
//! let partner = authenticator.authenticate(&selection, &presented(&head))?;
//! assert_eq!(partner.identified.principal.id.as_str(), "partner");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What people prove themselves with has modules of its own: [`password`], [`passkey`] and [`second_factor`]; [`attempts`]
//! counts their failures. [`OpaqueToken`] is what sessions and keys are made of.
//!
//! [`authorization_server`] issues tokens. HTTP handlers are not here.
//!
//! Metrics: `bartizan_sms_total{result}` counts messages to telephones; `result` is `sent` or `failed`.
//! `bartizan_jwks_refresh_total{provider, result}` counts fetches of JWK sets; `result` is `ok` or
//! `error`.

pub mod account;
mod api_key;
pub mod attempts;
mod authenticator;
pub mod authorization_server;
mod certificate;
mod confirmation;
mod dpop;
mod error;
mod holder;
mod identified;
mod key;
mod key_source;
mod lease;
mod opaque_token;
pub mod openid;
pub mod passkey;
pub mod password;
mod presented;
pub mod second_factor;
mod selection;
mod session;
mod signature;
#[cfg(test)]
mod tests;
mod together;
mod token;

pub use api_key::{LiveKeys, generate_api_key, hash_api_key};
pub use authenticator::Authenticator;
pub use dpop::DpopError;
pub use error::{AuthenticationError, IdentityError, InvalidReason, JwksError};
pub use identified::{Authenticated, Identified, Proof};
pub use lease::Lease;
pub use opaque_token::{OpaqueToken, TokenFormError, TokenHash, TokenPrefix};
pub use presented::{ClientCertificate, Presented};
pub use selection::Selection;
pub use session::{CrossSite, Home, LiveSessions, SessionToken, UnreadSession, Visitor, WriteGuard};
pub use signature::{
    ExpectedContent, Outgoing, RequestSigner, SignatureFields, SignatureKeyError, Unsigned, content_digest,
};
pub use together::{Spent, Together, Told, Tried};
pub use token::{MULTI_FACTOR_CLASSES, TokenHeader};
