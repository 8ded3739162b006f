//! How often somebody may guess.

use std::time::Duration;

/// `accounts.protection:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginProtection {
    /// Failures within the window that pause logins. Default 5.
    pub failures: u8,
    /// How long a failure counts. Default 15 minutes.
    pub window: Duration,
    /// The first pause; each further one is twice as long. Default 30 minutes.
    pub pause: Duration,
    /// Messages to one address, and links for another password that one client asks for,
    /// within [`Self::resets_window`]. Default 3.
    pub resets: usize,
    /// Default an hour.
    pub resets_window: Duration,
}
