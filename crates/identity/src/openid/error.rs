//! Why a login at another provider came to nothing.

use crate::InvalidReason;

/// Why a login at another provider came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenIdError {
    /// The way back does not belong to a way there of the same browser.
    #[error("this login was not begun in this browser, or too long ago: begin again")]
    Stray,
    /// The way back is from another provider (RFC 9207).
    #[error("the answer is from another provider than the one that was asked")]
    WrongIssuer,
    /// The provider, or the person there, declined (RFC 6749, section 4.1.2.1).
    #[error("the provider declined: {0}")]
    Declined(String),
    /// The provider cannot be reached.
    #[error("the provider cannot be reached: {0}")]
    Unreachable(#[source] reqwest::Error),
    /// It did not answer somebody else a moment ago.
    #[error("the provider could not be asked a moment ago: try again shortly")]
    Resting,
    /// It answers, but not as it should.
    #[error("the provider answered `{0}` where {1} was expected")]
    Answer(http::StatusCode, &'static str),
    /// What it says about itself cannot be used.
    #[error("what the provider says about itself cannot be used: {0}")]
    Metadata(&'static str),
    /// Its keys have not been fetched yet.
    #[error("the keys of the provider have not been fetched yet: try again shortly")]
    NoKeysYet,
    /// Its statement about the person is not to be believed.
    #[error("the ID token cannot be believed: {0}")]
    IdToken(#[from] InvalidReason),
    /// What it says of the person at its `UserInfo` endpoint is about somebody else (section 5.3.2).
    #[error("the provider's UserInfo is about somebody else than its ID token")]
    OtherPerson,
    /// The statement was made for another login.
    #[error("the ID token belongs to another login")]
    Nonce,
}

impl OpenIdError {
    /// Whether the provider does not do what it should, as opposed to whoever comes back from it.
    pub fn is_providers_fault(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Resting
            | Self::Metadata(_)
            | Self::NoKeysYet
            | Self::OtherPerson
            | Self::IdToken(_) => true,
            Self::Answer(status, _) => status.is_server_error(),
            Self::Stray | Self::WrongIssuer | Self::Declined(_) | Self::Nonce => false,
        }
    }
}
