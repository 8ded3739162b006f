//! Keys that the gateways of one store share: made by the first, kept in the store.

use bartizan_store::{Statement, Store, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::zeroize::Zeroizing;

use super::AccountError;
use crate::IdentityError;

/// The key of this name: 256 random bits.
pub(crate) async fn stored_key(
    store: &Store,
    name: &'static str,
) -> Result<Zeroizing<[u8; 32]>, AccountError> {
    const KEEP: &str = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    const READ: &str = "SELECT value FROM secrets WHERE name = $1";
    let mut key = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(key.as_mut_slice()).map_err(|_| IdentityError::Random)?;
    store.execute(Statement::new(KEEP).text(name).text(STANDARD.encode(key.as_slice()))).await?;
    let nonsense = || StoreError::Nonsense { what: "a key" };
    let row = store.row(Statement::new(READ).text(name)).await?.ok_or_else(nonsense)?;
    let kept = Zeroizing::new(row.text("value")?);
    let bytes = Zeroizing::new(STANDARD.decode(kept.as_bytes()).map_err(|_| nonsense())?);
    key.copy_from_slice(bytes.get(..32).filter(|_| bytes.len() == 32).ok_or_else(nonsense)?);
    Ok(key)
}
