//! Whether what somebody shows is a second factor of theirs. Failures of each kind count for themselves: a wrong code never
//! locks the password.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::{AccountError, Accounts, EmailAddress, Visit, letters};
use crate::{
    attempts::Factor,
    second_factor::{
        code::{CodePolicy, CodePurpose, IssuedCode},
        recovery::RecoveryCodeHash,
        totp::{Totp, TotpStep},
    },
    session::moment,
};

/// A kind of second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FactorKind {
    /// Codes of an authenticator app.
    Totp,
    /// Codes that are sent to the address of the account.
    Email,
    /// Codes on paper.
    RecoveryCode,
}

impl FactorKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Email => "email",
            Self::RecoveryCode => "recovery_code",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Totp, Self::Email, Self::RecoveryCode].into_iter().find(|kind| kind.name() == name)
    }

    fn counted(self) -> Factor {
        match self {
            Self::Totp => Factor::Totp,
            Self::Email => Factor::OneTimeCode,
            Self::RecoveryCode => Factor::RecoveryCode,
        }
    }
}

/// What somebody shows besides their password.
#[derive(Debug)]
pub struct ShownFactor {
    /// What it is.
    pub kind: FactorKind,
    /// The code.
    pub code: SecretString,
    /// The cookie of the device, if it has one.
    pub device: Option<SecretString>,
}

/// Whose factors are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) email: &'a EmailAddress,
}

impl Accounts {
    /// Which kinds a person can show.
    pub(crate) async fn factor_kinds(&self, user: &UserId) -> Result<Vec<FactorKind>, StoreError> {
        const READ: &str = "SELECT kind FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL ORDER BY created_at";
        const PAPER: &str = "SELECT COUNT(*) AS count FROM recovery_codes WHERE user_id = $1";
        let mut kinds = Vec::new();
        for row in self.store.rows(Statement::new(READ).text(user.as_str())).await? {
            if let Some(kind) = FactorKind::named(&row.text("kind")?).filter(|kind| !kinds.contains(kind)) {
                kinds.push(kind);
            }
        }
        if kinds.is_empty() {
            return Ok(kinds);
        }
        let row = self.store.row(Statement::new(PAPER).text(user.as_str())).await?;
        if row.map(|row| row.integer("count")).transpose()?.unwrap_or_default() > 0 {
            kinds.push(FactorKind::RecoveryCode);
        }
        Ok(kinds)
    }

    /// Checks a code, which is used up by it.
    pub(crate) async fn check_factor(
        &self,
        owner: Owner<'_>,
        shown: &ShownFactor,
        action: &'static str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let email = owner.email.as_str();
        let ticket =
            self.protection.begin_factor(email, shown.kind.counted(), shown.device.as_ref(), visit).await?;
        let typed = shown.code.expose_secret();
        let checked = match shown.kind {
            FactorKind::Totp => self.uses_totp(owner.user, typed).await,
            FactorKind::Email => self.uses_sent_code(owner.user, typed).await,
            FactorKind::RecoveryCode => self.uses_recovery_code(owner.user, typed).await,
        };
        match checked {
            Ok(true) => {
                self.protection.succeeded(ticket);
                Ok(())
            }
            Ok(false) => {
                self.protection.failed(ticket, visit);
                self.refused(action, email, visit).await?;
                Err(AccountError::WrongCode)
            }
            Err(error) => {
                self.protection.withdrawn(ticket);
                Err(error)
            }
        }
    }

    async fn uses_totp(&self, user: &UserId, typed: &str) -> Result<bool, AccountError> {
        const READ: &str = "SELECT id, secret, used_step FROM second_factors \
            WHERE user_id = $1 AND kind = 'totp' AND confirmed_at IS NOT NULL";
        for row in self.store.rows(Statement::new(READ).text(user.as_str())).await? {
            if self.uses_totp_of(&row, typed).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether it is a code of this app that was not used before. Of two requests with the same one, one gets it.
    pub(crate) async fn uses_totp_of(&self, row: &Row, typed: &str) -> Result<bool, AccountError> {
        const USE: &str =
            "UPDATE second_factors SET used_step = $2, used_at = $3 WHERE id = $1 AND used_step < $2";
        let id = row.text("id")?;
        let secret = self.factor_keys.unseal(&id, &row.text("secret")?)?;
        let used = u64::try_from(row.integer("used_step")?).ok().map(TotpStep);
        let Ok(TotpStep(step)) = Totp::default().verify(&secret, typed, SystemTime::now(), used) else {
            return Ok(false);
        };
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let using = Statement::new(USE).text(id).integer(step).integer(moment::now());
        Ok(self.store.execute(using).await? == 1)
    }

    /// Whether it is the code that was sent. A try is taken before anything is compared.
    pub(crate) async fn uses_sent_code(&self, user: &UserId, typed: &str) -> Result<bool, AccountError> {
        const TRY: &str = "UPDATE one_time_codes SET tries_left = tries_left - 1 \
            WHERE user_id = $1 AND purpose = 'second-factor' AND tries_left > 0 AND expires_at > $2 \
            RETURNING nonce, hash, expires_at, tries_left";
        const USE: &str = "DELETE FROM one_time_codes WHERE user_id = $1 AND nonce = $2";
        let tried = Statement::new(TRY).text(user.as_str()).integer(moment::now());
        let mut transaction = self.store.begin().await?;
        let row = transaction.row(tried).await?;
        transaction.commit().await?;
        let Some(row) = row else { return Ok(false) };
        let nonce = row.text("nonce")?;
        let mut code = IssuedCode {
            nonce: bytes(&nonce)?,
            hash: bytes(&row.text("hash")?)?,
            expires: moment::moment(row.integer("expires_at")?),
            // The one that was just taken.
            tries_left: u8::try_from(row.integer("tries_left")?.saturating_add(1)).unwrap_or_default(),
        };
        let keys = self.factor_keys.codes();
        let now = SystemTime::now();
        if code.verify(keys, CodePurpose::SecondFactor, user.as_str(), typed, now).is_err() {
            return Ok(false);
        }
        Ok(self.store.execute(Statement::new(USE).text(user.as_str()).text(nonce)).await? == 1)
    }

    async fn uses_recovery_code(&self, user: &UserId, typed: &str) -> Result<bool, AccountError> {
        const USE: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2";
        let Some(hash) = RecoveryCodeHash::of(user.as_str(), typed) else { return Ok(false) };
        let using = Statement::new(USE).text(user.as_str()).text(STANDARD_NO_PAD.encode(hash.as_bytes()));
        Ok(self.store.execute(using).await? == 1)
    }

    /// Sends a code, which takes the place of the one before. At most one in half a minute.
    pub(crate) async fn send_code(&self, owner: Owner<'_>) -> Result<(), AccountError> {
        const KEEP: &str = "INSERT INTO one_time_codes (user_id, purpose, nonce, hash, expires_at, tries_left) \
            VALUES ($1, 'second-factor', $2, $3, $4, $5) ON CONFLICT (user_id, purpose) DO UPDATE SET \
            nonce = excluded.nonce, hash = excluded.hash, expires_at = excluded.expires_at, \
            tries_left = excluded.tries_left WHERE one_time_codes.expires_at < $6";
        let mailer = self.mailer()?;
        let policy = CodePolicy::default();
        let user = owner.user.as_str();
        let (code, issued) =
            policy.issue(self.factor_keys.codes(), CodePurpose::SecondFactor, user, SystemTime::now())?;
        let expires = moment::milliseconds(issued.expires);
        let keep = Statement::new(KEEP)
            .text(user)
            .text(STANDARD_NO_PAD.encode(issued.nonce))
            .text(STANDARD_NO_PAD.encode(issued.hash))
            .integer(expires)
            .integer(issued.tries_left)
            .integer(expires.saturating_sub(30_000));
        if self.store.execute(keep).await? == 1 {
            mailer.send(letters::code(owner.email, &code));
        }
        Ok(())
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], StoreError> {
    let decoded = STANDARD_NO_PAD.decode(text).ok();
    let decoded = decoded.and_then(|decoded| decoded.try_into().ok());
    decoded.ok_or(StoreError::Nonsense { what: "a one-time code" })
}
