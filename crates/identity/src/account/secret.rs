//! Passwords: judged, hashed and checked on threads of their own.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bartizan_config::Passwords;
use secrecy::SecretString;

use super::AccountError;
use crate::password::{
    Argon2Parameters, Factors, HashingLimits, Password, PasswordContext, PasswordHash, PasswordHasher,
    PasswordProfile, PasswordRules,
};

/// What the gateway itself is called, which no password may consist of.
const SERVICE: [&str; 1] = ["bartizan"];

/// The rules and the hashing threads.
#[derive(Debug)]
pub(crate) struct Secrets(ArcSwap<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Passwords,
    hasher: PasswordHasher,
    rules: Arc<PasswordRules>,
}

impl Secrets {
    pub(crate) fn new(settings: &Passwords) -> Result<Self, AccountError> {
        Ok(Self(ArcSwap::from_pointee(Inner::new(settings)?)))
    }

    /// Threads are started anew only for other settings.
    pub(crate) fn reconfigure(&self, settings: &Passwords) -> Result<(), AccountError> {
        if self.0.load().settings != *settings {
            self.0.store(Arc::new(Inner::new(settings)?));
        }
        Ok(())
    }

    /// The hash of a new password that keeps the rules.
    pub(crate) async fn admit(
        &self,
        typed: &SecretString,
        context: &[&str],
    ) -> Result<PasswordHash, AccountError> {
        let inner = self.0.load_full();
        let weak = |reason: String| AccountError::WeakPassword(vec![reason]);
        let password = Password::new(typed).map_err(|error| weak(error.to_string()))?;
        let judged = inner.hasher.check(
            Arc::clone(&inner.rules),
            password.clone(),
            Factors::Alone,
            PasswordContext::new(context),
        );
        let violations = judged.await?.map_err(|error| AccountError::Hashing(error.to_string()))?;
        if !violations.is_empty() {
            return Err(AccountError::WeakPassword(violations.iter().map(ToString::to_string).collect()));
        }
        Ok(inner.hasher.hash(password).await?)
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
        let Some(stored) = stored.and_then(|stored| PasswordHash::parse(stored).ok()) else {
            inner.hasher.verify_nobody(password).await?;
            return Ok((false, None));
        };
        let verified = inner.hasher.verify(password.clone(), &stored).await?;
        let renewed = if verified.needs_rehash { Some(inner.hasher.hash(password).await?) } else { None };
        Ok((verified.matches, renewed))
    }
}

impl Inner {
    fn new(settings: &Passwords) -> Result<Self, AccountError> {
        let Passwords { memory_kib, iterations, parallelism, profile } = *settings;
        let parameters = Argon2Parameters::new(memory_kib, iterations, parallelism)
            .map_err(|error| AccountError::Hashing(error.to_string()))?;
        let profile = match profile {
            bartizan_config::PasswordProfile::Nist => PasswordProfile::Nist,
            bartizan_config::PasswordProfile::CharacterClasses => PasswordProfile::CharacterClasses,
        };
        Ok(Self {
            settings: settings.clone(),
            hasher: PasswordHasher::start(parameters, HashingLimits::default())?,
            rules: Arc::new(PasswordRules::new(profile, SERVICE)),
        })
    }
}
