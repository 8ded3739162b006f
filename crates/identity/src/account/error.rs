//! What may go wrong with an account.

use std::time::Duration;

use bartizan_store::StoreError;

use crate::{CrossSite, IdentityError, openid::OpenIdError, passkey::PasskeyError, password};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// An unknown account, a wrong password, a person who may not enter: the same to whoever asks.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too many failures lately.
    #[error("too many failed attempts: try again in {} s", .0.as_secs().max(1))]
    Paused(Duration),
    /// No session.
    #[error("there is no session: log in first")]
    NoSession,
    /// Another site asks with this person's cookie.
    #[error("the request was refused: {0}")]
    CrossSite(#[from] CrossSite),
    /// The new password breaks rules.
    #[error("the password cannot be used: {}", .0.join("; "))]
    WeakPassword(Vec<String>),
    /// Not an e-mail address.
    #[error("{0}")]
    Email(&'static str),
    /// A value that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// More than whoever asks may do or give.
    #[error("{0}")]
    Forbidden(String),
    /// Without this person nobody could do everything.
    #[error("this is the last `super_admin`: make somebody else one first")]
    LastAdministrator,
    /// Without this login its person could not get in any more.
    #[error("this is your last way in: choose a password, or link another login, first")]
    LastWayIn,
    /// No room for another API key.
    #[error("there are {0} API keys already: revoke some")]
    TooManyKeys(usize),
    /// A name that is none.
    #[error("{0}")]
    Name(&'static str),
    /// A role that neither the configuration nor Bartizan knows.
    #[error(
        "there is no role `{0}`: write it under `roles`, or use `super_admin`, `org_admin`, `user` or `viewer`"
    )]
    UnknownRole(String),
    /// Somebody or something has this name already.
    #[error("{0} is taken")]
    Taken(String),
    /// Something else depends on it.
    #[error("{0}: remove them first, or say that they are to go, too")]
    InUse(String),
    /// Nobody and nothing has this name.
    #[error("there is no {0}")]
    Missing(String),
    /// Strangers may not make themselves an account.
    #[error("accounts are made by administrators")]
    SignUpOff,
    /// A link that was used, has ended, or never was.
    #[error("this link is not good, or no longer: ask for another")]
    Link,
    /// A code that is wrong, was used, or has ended.
    #[error("the code is wrong, or good no longer")]
    WrongCode,
    /// A login that does not wait any more.
    #[error("the login has taken too long: log in again")]
    Ticket,
    /// The person was proven too long ago, or not by enough.
    #[error("prove again that it is you, with a second factor if you have one")]
    StepUp,
    /// A role asks for a second factor that is not there.
    #[error("you must have a second factor: enrol one first")]
    MustEnrol,
    /// Three messages went to an address in the last hour.
    #[error("three messages went to this address in the last hour: try again later")]
    TooManyMessages,
    /// A passkey that proves nobody: the same to whoever asks, whatever is wrong.
    #[error("the passkey does not prove anybody here: use another one, or another way")]
    WrongPasskey,
    /// A passkey that cannot be registered.
    #[error("the passkey cannot be registered: {0}")]
    Passkey(#[from] PasskeyError),
    /// It is not known who passkeys would be for.
    #[error("passkeys are not configured: ask an administrator")]
    PasskeysOff,
    /// No codes can be sent to telephones.
    #[error("codes are not sent to telephones here: ask an administrator")]
    SmsOff,
    /// The service behind the webhook did not take a message.
    #[error("the message could not be sent: try again shortly, or use another way")]
    NotSent,
    /// No messages can be sent.
    #[error("this needs mail, which is not configured: ask an administrator")]
    MailOff,
    /// The way messages take cannot be used.
    #[error(transparent)]
    Mail(#[from] bartizan_mail::MailError),
    /// Another provider proves nobody.
    #[error("the login at `{provider}` failed: {error}")]
    Provider {
        /// Which one.
        provider: String,
        /// Why.
        #[source]
        error: OpenIdError,
    },
    /// Another provider proves somebody who may not enter here.
    #[error("nobody here is known by this login at `{0}`: ask whoever runs this service")]
    Unknown(String),
    /// Every hashing thread is busy.
    #[error("too many logins at once: try again shortly")]
    Busy,
    /// The store does not answer in time.
    #[error("the store of accounts does not answer")]
    Unavailable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Passwords cannot be hashed with these settings.
    #[error("passwords cannot be hashed: {0}")]
    Hashing(String),
    /// The list of passwords that nobody may choose.
    #[error(transparent)]
    Blocklist(#[from] password::BlocklistError),
    /// Without a second factor this password would be too weak.
    #[error("the password is too weak to be asked for alone: choose another of at least 15 characters first")]
    PasswordTooWeakAlone,
    /// No random numbers.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<password::HashingError> for AccountError {
    fn from(error: password::HashingError) -> Self {
        match error {
            password::HashingError::Busy => Self::Busy,
            other => Self::Hashing(other.to_string()),
        }
    }
}
