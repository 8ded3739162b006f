//! Who passkeys are for.

/// `accounts.passkeys:`. The relying party (W3C, Web Authentication Level 3, section 5.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkeys {
    /// The domain that passkeys belong to.
    pub id: String,
    /// The origins of the pages that may ask for them, serialised as browsers do.
    pub origins: Vec<String>,
}
