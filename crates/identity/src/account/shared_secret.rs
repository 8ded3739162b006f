//! Secrets that the gateways of one store share. The first gateway that needs one makes it.

use bartizan_store::{Statement, Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use super::AccountError;
use crate::IdentityError;

/// What it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SharedSecret {
    /// Cookies by which a device is known.
    DeviceCookie,
    /// The names under which gateways count attempts together.
    Attempts,
    /// The hashes of API keys and of the secrets of services.
    MachineSecrets,
    /// What second factors are encrypted with, where the configuration has no key for it.
    SecondFactors,
}

impl SharedSecret {
    const fn name(self) -> &'static str {
        match self {
            Self::DeviceCookie => "device_cookie",
            Self::Attempts => "attempts",
            Self::MachineSecrets => "machine_secrets",
            Self::SecondFactors => "second_factor",
        }
    }

    /// The secret: 256 random bits.
    pub(crate) async fn of(self, store: &Store) -> Result<Zeroizing<[u8; 32]>, AccountError> {
        const KEEP: &str = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        const READ: &str = "SELECT value FROM secrets WHERE name = $1";
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        store.execute(Statement::new(KEEP).text(self.name()).text(STANDARD.encode(key.as_slice()))).await?;
        let nonsense = || StoreError::Nonsense { what: "a secret that gateways share" };
        let row = store.row(Statement::new(READ).text(self.name())).await?.ok_or_else(nonsense)?;
        let kept = Zeroizing::new(row.text("value")?);
        let bytes = Zeroizing::new(STANDARD.decode(kept.as_bytes()).map_err(|_| nonsense())?);
        key.copy_from_slice(bytes.get(..32).filter(|_| bytes.len() == 32).ok_or_else(nonsense)?);
        Ok(key)
    }
}
