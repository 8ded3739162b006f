//! What a message lets its reader do, once: links with a secret, of which the store knows the hash.

use std::time::Duration;

use bartizan_store::{Statement, Store, StoreError, Transaction};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::{Digest, Sha256};

use super::AccountError;
use crate::{
    IdentityError,
    session::moment::{self, span},
};

/// The secret of a link: 256 random bits.
#[derive(Debug, Clone)]
pub struct LinkToken(SecretString);

/// 32 bytes as base64url.
const LENGTH: usize = 43;

impl LinkToken {
    pub(crate) fn generate() -> Result<Self, IdentityError> {
        let mut random = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(random.as_mut_slice()).map_err(|_| IdentityError::Random)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(random.as_slice()).into()))
    }

    /// What somebody says is one.
    pub fn presented(text: &SecretString) -> Result<Self, AccountError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let exposed = text.expose_secret();
        let is_one = exposed.len() == LENGTH && exposed.bytes().all(allowed);
        if is_one { Ok(Self(text.clone())) } else { Err(AccountError::Link) }
    }

    /// The secret, for the message.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// As the store has it.
    pub(crate) fn stored(&self) -> String {
        let digest = Sha256::new_with_prefix("bartizan link v1\0").chain_update(self.0.expose_secret());
        URL_SAFE_NO_PAD.encode(digest.finalize())
    }
}

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkPurpose {
    ResetPassword,
    ChangeEmail,
    FirstAdministrator,
}

impl LinkPurpose {
    fn name(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::ChangeEmail => "change-email",
            Self::FirstAdministrator => "first-administrator",
        }
    }

    fn lifetime(self) -> Duration {
        match self {
            Self::ResetPassword => Duration::from_mins(30),
            Self::ChangeEmail | Self::FirstAdministrator => Duration::from_hours(24),
        }
    }
}

/// Whom a link is about.
#[derive(Debug)]
pub(crate) struct Link {
    /// The id of the person; empty for nobody yet.
    pub(crate) user: String,
    /// The address that it is about.
    pub(crate) email: String,
}

impl Link {
    /// Makes a link. Earlier ones of the same person for the same purpose are no longer good.
    pub(crate) async fn make(
        transaction: &mut Transaction,
        purpose: LinkPurpose,
        user: Option<&str>,
        email: &str,
    ) -> Result<LinkToken, AccountError> {
        const MAKE: &str = "INSERT INTO one_time_links (token_hash, purpose, user_id, email, created_at, expires_at) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        if let Some(user) = user {
            Self::forget(transaction, purpose, user).await?;
        }
        let (token, now) = (LinkToken::generate()?, moment::now());
        let make = Statement::new(MAKE)
            .text(token.stored())
            .text(purpose.name())
            .optional_text(user)
            .text(email)
            .integer(now)
            .integer(now.saturating_add(span(purpose.lifetime())));
        transaction.execute(make).await?;
        Ok(token)
    }

    /// Whom a link is about, without using it up.
    pub(crate) async fn read(
        store: &Store,
        purpose: LinkPurpose,
        token: &LinkToken,
    ) -> Result<Self, AccountError> {
        const READ: &str = "SELECT user_id, email FROM one_time_links \
            WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3";
        let read = Statement::new(READ).text(token.stored()).text(purpose.name()).integer(moment::now());
        let row = store.row(read).await?.ok_or(AccountError::Link)?;
        Ok(Self { user: row.optional_text("user_id")?.unwrap_or_default(), email: row.text("email")? })
    }

    /// Uses a link up. Of two requests with the same one, one gets it.
    pub(crate) async fn take(
        transaction: &mut Transaction,
        purpose: LinkPurpose,
        token: &LinkToken,
    ) -> Result<Self, AccountError> {
        const TAKE: &str = "DELETE FROM one_time_links WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 \
            RETURNING user_id, email";
        let take = Statement::new(TAKE).text(token.stored()).text(purpose.name()).integer(moment::now());
        let row = transaction.row(take).await?.ok_or(AccountError::Link)?;
        Ok(Self { user: row.optional_text("user_id")?.unwrap_or_default(), email: row.text("email")? })
    }

    /// The links of a person for this purpose are no longer good.
    pub(crate) async fn forget(
        transaction: &mut Transaction,
        purpose: LinkPurpose,
        user: &str,
    ) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM one_time_links WHERE user_id = $1 AND purpose = $2";
        transaction.execute(Statement::new(FORGET).text(user).text(purpose.name())).await.map(|_| ())
    }

    /// No link of a person is good any longer, whatever it was for.
    pub(crate) async fn forget_all(transaction: &mut Transaction, user: &str) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM one_time_links WHERE user_id = $1";
        transaction.execute(Statement::new(FORGET).text(user)).await.map(|_| ())
    }

    /// Uses this link up, and every other one for this purpose with it: in one statement, so that of two requests with
    /// different ones only one gets through.
    pub(crate) async fn take_all(
        transaction: &mut Transaction,
        purpose: LinkPurpose,
        token: &LinkToken,
    ) -> Result<(), AccountError> {
        const TAKE: &str = "DELETE FROM one_time_links WHERE purpose = $1 RETURNING token_hash, expires_at";
        let (hash, now) = (token.stored(), moment::now());
        for row in transaction.rows(Statement::new(TAKE).text(purpose.name())).await? {
            if row.text("token_hash")? == hash && row.integer("expires_at")? > now {
                return Ok(());
            }
        }
        Err(AccountError::Link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_looks_like_a_link_is_looked_up() {
        let token = LinkToken::generate().unwrap();
        let again = LinkToken::presented(token.secret()).unwrap();
        assert_eq!(token.stored(), again.stored());
        assert_ne!(token.stored(), token.secret().expose_secret());
        assert!(!format!("{token:?}").contains(token.secret().expose_secret()));
        for wrong in ["", "short", &"=".repeat(43)] {
            assert!(matches!(LinkToken::presented(&wrong.into()), Err(AccountError::Link)), "{wrong}");
        }
    }
}
