//! Passwords: judged, hashed and checked on threads of their own.

use std::{path::Path, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use bartizan_config::Passwords;
use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError};
use secrecy::SecretString;

use super::{AccountError, Accounts, FactorKind};
use crate::password::{
    Argon2Parameters, Blocklist, Factors, ForeignHash, HashingLimits, Password, PasswordContext,
    PasswordHash, PasswordHasher, PasswordProfile, PasswordRules, Violation,
};

/// What the gateway itself is called, which no password may consist of.
const SERVICE: &str = "bartizan";

/// The rules and the hashing threads.
#[derive(Debug)]
pub(crate) struct Secrets(ArcSwap<Inner>);

/// Rules and threads that are not in use yet.
#[derive(Debug)]
pub(crate) struct PreparedSecrets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    asked: Asked,
    hasher: PasswordHasher,
    rules: Arc<PasswordRules>,
}

/// What rules and threads are made of.
#[derive(Debug, PartialEq)]
struct Asked {
    settings: Passwords,
    /// Names that everybody knows.
    service: Vec<String>,
    /// When the blocklist was written.
    written: Option<SystemTime>,
}

/// A new password that keeps the rules.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) hash: PasswordHash,
    /// It is too weak to open the account alone.
    pub(crate) needs_second_factor: bool,
}

/// A new password that keeps the rules, before it costs a hash.
#[derive(Debug)]
pub(crate) struct Judged {
    inner: Arc<Inner>,
    password: Password,
}

impl Judged {
    pub(crate) async fn hash(self) -> Result<PasswordHash, AccountError> {
        Ok(self.inner.hasher.hash(self.password).await?)
    }
}

impl Secrets {
    pub(crate) fn new(settings: &bartizan_config::Accounts) -> Result<Self, AccountError> {
        Ok(Self(ArcSwap::from_pointee(Inner::new(Asked::of(settings))?)))
    }

    /// What other settings ask for: threads are started and the blocklist read anew only then.
    pub(crate) fn prepare(
        &self,
        settings: &bartizan_config::Accounts,
    ) -> Result<Option<PreparedSecrets>, AccountError> {
        let asked = Asked::of(settings);
        if self.0.load().asked == asked {
            return Ok(None);
        }
        Ok(Some(PreparedSecrets(Arc::new(Inner::new(asked)?))))
    }

    pub(crate) fn take_over(&self, PreparedSecrets(inner): PreparedSecrets) {
        self.0.store(inner);
    }

    /// Whether rules and hashes can be made as these settings say.
    pub(crate) fn examine(settings: &Passwords) -> Result<(), AccountError> {
        parameters(settings)?;
        settings.blocklist.as_deref().map(Blocklist::open).transpose()?;
        Ok(())
    }

    /// The hash of a new password that is good enough alone.
    pub(crate) async fn admit(
        &self,
        typed: &SecretString,
        context: &[&str],
    ) -> Result<PasswordHash, AccountError> {
        Ok(self.admit_with(Factors::Alone, typed, context).await?.hash)
    }

    /// The hash of a new password that is good enough for whoever shows these factors.
    pub(crate) async fn admit_with(
        &self,
        factors: Factors,
        typed: &SecretString,
        context: &[&str],
    ) -> Result<Admitted, AccountError> {
        let judged = self.judge(factors, typed, context).await?;
        let needs_second_factor = factors == Factors::WithSecondFactor
            && !judged.inner.judge(&judged.password, Factors::Alone, context).await?.is_empty();
        Ok(Admitted { hash: judged.hash().await?, needs_second_factor })
    }

    /// A new password, if it is good enough for whoever shows these factors. Nothing is hashed yet.
    pub(crate) async fn judge(
        &self,
        factors: Factors,
        typed: &SecretString,
        context: &[&str],
    ) -> Result<Judged, AccountError> {
        let inner = self.0.load_full();
        let weak = |reason: String| AccountError::WeakPassword(vec![reason]);
        let password = Password::new(typed).map_err(|error| weak(error.to_string()))?;
        let violations = inner.judge(&password, factors, context).await?;
        if violations.is_empty() {
            return Ok(Judged { inner, password });
        }
        let told = violations.iter().map(|violation| format!("{violation} ({})", violation.code()));
        Err(AccountError::WeakPassword(told.collect()))
    }

    /// Whether `typed` is the password behind `stored`, and its new hash where it is time for one. Without `stored` it
    /// takes the same time.
    pub(crate) async fn verify(
        &self,
        typed: Option<Password>,
        stored: Option<&str>,
    ) -> Result<(bool, Option<PasswordHash>), AccountError> {
        let inner = self.0.load_full();
        // What cannot be a password is told from the text alone, whoever is meant.
        let Some(password) = typed else { return Ok((false, None)) };
        let own = stored.and_then(|stored| PasswordHash::parse(stored).ok());
        let foreign = stored.filter(|_| own.is_none()).and_then(|stored| ForeignHash::parse(stored).ok());
        let verified = match (own, foreign) {
            (Some(own), _) => inner.hasher.verify(password.clone(), &own).await?,
            (None, Some(foreign)) => inner.hasher.verify_foreign(password.clone(), &foreign).await?,
            (None, None) => inner.hasher.verify_nobody(password.clone()).await?,
        };
        let renewed = if verified.needs_rehash { Some(inner.hasher.hash(password).await?) } else { None };
        Ok((verified.matches, renewed))
    }
}

impl Asked {
    fn of(accounts: &bartizan_config::Accounts) -> Self {
        let settings = accounts.passwords.clone();
        let mut service = vec![SERVICE.to_owned(), accounts.second_factor.issuer.clone()];
        if let Some(mail) = &accounts.mail {
            service.extend([&mail.base_url, &mail.from].map(|text| host(text).to_owned()));
        }
        service.extend(settings.context_words.iter().cloned());
        let written = settings.blocklist.as_deref().and_then(written);
        Self { settings, service, written }
    }
}

/// Of a URL, or of an address with or without a name.
fn host(text: &str) -> &str {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.rsplit_once('@').map_or(text, |(_, host)| host);
    text.split(['/', ':', '>']).next().unwrap_or_default()
}

fn parameters(settings: &Passwords) -> Result<Argon2Parameters, AccountError> {
    Argon2Parameters::new(settings.memory_kib, settings.iterations, settings.parallelism)
        .map_err(|error| AccountError::Hashing(error.to_string()))
}

fn written(blocklist: &Path) -> Option<SystemTime> {
    blocklist.metadata().and_then(|metadata| metadata.modified()).ok()
}

impl Inner {
    fn new(asked: Asked) -> Result<Self, AccountError> {
        let parameters = parameters(&asked.settings)?;
        let profile = match asked.settings.profile {
            bartizan_config::PasswordProfile::Nist => PasswordProfile::Nist,
            bartizan_config::PasswordProfile::CharacterClasses => PasswordProfile::CharacterClasses,
        };
        let rules = PasswordRules::new(profile, &asked.service);
        let rules = match &asked.settings.blocklist {
            Some(path) => rules.with_blocklist(Blocklist::open(path)?),
            None => rules,
        };
        let hasher = PasswordHasher::start(parameters, HashingLimits::default())?;
        Ok(Self { asked, hasher, rules: Arc::new(rules) })
    }

    async fn judge(
        &self,
        password: &Password,
        factors: Factors,
        context: &[&str],
    ) -> Result<Vec<Violation>, AccountError> {
        let (rules, context) = (Arc::clone(&self.rules), PasswordContext::new(context));
        Ok(self.hasher.check(rules, password.clone(), factors, context).await??)
    }
}

impl Accounts {
    /// Which rules another password of a person has to keep. SP 800-63B-4 takes no e-mail for a factor (section 3.1.3.1), and
    /// whoever reads it can choose another password; a telephone number is taken over.
    pub(super) async fn factors_beside(&self, user: &UserId) -> Result<Factors, StoreError> {
        let has_own = self.factor_kinds(user).await?.into_iter().any(FactorKind::is_own);
        Ok(if has_own { Factors::WithSecondFactor } else { Factors::Alone })
    }

    /// What the organisations of a person are called.
    pub(super) async fn organization_names(&self, user: &UserId) -> Result<Vec<String>, StoreError> {
        const READ: &str = "SELECT DISTINCT o.name FROM role_bindings r \
            JOIN organizations o ON o.id = r.organization_id WHERE r.user_id = $1 ORDER BY o.name LIMIT 8";
        let rows = self.store.everywhere().rows(Statement::new(READ).text(user.as_str())).await?;
        rows.iter().map(|row| row.text("name")).collect()
    }
}
