//! What may go wrong with tokens.

use std::borrow::Cow;

use bartizan_store::StoreError;
use http::HeaderValue;

use crate::{IdentityError, account::AccountError};

/// Why a token was not issued, or what was asked about it not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// What was asked for is not granted; the client is told why.
    #[error("{code}: {description}", code = .0.as_str(), description = .1)]
    Refused(OAuthError, Cow<'static, str>),
    /// A proof lacks the nonce of this gateway: the next one is to hold this (RFC 9449, section 8).
    #[error("use_dpop_nonce: the proof holds no nonce of this gateway, or an old one")]
    DpopNonce(HeaderValue),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that was sealed cannot be opened.
    #[error(
        "what the store holds encrypted cannot be opened: has `accounts.tokens.secret` changed? List the earlier one behind it, or delete the rows of `signing_keys`"
    )]
    Sealed,
    /// No key to sign with has been read yet.
    #[error("there is no key to sign with yet")]
    NoKey,
    /// The store does not answer in time.
    #[error("the store does not answer in time")]
    Unavailable,
    /// More proofs come than can be remembered.
    #[error("there is no room to remember another proof: try again shortly")]
    NoRoom,
    /// A key cannot be made or used.
    #[error("the cryptography failed: no key could be made, or none could sign")]
    Cryptography,
    /// No random numbers.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The account failed.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl TokenError {
    pub(crate) fn refused(code: OAuthError, description: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused(code, description.into())
    }
}

/// The `error` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OAuthError {
    /// The request lacks something or says something twice (RFC 6749, section 5.2).
    InvalidRequest,
    /// The client is unknown or has not proven to be itself (RFC 6749, section 5.2).
    InvalidClient,
    /// A code or a refresh token that does not count (any longer) (RFC 6749, section 5.2).
    InvalidGrant,
    /// The client may not do this (RFC 6749, section 5.2).
    UnauthorizedClient,
    /// A way of asking that is not known here (RFC 6749, section 5.2).
    UnsupportedGrantType,
    /// Something else than a code is asked for (RFC 6749, section 4.1.2.1).
    UnsupportedResponseType,
    /// More is asked for than there is (RFC 6749, section 5.2).
    InvalidScope,
    /// A resource that no token is for (RFC 8707, section 2).
    InvalidTarget,
    /// The person must log in (`OpenID` Connect Core 1.0, section 3.1.2.6).
    LoginRequired,
    /// What the client asks of the proof of a person, they cannot give (`OpenID` Connect Unmet Authentication Requirements 1.0).
    UnmetAuthenticationRequirements,
    /// A request object by value (`OpenID` Connect Core 1.0, section 3.1.2.6).
    RequestNotSupported,
    /// A request object by reference (`OpenID` Connect Core 1.0, section 3.1.2.6).
    RequestUriNotSupported,
    /// A proof that proves nothing (RFC 9449, section 5).
    InvalidDpopProof,
}

impl OAuthError {
    /// The word of the standard.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::LoginRequired => "login_required",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::InvalidDpopProof => "invalid_dpop_proof",
        }
    }
}
