//! People who are logged in prove themselves again.

use secrecy::SecretString;

use super::{AccountError, Accounts, CurrentSession, Visit, proven_password::ProvenPassword};
use crate::{password::Password, session::SessionToken};

impl Accounts {
    /// The session of this token, once its person has said their password, and which it was. Failures count as those of a
    /// login do.
    pub(crate) async fn prove_password(
        &self,
        token: &SessionToken,
        password: &SecretString,
        action: &'static str,
        visit: &Visit,
    ) -> Result<(CurrentSession, ProvenPassword), AccountError> {
        let session = self.current_session(token).await?;
        let email = session.email.as_str();
        let known = self.credentials(&session.email).await?.ok_or(AccountError::NoSession)?;
        let password = Password::new(password).ok();
        let begun = self.protection.begin(email, None, password.as_ref(), visit).await;
        let ticket = self.told_of_pauses(begun, action, email, visit).await?;
        match self.secrets.verify(password, known.hash.as_deref()).await {
            Ok((true, _)) => {
                self.protection.succeeded(ticket);
                Ok((session, known.proven()))
            }
            Ok((false, _)) => {
                self.protection.failed(ticket, visit);
                self.refused(action, email, visit).await?;
                Err(AccountError::WrongCredentials)
            }
            Err(error) => Err(self.undecided(ticket, error, action, email, visit).await),
        }
    }
}
