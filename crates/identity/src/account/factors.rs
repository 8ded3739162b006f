//! The second factors of a person: enrolled, listed, removed by themselves; reset by an operator.
//!
//! Each change takes a session whose person was proven within a quarter of an hour, by a second factor if there is one:
//! a session that somebody left open does not lock its owner out.

use std::time::{Duration, SystemTime};

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    AccountError, Accounts, CurrentSession, FactorKind, Methods, Person, PersonId, Visit,
    audit::of_secret,
    factor_check::{Owner, SentTo},
    letters,
    login::{done, end_all},
    people::check_name,
    protection::Recovery,
    withdrawn_methods::withdraw_methods,
};
use crate::{
    attempts::Factor,
    second_factor::{
        recovery,
        totp::{Totp, TotpSecret},
    },
    session::{SessionToken, changes::SessionChanges, moment},
};

/// How lately somebody must have been proven to change their factors.
pub(crate) const FRESH: Duration = Duration::from_mins(15);
/// Apps and passkeys of one person.
const MOST: usize = 10;

/// A second factor of a person.
#[derive(Debug, Clone)]
pub struct SecondFactor {
    /// Its id.
    pub id: String,
    /// What it is.
    pub kind: FactorKind,
    /// What the person calls it.
    pub name: String,
    /// Since when it counts.
    pub added: SystemTime,
    /// When it was used last.
    pub used: Option<SystemTime>,
}

/// The second factors of a person.
#[derive(Debug, Clone)]
pub struct SecondFactors {
    /// All that count, the oldest first.
    pub factors: Vec<SecondFactor>,
    /// How many codes on paper are left.
    pub recovery_codes: u32,
}

/// An authenticator app that is being enrolled: to be shown once.
#[derive(Debug)]
pub struct EnrolledTotp {
    /// The id of the factor.
    pub id: String,
    /// For typing into the app.
    pub secret: SecretString,
    /// For an app on the same device.
    pub uri: SecretString,
    /// For the camera of another one.
    pub qr: SecretString,
}

impl Accounts {
    /// The factors of the holder of this token.
    pub async fn factors(&self, token: &SessionToken) -> Result<SecondFactors, AccountError> {
        let session = self.current_session(token).await?;
        self.factors_of(&session.user).await
    }

    pub(crate) async fn factors_of(&self, user: &UserId) -> Result<SecondFactors, AccountError> {
        const READ: &str = "SELECT id, kind, name, confirmed_at, used_at FROM second_factors \
            WHERE user_id = $1 AND confirmed_at IS NOT NULL ORDER BY created_at, id";
        const PAPER: &str = "SELECT COUNT(*) AS count FROM recovery_codes WHERE user_id = $1";
        let rows = self.store.rows(Statement::new(READ).text(user.as_str())).await?;
        let factors = rows.iter().map(SecondFactor::of).collect::<Result<_, _>>()?;
        let count = self.store.row(Statement::new(PAPER).text(user.as_str())).await?;
        let count = count.map(|row| row.integer("count")).transpose()?.unwrap_or_default();
        Ok(SecondFactors { factors, recovery_codes: u32::try_from(count).unwrap_or_default() })
    }

    /// Begins to enrol an authenticator app. It counts once a code of it is confirmed.
    pub async fn enrol_totp(
        &self,
        token: &SessionToken,
        name: &str,
        visit: &Visit,
    ) -> Result<EnrolledTotp, AccountError> {
        let session = self.fresh(token, visit).await?;
        let (secret, name) = (TotpSecret::generate()?, check_name(name)?);
        let shown = Totp::default()
            .enrol(&secret, &self.second_factor_settings().issuer, session.email.as_str())
            .map_err(|_| AccountError::Name("the address is too long for an authenticator app"))?;
        let id = uuid::Uuid::now_v7().to_string();
        let sealed = self.factor_keys.seal(&id, &secret)?;
        self.begin_factor(&session.user, (&id, FactorKind::Totp, name), &sealed).await?;
        Ok(EnrolledTotp { id, secret: secret.base32(), uri: shown.uri().clone(), qr: shown.svg().into() })
    }

    /// Begins to enrol the address of the account: sends a code to be confirmed. The answer is the id of the factor.
    pub async fn enrol_email(&self, token: &SessionToken, visit: &Visit) -> Result<String, AccountError> {
        let session = self.fresh(token, visit).await?;
        let known = self.factors_of(&session.user).await?.factors;
        if known.iter().any(|factor| factor.kind == FactorKind::Email) {
            return Err(AccountError::Taken("the address as a second factor".into()));
        }
        let id = uuid::Uuid::now_v7().to_string();
        self.begin_factor(&session.user, (&id, FactorKind::Email, "e-mail"), "").await?;
        self.send_code(Owner { user: &session.user, email: &session.email }).await?;
        Ok(id)
    }

    pub(crate) async fn begin_factor(
        &self,
        user: &UserId,
        (id, kind, name): (&str, FactorKind, &str),
        sealed: &str,
    ) -> Result<(), AccountError> {
        const BEGIN: &str = "INSERT INTO second_factors (id, user_id, kind, name, secret, used_step, created_at) \
            VALUES ($1, $2, $3, $4, $5, -1, $6)";
        let mut transaction = self.store.begin().await?;
        make_room(&mut transaction, user).await?;
        let begin = Statement::new(BEGIN).text(id).text(user.as_str()).text(kind.name()).text(name);
        transaction.execute(begin.text(sealed).integer(moment::now())).await?;
        Ok(transaction.commit().await?)
    }

    /// Confirms a factor with a code of it. With the first one come recovery codes, to be shown once.
    pub async fn confirm_factor(
        &self,
        token: &SessionToken,
        id: &str,
        code: &SecretString,
        visit: &Visit,
    ) -> Result<Vec<SecretString>, AccountError> {
        const READ: &str = "SELECT id, kind, secret, used_step FROM second_factors \
            WHERE id = $1 AND user_id = $2 AND confirmed_at IS NULL";
        const CONFIRM: &str =
            "UPDATE second_factors SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL";
        let session = self.fresh(token, visit).await?;
        let user = session.user.as_str();
        let row = self.store.row(Statement::new(READ).text(id).text(user)).await?;
        let row = row.ok_or_else(|| AccountError::Missing("factor with this id to confirm".into()))?;
        let kind = FactorKind::named(&row.text("kind")?);
        self.check_confirmation(&session, &row, kind, code, visit).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        if transaction.execute(Statement::new(CONFIRM).text(id).integer(moment::now())).await? == 0 {
            return Err(AccountError::Missing("factor with this id to confirm".into()));
        }
        let kind = kind.ok_or(StoreError::Nonsense { what: "a second factor" })?;
        self.factor_added(transaction, &session, (id, kind), kind.methods(), visit).await
    }

    /// A factor counts from now on. With the first one come recovery codes.
    pub(crate) async fn factor_added(
        &self,
        mut transaction: Transaction,
        session: &CurrentSession,
        (id, kind): (&str, FactorKind),
        methods: Methods,
        visit: &Visit,
    ) -> Result<Vec<SecretString>, AccountError> {
        let user = session.user.as_str();
        let is_first = !session.has_second_factor;
        let codes = if is_first { write_recovery_codes(&mut transaction, user).await? } else { Vec::new() };
        // Whoever confirms it has just shown it.
        prove(&mut transaction, session, session.methods.and(methods), visit).await?;
        SessionChanges::tell_and_revoke(&mut transaction, user).await?;
        let after = json!({ "factor": id, "kind": kind.name() });
        let details = json!({ "factor": id, "kind": kind.name(), "before": null, "after": after });
        done("factor.add", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.to_owned()]);
        self.tell(letters::factors_changed(&session.email));
        Ok(codes)
    }

    async fn check_confirmation(
        &self,
        session: &CurrentSession,
        row: &Row,
        kind: Option<FactorKind>,
        code: &SecretString,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let email = session.email.as_str();
        let counted = kind.map_or(Factor::OneTimeCode, FactorKind::counted);
        let telephone = row.text("id")?;
        let begun = self.protection.begin_factor(email, counted, None, visit).await;
        let ticket = self.told_of_pauses(begun, "factor.add", email, visit).await?;
        let checked = match kind {
            Some(FactorKind::Totp) => self.uses_totp_of(row, code.expose_secret()).await,
            Some(FactorKind::Email) => {
                self.uses_sent_code(SentTo::Address(&session.user), code.expose_secret()).await
            }
            Some(FactorKind::Sms) => {
                let to = SentTo::Telephone(&session.user, &telephone);
                self.uses_sent_code(to, code.expose_secret()).await
            }
            Some(FactorKind::RecoveryCode | FactorKind::Passkey) | None => Ok(false),
        };
        match checked {
            Ok(true) => {
                self.protection.succeeded(ticket);
                Ok(())
            }
            Ok(false) => {
                self.protection.failed(ticket, visit);
                self.refused("factor.add", email, visit).await?;
                Err(AccountError::WrongCode)
            }
            Err(error) => {
                self.protection.withdrawn(ticket);
                Err(error)
            }
        }
    }

    /// Removes a factor; with the last one the recovery codes.
    pub async fn remove_factor(
        &self,
        token: &SessionToken,
        id: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const REMOVE: &str = "DELETE FROM second_factors WHERE id = $1 AND user_id = $2 AND confirmed_at IS NOT NULL RETURNING kind";
        const PAPER: &str = "DELETE FROM recovery_codes WHERE user_id = $1 AND NOT EXISTS \
            (SELECT 1 FROM second_factors f WHERE f.user_id = $1 AND f.confirmed_at IS NOT NULL)";
        let session = self.fresh(token, visit).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        let row = transaction.row(Statement::new(REMOVE).text(id).text(user)).await?;
        let row = row.ok_or_else(|| AccountError::Missing("factor of yours with this id".into()))?;
        transaction.execute(Statement::new(PAPER).text(user)).await?;
        check_password_alone(&mut transaction, user).await?;
        withdraw_methods(&mut transaction, user).await?;
        SessionChanges::tell_and_revoke(&mut transaction, user).await?;
        let kind = row.text("kind")?;
        let before = json!({ "factor": id, "kind": kind });
        let details = json!({ "factor": id, "kind": kind, "before": before, "after": null });
        done("factor.remove", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.to_owned()]);
        self.tell(letters::factors_changed(&session.email));
        Ok(())
    }

    /// Other recovery codes, to be shown once; those before are worth nothing from now on.
    pub async fn renew_recovery_codes(
        &self,
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<Vec<SecretString>, AccountError> {
        let session = self.fresh(token, visit).await?;
        let user = session.user.as_str();
        if !session.has_second_factor {
            return Err(AccountError::Missing("second factor that recovery codes could stand in for".into()));
        }
        let mut transaction = self.store.begin().await?;
        let codes = write_recovery_codes(&mut transaction, user).await?;
        let details = of_secret("recovery_codes");
        done("factor.renew_recovery_codes", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.tell(letters::factors_changed(&session.email));
        Ok(codes)
    }

    /// Removes every factor of a person who has lost theirs, and ends their sessions: an operator does.
    pub async fn reset_factors(
        &self,
        who: &PersonId,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        const RESET: [&str; 4] = [
            "DELETE FROM second_factors WHERE user_id = $1",
            "DELETE FROM recovery_codes WHERE user_id = $1",
            "DELETE FROM one_time_codes WHERE user_id = $1",
            // Whoever must have a factor is given their time again.
            "UPDATE users SET factor_asked_at = NULL WHERE id = $1",
        ];
        let person = self.person(who).await?;
        let user = person.id.as_str();
        let before: Vec<_> =
            self.factors_of(&person.id).await?.factors.iter().map(|factor| factor.kind.name()).collect();
        let mut transaction = self.store.everywhere().begin().await?;
        for sql in RESET {
            transaction.execute(Statement::new(sql).text(user)).await?;
        }
        check_password_alone(&mut transaction, user).await?;
        let ended = end_all(&mut transaction, user).await?;
        Recovery::tell(&mut transaction, user).await?;
        let details = json!({ "before": before, "after": [] });
        done("user.reset_factors", actor, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.protection.recover(&person.email);
        if let Ok(email) = person.email.parse() {
            self.tell(letters::factors_changed(&email));
        }
        Ok(person)
    }

    /// The session of this token, if its person was proven lately and from there, by a second factor if they have one.
    pub(crate) async fn fresh(
        &self,
        token: &SessionToken,
        visit: &Visit,
    ) -> Result<CurrentSession, AccountError> {
        let session = self.current_session(token).await?;
        let is_late = session.proven.elapsed().is_ok_and(|age| age > FRESH);
        let is_weak = session.has_second_factor && !session.methods.are_several();
        if is_late || is_weak || session.home.is_left(visit) {
            return Err(AccountError::StepUp);
        }
        Ok(session)
    }
}

/// Those that were begun and never confirmed make room.
pub(crate) async fn make_room(transaction: &mut Transaction, user: &UserId) -> Result<(), AccountError> {
    const FORGET: &str = "DELETE FROM second_factors WHERE user_id = $1 AND confirmed_at IS NULL";
    const COUNT: &str = "SELECT COUNT(*) AS count FROM second_factors WHERE user_id = $1";
    transaction.execute(Statement::new(FORGET).text(user.as_str())).await?;
    let count = transaction.row(Statement::new(COUNT).text(user.as_str())).await?;
    let count = count.map(|row| row.integer("count")).transpose()?.unwrap_or_default();
    if usize::try_from(count).unwrap_or_default() >= MOST {
        return Err(AccountError::Taken("every place for a second factor".into()));
    }
    Ok(())
}

/// From now on the person of a session is proven by these.
pub(crate) async fn prove(
    transaction: &mut Transaction,
    session: &CurrentSession,
    methods: Methods,
    visit: &Visit,
) -> Result<(), StoreError> {
    const PROVE: &str = "UPDATE sessions SET proven_at = $2, methods = $3, address = $4, client = $5, \
        networks = $6, moved_at = NULL WHERE id = $1";
    let prove = Statement::new(PROVE)
        .text(session.id.as_str())
        .integer(moment::now())
        .text(methods.stored())
        .text(visit.address())
        .text(visit.client())
        .text(session.home.proven_at(visit.address));
    transaction.execute(prove).await?;
    // Tokens from before say less, and nothing wrong.
    SessionChanges::tell(transaction, session.id.as_str()).await
}

/// Whether the password of a person may be all that is asked for, where it is now.
async fn check_password_alone(transaction: &mut Transaction, user: &str) -> Result<(), AccountError> {
    const COUNT: &str = "SELECT COUNT(*) AS count FROM password_credentials p \
        WHERE p.user_id = $1 AND p.needs_second_factor <> 0 AND NOT EXISTS \
        (SELECT 1 FROM second_factors f WHERE f.user_id = $1 AND f.kind IN ('totp', 'passkey') \
        AND f.confirmed_at IS NOT NULL)";
    let row = transaction.row(Statement::new(COUNT).text(user)).await?;
    let is_weak = row.map(|row| row.integer("count")).transpose()?.unwrap_or_default() > 0;
    if is_weak { Err(AccountError::PasswordTooWeakAlone) } else { Ok(()) }
}

async fn write_recovery_codes(
    transaction: &mut Transaction,
    user: &str,
) -> Result<Vec<SecretString>, AccountError> {
    const FORGET: &str = "DELETE FROM recovery_codes WHERE user_id = $1";
    const WRITE: &str = "INSERT INTO recovery_codes (user_id, hash) VALUES ($1, $2)";
    transaction.execute(Statement::new(FORGET).text(user)).await?;
    let mut codes = Vec::with_capacity(recovery::CODES);
    for (code, hash) in recovery::generate(user)? {
        let hash = STANDARD_NO_PAD.encode(hash.as_bytes());
        transaction.execute(Statement::new(WRITE).text(user).text(hash)).await?;
        codes.push(code);
    }
    Ok(codes)
}

impl SecondFactor {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let nonsense = StoreError::Nonsense { what: "a second factor" };
        Ok(Self {
            id: row.text("id")?,
            kind: FactorKind::named(&row.text("kind")?).ok_or(nonsense)?,
            name: row.text("name")?,
            added: moment::moment(row.integer("confirmed_at")?),
            used: row.optional_integer("used_at")?.map(moment::moment),
        })
    }
}
