//! What people show besides their password.

use std::time::Duration;

use bartizan_model::Name;
use secrecy::SecretString;

/// `accounts.second_factor:`.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// The roles whose people must have one. Default `super_admin` and `org_admin`.
    pub roles: Vec<Name>,
    /// How long these people may go on without. Default 30 days.
    pub grace: Duration,
    /// What authenticator apps call this service.
    pub issuer: String,
    /// What secrets are encrypted with in the store; `None`: a key that is kept there, too.
    pub key: Option<SecretString>,
    /// What they may have been encrypted with before.
    pub earlier_keys: Vec<SecretString>,
}
