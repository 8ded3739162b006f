//! Login at another provider: the authorization code flow of `OpenID` Connect Core 1.0, always with PKCE (RFC 7636).
//!
//! [`OpenIdProvider::begin`] sends a person there, [`OpenIdProvider::complete`] learns from the code they come back with
//! who they are there. What this means here is not decided here.
//!
//! Everything that ties the way back to the way there (`state`, `nonce`, the PKCE verifier) is derived from one random
//! secret that the person's browser keeps in a cookie, the [`Errand`]: nothing is stored, and a way back that another
//! browser began leads nowhere (RFC 9700, section 4.7).

mod discovery;
mod errand;
mod error;
mod id_token;
mod provider;
#[cfg(test)]
mod tests;

pub use self::{errand::Errand, error::OpenIdError, id_token::Proven, provider::OpenIdProvider};
