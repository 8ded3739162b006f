//! Kinds of second factors, and what each is worth.

use super::Methods;
use crate::attempts::Factor;

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// Codes of an authenticator app.
    Totp,
    /// Passkeys.
    Passkey,
    /// Codes that are sent to the address of the account.
    Email,
    /// Codes that are sent to a telephone.
    Sms,
    /// Codes on paper.
    RecoveryCode,
}

/// What a kind is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactorStrength {
    /// Others carry its codes, and may read or redirect them (SP 800-63B-4, sections 3.1.3.1 and 3.1.3.3): not enough where a
    /// role asks for a second factor.
    Weak,
    /// What only the person has.
    Strong,
}

impl FactorKind {
    const ALL: [Self; 5] = [Self::Totp, Self::Passkey, Self::Email, Self::Sms, Self::RecoveryCode];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::Email => "email",
            Self::Sms => "sms",
            Self::RecoveryCode => "recovery_code",
        }
    }

    /// What it is worth.
    pub const fn strength(self) -> FactorStrength {
        match self {
            Self::Totp | Self::Passkey | Self::RecoveryCode => FactorStrength::Strong,
            Self::Email | Self::Sms => FactorStrength::Weak,
        }
    }

    /// Whether the person has it by itself. Codes that are sent, to whoever reads the mail or the telephone, are not; nor are those
    /// on paper, which are for a day when nothing else is at hand.
    pub(crate) const fn is_own(self) -> bool {
        matches!(self, Self::Totp | Self::Passkey)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// By what its failures are counted.
    pub(crate) const fn counted(self) -> Factor {
        match self {
            Self::Totp => Factor::Totp,
            Self::Passkey => Factor::Passkey,
            Self::Email => Factor::OneTimeCode,
            Self::Sms => Factor::Sms,
            Self::RecoveryCode => Factor::RecoveryCode,
        }
    }

    /// What it proves.
    pub(crate) const fn methods(self) -> Methods {
        match self {
            Self::Totp | Self::Email | Self::RecoveryCode => Methods::ONE_TIME_CODE,
            Self::Sms => Methods::SMS,
            Self::Passkey => Methods::PASSKEY,
        }
    }
}
