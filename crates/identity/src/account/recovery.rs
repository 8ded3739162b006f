//! How people come back whose logins are paused: by password and second factor at once.
//!
//! While an account or an address is paused, a password alone says nothing about itself: right or wrong, the answer is the
//! pause. Password and code together, in one request, end it. An observer learns from a refusal neither whether the
//! password was right, nor whether there is an account, nor whether it has a second factor: the answer is the same pause,
//! after the same look-ups and the same hash. So a pause leaves nothing to guess piece by piece.
//!
//! Failures count for the address, apart from those of passwords, and never for the account: otherwise strangers could use
//! up what brings its owner back. Where the password was right they count for the factor as well, as at any login, so that
//! whoever knows the password has five codes to try from however many addresses.

use std::time::Duration;

use bartizan_model::UserId;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, LoggedIn, Login, Methods, NewSession, ShownFactor, Visit,
    factor_check::Owner, login::done, protection::Recovery, proven_password::ProvenPassword,
    refusal::RefusalReason,
};
use crate::{attempts::Factor, password::Password};

/// What the audit trail calls it: a login.
const ACTION: &str = "login";

impl Accounts {
    /// Lets in whoever shows password and second factor at once, and ends the pause of their account.
    pub(super) async fn come_back(
        &self,
        login: &Login,
        password: Option<Password>,
        shown: &ShownFactor,
        pause: Duration,
        visit: &Visit,
    ) -> Result<LoggedIn, AccountError> {
        let email: Option<EmailAddress> = login.email.parse().ok();
        let told = email.as_ref().map_or(login.email.as_str(), EmailAddress::as_str);
        let audited = email.as_ref().map_or("", EmailAddress::as_str);
        let device = login.device.as_ref();
        let begun = self.protection.begin_factor(told, Factor::PasswordAndFactor, device, visit).await;
        let Ok(ticket) = begun else {
            self.refused_because(RefusalReason::Paused, ACTION, audited, visit).await?;
            return Err(AccountError::Paused(pause));
        };
        match self.prove_both(email.as_ref(), password, shown, visit).await {
            Ok(Some((proven, email))) => {
                self.protection.succeeded(ticket);
                let again = (&proven, &email);
                match self.enter_again(again, login.organization.as_deref(), shown, visit).await? {
                    Some(session) => Ok(LoggedIn::Session(session)),
                    None => Err(AccountError::Paused(pause)),
                }
            }
            Ok(None) => {
                self.protection.failed(ticket, visit);
                self.refused_because(RefusalReason::Paused, ACTION, audited, visit).await?;
                Err(AccountError::Paused(pause))
            }
            Err(error) => Err(self.undecided(ticket, error, ACTION, audited, visit).await),
        }
    }

    /// Whose password and code these are, if both are right and theirs. The code is used up only then.
    async fn prove_both(
        &self,
        email: Option<&EmailAddress>,
        password: Option<Password>,
        shown: &ShownFactor,
        visit: &Visit,
    ) -> Result<Option<(ProvenPassword, EmailAddress)>, AccountError> {
        let known = match email {
            Some(email) => self.credentials(email).await?,
            None => None,
        };
        let hash = known.as_ref().and_then(|known| known.hash.as_deref());
        let (matches, _) = self.secrets.verify(password, hash).await?;
        let nobody = UserId::from("");
        // Looked up whether the password is right or not.
        let fits = self.would_fit(known.as_ref().map_or(&nobody, |known| &known.user), shown).await?;
        let proven = known.filter(|known| matches && !known.is_disabled);
        let Some((known, email)) = proven.zip(email) else { return Ok(None) };
        let proven = known.proven();
        if !fits {
            self.count_wrong_code(email, shown, visit).await;
            return Ok(None);
        }
        match self.check_factor(Owner { user: &proven.user, email }, shown, ACTION, visit).await {
            Ok(()) => Ok(Some((proven, email.clone()))),
            Err(AccountError::WrongCode | AccountError::Paused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Nobody, if their password is another one by now.
    async fn enter_again(
        &self,
        (proven, email): (&ProvenPassword, &EmailAddress),
        organization: Option<&str>,
        shown: &ShownFactor,
        visit: &Visit,
    ) -> Result<Option<NewSession>, AccountError> {
        let (user, methods) = (&proven.user, Methods::PASSWORD.and(shown.kind.methods()));
        let mut transaction = self.store.everywhere().begin().await?;
        if !proven.hold(&mut transaction).await? {
            return Ok(None);
        }
        let (session, ended) =
            self.begin_session(&mut transaction, (user, email), methods, organization, visit).await?;
        Recovery::tell(&mut transaction, user.as_str()).await?;
        let details =
            json!({ "session": session.id.as_str(), "factor": shown.kind.name(), "pause": "ended" });
        done(ACTION, user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.protection.recover(email.as_str());
        Ok(Some(session))
    }
}
