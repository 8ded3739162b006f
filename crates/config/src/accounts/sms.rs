//! Where codes go that are sent to telephones.

use std::time::Duration;

use secrecy::SecretSlice;

/// `accounts.sms:`.
#[derive(Debug, Clone)]
pub struct Sms {
    /// Where each message is posted to.
    pub webhook: String,
    /// What each post is signed with: HMAC-SHA-256 by RFC 9421.
    pub secret: SecretSlice<u8>,
    /// How long the answer may take. Default 5 s.
    pub timeout: Duration,
}
