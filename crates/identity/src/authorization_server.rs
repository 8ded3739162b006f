//! Tokens that the gateway issues to its own people: an OAuth 2.0 authorization server (RFC 6749, RFC 9700).
//!
//! A registered client sends a person who has logged in to [`AuthorizationServer::authorize`] and gets a code (PKCE, RFC
//! 7636), which [`AuthorizationServer::token`] exchanges for an access token (RFC 9068) and a refresh token. What a token
//! may do is what its scope and the roles of the person both allow at the moment of its issue; a change of roles ends
//! the access tokens that were issued before, so that clients come back for others.
//!
//! A client with permissions of its own gets tokens for itself (`machine`); a service that was called with a token gets
//! one to call on with (`exchange`).
//!
//! Access tokens are verified without asking anybody ([`OwnTokens`]): by published keys that rotate (`rotation`), against
//! epochs that every gateway reads twice a second (`epochs`). Refresh tokens stand in the store, as hashes.

pub(crate) mod access_token;
mod authentication;
mod authorization;
mod client;
mod code;
pub(crate) mod epochs;
mod error;
mod exchange;
pub(crate) mod family;
mod introspection;
mod key_ring;
mod listing;
mod login_demand;
mod logout;
mod machine;
pub(crate) mod metadata;
mod person;
mod proofs;
mod redirect_uri;
mod revocation;
mod rotation;
mod scope;
mod sealing;
mod server;
mod signing_key;
pub(crate) mod thumbprint;
mod token_request;
mod userinfo;

pub use authorization::{Authorization, AuthorizationRequest, RequestObject};
pub use client::ClientProof;
pub use error::{OAuthError, TokenError};
pub use key_ring::{KeyState, PublishedKey, SigningKeys};
pub use listing::AuthorizationSummary;
pub use login_demand::PARAMETER as LOGIN_DEMANDED;
pub use logout::LogoutRequest;
pub use proofs::{Proofs, TokenEndpoint};
pub use revocation::Revoked;
pub use rotation::KeyChange;
pub use server::{AuthorizationServer, OwnTokens};
pub use token_request::{Grant, TokenRequest, TokenResponse};
pub use userinfo::{Userinfo, UserinfoError, UserinfoRequest};
