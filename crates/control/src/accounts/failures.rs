//! What went wrong, for whoever asks.

use bartizan_identity::account::AccountError;

use crate::failure::{Failure, FailureCode};

impl From<AccountError> for Failure {
    fn from(error: AccountError) -> Self {
        let code = match &error {
            AccountError::WrongCredentials => FailureCode::WrongCredentials,
            AccountError::Paused(wait) => {
                let seconds = wait.as_secs().max(1);
                return Self::new(FailureCode::TooManyAttempts, error.to_string()).retry_after(seconds);
            }
            AccountError::TooManyMessages => {
                return Self::new(FailureCode::TooManyMessages, error.to_string()).retry_after(3600);
            }
            AccountError::NoSession => FailureCode::NoSession,
            AccountError::CrossSite(_) => FailureCode::CrossSiteRefused,
            AccountError::WeakPassword(_) => FailureCode::WeakPassword,
            AccountError::PasswordTooWeakAlone => FailureCode::PasswordTooWeakAlone,
            AccountError::Email(_)
            | AccountError::Name(_)
            | AccountError::UnknownRole(_)
            | AccountError::Passkey(_)
            | AccountError::Invalid(_) => FailureCode::InvalidValue,
            AccountError::Taken(_) => FailureCode::AlreadyExists,
            AccountError::InUse(_) => FailureCode::InUse,
            AccountError::Missing(_) => FailureCode::NotFound,
            AccountError::Forbidden(_) => FailureCode::InsufficientPermissions,
            AccountError::LastAdministrator => FailureCode::LastAdministrator,
            AccountError::LastWayIn => FailureCode::LastWayIn,
            AccountError::TooManyKeys(_) => FailureCode::TooManyKeys,
            AccountError::SignUpOff => FailureCode::SignUpOff,
            AccountError::Link => FailureCode::LinkGone,
            AccountError::WrongCode => FailureCode::WrongCode,
            AccountError::WrongPasskey => FailureCode::WrongPasskey,
            AccountError::PasskeysOff => FailureCode::PasskeysOff,
            AccountError::SmsOff => FailureCode::SmsOff,
            AccountError::NotSent => FailureCode::MessageNotSent,
            AccountError::Ticket => FailureCode::LoginExpired,
            AccountError::StepUp => FailureCode::InsufficientUserAuthentication,
            AccountError::MustEnrol => FailureCode::MfaRequired,
            AccountError::MailOff => FailureCode::MailOff,
            AccountError::Unknown(_) => FailureCode::NoAccount,
            AccountError::Provider { error, .. } if error.is_providers_fault() => {
                tracing::warn!(%error, "a login at another provider failed");
                FailureCode::ProviderFailed
            }
            AccountError::Provider { .. } => FailureCode::LoginFailed,
            AccountError::Busy => {
                return Self::new(FailureCode::TooManyLogins, error.to_string()).retry_after(1);
            }
            AccountError::Store(_) | AccountError::Unavailable => {
                tracing::error!(%error, "the store of accounts failed");
                let detail = "accounts cannot be read or changed at the moment: try again shortly";
                return Self::new(FailureCode::StoreUnavailable, detail).retry_after(5);
            }
            _ => {
                tracing::error!(%error, "accounts failed inside");
                return Self::new(FailureCode::InternalError, "this failed inside: see the log");
            }
        };
        Self::new(code, error.to_string())
    }
}
