//! Whether what somebody shows is a second factor of theirs. Failures of each kind count for themselves: a wrong code never
//! locks the password.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};

use super::{AccountError, Accounts, EmailAddress, FactorKind, FactorStrength, Visit, letters};
use crate::{
    second_factor::{
        code::{CodePolicy, CodePurpose, IssuedCode},
        recovery::RecoveryCodeHash,
        totp::{Totp, TotpStep},
    },
    session::moment,
};

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
    /// Which kinds a person can show. Where a role of theirs asks for a second factor, weak ones are for those who have
    /// nothing else: somebody who has stolen a telephone number could choose it.
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
        let is_weak = |kind: &FactorKind| kind.strength() == FactorStrength::Weak;
        let has_own = kinds.iter().any(|kind| kind.is_own());
        if has_own && kinds.iter().any(is_weak) && self.role_asks(user).await? {
            kinds.retain(|kind| !is_weak(kind));
        }
        Ok(kinds)
    }

    /// Whether a role of this person, wherever they have it, asks for a second factor.
    async fn role_asks(&self, user: &UserId) -> Result<bool, StoreError> {
        const READ: &str = "SELECT role FROM role_bindings WHERE user_id = $1";
        let asking = self.second_factor_settings().roles;
        if asking.is_empty() {
            return Ok(false);
        }
        for row in self.store.everywhere().rows(Statement::new(READ).text(user.as_str())).await? {
            let role = row.text("role")?;
            if asking.iter().any(|asking| asking.as_str() == role) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks a code, which is used up by it.
    pub(crate) async fn check_factor(
        &self,
        owner: Owner<'_>,
        shown: &ShownFactor,
        action: &'static str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        // The largest part of a login, which most of them do not come to.
        let using = Box::pin(self.uses_code(owner.user, shown.kind, shown.code.expose_secret()));
        self.count_code(owner, shown, action, visit, using).await
    }

    /// Checks the code by e-mail that a login waits for which looks like credential stuffing. Its person has no second
    /// factor.
    pub(crate) async fn check_challenge(
        &self,
        owner: Owner<'_>,
        shown: &ShownFactor,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let using = async {
            let is_sent = shown.kind == FactorKind::Email;
            Ok(is_sent
                && self.uses_sent_code(SentTo::Address(owner.user), shown.code.expose_secret()).await?)
        };
        self.count_code(owner, shown, "login", visit, using).await
    }

    /// Nothing is checked while attempts are paused.
    async fn count_code(
        &self,
        owner: Owner<'_>,
        shown: &ShownFactor,
        action: &'static str,
        visit: &Visit,
        using: impl Future<Output = Result<bool, AccountError>>,
    ) -> Result<(), AccountError> {
        let email = owner.email.as_str();
        let (factor, device) = (shown.kind.counted(), shown.device.as_ref());
        let begun = self.protection.begin_factor(email, factor, device, visit).await;
        let ticket = self.told_of_pauses(begun, action, email, visit).await?;
        match using.await {
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

    /// Whether a code would be right, without using it up. Of those who have no such factor, and of nobody, it asks the
    /// store the same.
    pub(crate) async fn would_fit(&self, user: &UserId, shown: &ShownFactor) -> Result<bool, AccountError> {
        const APPS: &str = "SELECT id, secret, used_step FROM second_factors \
            WHERE user_id = $1 AND kind = 'totp' AND confirmed_at IS NOT NULL";
        const PAPER: &str = "SELECT COUNT(*) AS count FROM recovery_codes WHERE user_id = $1 AND hash = $2";
        let typed = shown.code.expose_secret();
        match shown.kind {
            FactorKind::Totp => {
                for row in self.store.rows(Statement::new(APPS).text(user.as_str())).await? {
                    if self.totp_step(&row, typed)?.is_some() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            FactorKind::RecoveryCode => {
                let Some(hash) = RecoveryCodeHash::of(user.as_str(), typed) else { return Ok(false) };
                let count = Statement::new(PAPER).text(user.as_str());
                let row = self.store.row(count.text(STANDARD_NO_PAD.encode(hash.as_bytes()))).await?;
                Ok(row.map(|row| row.integer("count")).transpose()?.unwrap_or_default() > 0)
            }
            // Whoever reads the mail of an account comes back by a link for another password, a passkey is a login by
            // itself, and no code is sent to a telephone for a login that is paused.
            FactorKind::Email | FactorKind::Sms | FactorKind::Passkey => Ok(false),
        }
    }

    /// A code that is known to be wrong, shown with the right password.
    pub(crate) async fn count_wrong_code(&self, email: &EmailAddress, shown: &ShownFactor, visit: &Visit) {
        let (factor, device) = (shown.kind.counted(), shown.device.as_ref());
        if let Ok(ticket) = self.protection.begin_factor(email.as_str(), factor, device, visit).await {
            self.protection.failed(ticket, visit);
        }
    }

    async fn uses_code(&self, user: &UserId, kind: FactorKind, typed: &str) -> Result<bool, AccountError> {
        if kind.strength() == FactorStrength::Weak && !self.factor_kinds(user).await?.contains(&kind) {
            return Ok(false);
        }
        match kind {
            FactorKind::Totp => self.uses_totp(user, typed).await,
            FactorKind::Email => self.uses_sent_code(SentTo::Address(user), typed).await,
            FactorKind::Sms => match self.telephone(user).await? {
                Some(telephone) => {
                    self.uses_sent_code(SentTo::Telephone(user, &telephone.factor), typed).await
                }
                None => Ok(false),
            },
            FactorKind::RecoveryCode => self.uses_recovery_code(user, typed).await,
            // No code is a passkey.
            FactorKind::Passkey => Ok(false),
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
        let Some(TotpStep(step)) = self.totp_step(row, typed)? else { return Ok(false) };
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let using = Statement::new(USE).text(row.text("id")?).integer(step).integer(moment::now());
        Ok(self.store.execute(using).await? == 1)
    }

    fn totp_step(&self, row: &Row, typed: &str) -> Result<Option<TotpStep>, AccountError> {
        let secret = self.factor_keys.unseal(&row.text("id")?, &row.text("secret")?)?;
        let used = u64::try_from(row.integer("used_step")?).ok().map(TotpStep);
        Ok(Totp::default().verify(&secret, typed, SystemTime::now(), used).ok())
    }

    /// Whether it is the code that was sent. A try is taken before anything is compared.
    pub(crate) async fn uses_sent_code(&self, to: SentTo<'_>, typed: &str) -> Result<bool, AccountError> {
        const TRY: &str = "UPDATE one_time_codes SET tries_left = tries_left - 1 \
            WHERE user_id = $1 AND purpose = $2 AND tries_left > 0 AND expires_at > $3 \
            RETURNING nonce, hash, expires_at, tries_left";
        const USE: &str = "DELETE FROM one_time_codes WHERE user_id = $1 AND nonce = $2";
        let (user, purpose) = (to.user().as_str(), to.purpose());
        let tried = Statement::new(TRY).text(user).text(purpose.name()).integer(moment::now());
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
        if code.verify(keys, purpose, &to.bound(), typed, now).is_err() {
            return Ok(false);
        }
        Ok(self.store.execute(Statement::new(USE).text(user).text(nonce)).await? == 1)
    }

    async fn uses_recovery_code(&self, user: &UserId, typed: &str) -> Result<bool, AccountError> {
        const USE: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2";
        let Some(hash) = RecoveryCodeHash::of(user.as_str(), typed) else { return Ok(false) };
        let using = Statement::new(USE).text(user.as_str()).text(STANDARD_NO_PAD.encode(hash.as_bytes()));
        Ok(self.store.execute(using).await? == 1)
    }

    /// Sends a code, which takes the place of the one before. At most one in half a minute, three an hour: whoever knows the
    /// password is not to fill a mailbox. Counted apart from other messages, which strangers can ask for.
    pub(crate) async fn send_code(&self, owner: Owner<'_>) -> Result<(), AccountError> {
        let (mailer, to) = (self.mailer()?, SentTo::Address(owner.user));
        let Some(code) = self.issue_code(to).await? else { return Ok(()) };
        if !self.protection.admits_message(&format!("code to {}", owner.email)).await {
            self.forget_code(to).await?;
            return Err(AccountError::TooManyMessages);
        }
        mailer.send(letters::code(owner.email, &code));
        Ok(())
    }

    /// A code to be sent, unless one was sent in the last half minute.
    pub(crate) async fn issue_code(&self, to: SentTo<'_>) -> Result<Option<SecretString>, AccountError> {
        const KEEP: &str = "INSERT INTO one_time_codes (user_id, purpose, nonce, hash, expires_at, tries_left) \
            VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, purpose) DO UPDATE SET \
            nonce = excluded.nonce, hash = excluded.hash, expires_at = excluded.expires_at, \
            tries_left = excluded.tries_left WHERE one_time_codes.expires_at < $7";
        let (policy, purpose) = (CodePolicy::default(), to.purpose());
        let (code, issued) =
            policy.issue(self.factor_keys.codes(), purpose, &to.bound(), SystemTime::now())?;
        let expires = moment::milliseconds(issued.expires);
        let keep = Statement::new(KEEP)
            .text(to.user().as_str())
            .text(purpose.name())
            .text(STANDARD_NO_PAD.encode(issued.nonce))
            .text(STANDARD_NO_PAD.encode(issued.hash))
            .integer(expires)
            .integer(issued.tries_left)
            .integer(expires.saturating_sub(30_000));
        Ok((self.store.execute(keep).await? == 1).then_some(code))
    }

    /// A code that was not sent, or was sent to a place that does not count any more, is worth nothing.
    pub(crate) async fn forget_code(&self, to: SentTo<'_>) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM one_time_codes WHERE user_id = $1 AND purpose = $2";
        let forget = Statement::new(FORGET).text(to.user().as_str()).text(to.purpose().name());
        self.store.execute(forget).await.map(|_| ())
    }
}

/// Where a code is sent. A code is good for the place that it was sent to, and for no other.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SentTo<'a> {
    /// To the address of the account.
    Address(&'a UserId),
    /// To the telephone with this id.
    Telephone(&'a UserId, &'a str),
}

impl<'a> SentTo<'a> {
    fn user(self) -> &'a UserId {
        match self {
            Self::Address(user) | Self::Telephone(user, _) => user,
        }
    }

    fn purpose(self) -> CodePurpose {
        match self {
            Self::Address(_) => CodePurpose::SecondFactor,
            Self::Telephone(..) => CodePurpose::Telephone,
        }
    }

    fn bound(self) -> String {
        match self {
            Self::Address(user) => user.as_str().to_owned(),
            Self::Telephone(user, factor) => format!("{user} {factor}"),
        }
    }
}

fn bytes<const N: usize>(text: &str) -> Result<[u8; N], StoreError> {
    let decoded = STANDARD_NO_PAD.decode(text).ok();
    let decoded = decoded.and_then(|decoded| decoded.try_into().ok());
    decoded.ok_or(StoreError::Nonsense { what: "a one-time code" })
}
