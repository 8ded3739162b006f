//! People whom the gateway knows itself.

mod mail;
mod passkeys;
mod protection;
mod second_factor;
mod sms;

use std::{path::PathBuf, time::Duration};

use bartizan_model::Line;

pub use self::{
    mail::{Mail, MailTransport, SmtpServer, SmtpTls},
    passkeys::Passkeys,
    protection::LoginProtection,
    second_factor::SecondFactor,
    sms::Sms,
};
use crate::OpenIdProvider;

/// `accounts:`.
#[derive(Debug, Clone)]
pub struct Accounts {
    /// Where it stands in the file.
    pub line: Line,
    /// Where the endpoints are: plain segments, `/auth`.
    pub prefix: String,
    /// Who may get an account without an operator.
    pub sign_up: SignUp,
    /// What a password must be.
    pub passwords: Passwords,
    /// How long a login lasts.
    pub sessions: Sessions,
    /// How the gateway writes to people; `None`: it does not.
    pub mail: Option<Mail>,
    /// How often somebody may guess.
    pub protection: LoginProtection,
    /// What people show besides their password.
    pub second_factor: SecondFactor,
    /// Who passkeys are for; `None`: there are none.
    pub passkeys: Option<Passkeys>,
    /// Where codes go that are sent to telephones; `None`: none are.
    pub sms: Option<Sms>,
    /// Other providers where people can log in.
    pub providers: Vec<OpenIdProvider>,
    /// What API keys of the store begin with. Default `bzn_live`.
    pub key_prefix: String,
    /// How long the audit trail goes back. Default 90 days.
    pub audit_retention: Duration,
}

/// What a password must be, and what guessing one costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passwords {
    /// The rules. Default NIST's.
    pub profile: PasswordProfile,
    /// Memory for each hash, in KiB. Default 19 MiB.
    pub memory_kib: u32,
    /// Passes over it. Default 2.
    pub iterations: u32,
    /// Lanes. Default 1.
    pub parallelism: u32,
    /// A file of passwords that nobody may choose.
    pub blocklist: Option<PathBuf>,
    /// Words that no password may consist of.
    pub context_words: Vec<String>,
}

/// How long a login lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// From the login or the last renewal. Default 7 days.
    pub lifetime: Duration,
    /// A session in use that is older is renewed. Default a day.
    pub renew_after: Duration,
    /// The longest, however often it is renewed. Default 30 days.
    pub absolute: Duration,
    /// Sessions of one person at once. Default 5.
    pub at_most: u32,
    /// What browsers do with the cookie when another site leads here. Default lax.
    pub same_site: SameSite,
    /// The name of the cookie. Default `__Host-bartizan`.
    pub cookie: String,
    /// The domain whose hosts all get the cookie; `None`: this host alone.
    pub domain: Option<String>,
}

/// The name of cookies that browsers bind to one host and to TLS (RFC 6265bis, section 4.1.3.2).
const HOST_PREFIX: &str = "__Host-";
/// The same for cookies that browsers bind to TLS alone (section 4.1.3.1).
const SECURE_PREFIX: &str = "__Secure-";

impl Sessions {
    /// Whether the cookie travels over TLS only.
    pub fn is_secure(&self) -> bool {
        [HOST_PREFIX, SECURE_PREFIX].iter().any(|prefix| self.cookie.starts_with(prefix))
    }

    /// The name of the cookie by which an account knows a device where it was used before. It opens nothing.
    pub fn device_cookie(&self) -> String {
        format!("{}-device", self.cookie)
    }

    /// The name of the cookie that is kept while somebody logs in at another provider.
    pub fn errand_cookie(&self) -> String {
        format!("{}-errand", self.cookie)
    }

    /// The name of the cookie that scripts read, to say its value in `x-csrf-token`.
    pub fn csrf_cookie(&self) -> String {
        format!("{}-csrf", self.cookie)
    }
}

/// Who may get an account without an operator.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SignUp {
    /// Administrators make accounts.
    #[default]
    Off,
    /// Nobody but those whom an administrator of an organisation invites.
    Invite,
    /// Everybody who reads the mail of an address, with the role `user`; and those who are invited.
    Open,
}

/// The rules for passwords.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PasswordProfile {
    /// NIST SP 800-63B-4: long, not known to be guessed, no rules of composition.
    #[default]
    Nist,
    /// The older rules: 12 to 128 characters with lower and upper case, digits and others.
    CharacterClasses,
}

/// What browsers do with a cookie when another site leads here.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// They send it when a person follows a link.
    #[default]
    Lax,
    /// They never send it.
    Strict,
}
