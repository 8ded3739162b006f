//! Who is who in the demonstration.

use anyhow::Result;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::issuer::Issuer;

/// Working credentials, and the keys to make broken ones with.
pub(crate) struct Credentials {
    /// The identity provider that the gateway trusts.
    pub(crate) issuer: Issuer,
    /// One that it does not.
    pub(crate) stranger: Issuer,
    /// A customer's token: reads and places orders.
    pub(crate) user: String,
    /// An administrator's token, obtained with two factors.
    pub(crate) admin: String,
    /// The same administrator's, obtained with a password only.
    pub(crate) admin_with_password: String,
    /// A partner's API key: reads orders.
    pub(crate) api_key: String,
    /// Its SHA-256.
    pub(crate) api_key_hash: [u8; 32],
}

impl Credentials {
    /// New keys and tokens.
    pub(crate) fn generate() -> Result<Self> {
        let (issuer, stranger) = (Issuer::generate()?, Issuer::generate()?);
        let (api_key, api_key_hash): (SecretString, _) = bartizan_identity::generate_api_key("demo")?;
        let administrator =
            |methods: &[&str]| issuer.token("grace", &json!({ "roles": ["administrator"], "amr": methods }));
        Ok(Self {
            user: issuer.token("ada", &json!({ "permissions": ["orders:read", "orders:write"] })),
            admin: administrator(&["pwd", "otp", "mfa"]),
            admin_with_password: administrator(&["pwd"]),
            api_key: api_key.expose_secret().to_owned(),
            api_key_hash,
            issuer,
            stranger,
        })
    }
}
