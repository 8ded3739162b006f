//! Proves again who holds a session (RFC 9470): by a second factor, if there is one, else by the password.

use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, CurrentSession, FactorKind, Methods, ShownFactor, ShownPasskey, Visit,
    factor_check::Owner, factors::prove, login::done,
};
use crate::session::SessionToken;

/// What somebody who is logged in shows once more.
#[derive(Debug)]
pub enum StepUp {
    /// The password: enough for whoever has nothing else.
    Password(SecretString),
    /// A code of a second factor.
    Factor(ShownFactor),
    /// A passkey.
    Passkey(ShownPasskey),
}

impl StepUp {
    /// What the audit trail calls it.
    pub(crate) const ACTION: &str = "session.step_up";
}

impl Accounts {
    /// Proves the person of a session again. From now on the session is at home where this comes from.
    pub async fn step_up(
        &self,
        token: &SessionToken,
        shown: &StepUp,
        visit: &Visit,
    ) -> Result<CurrentSession, AccountError> {
        let session = self.current_session(token).await?;
        let (methods, by) = match shown {
            StepUp::Factor(shown) => {
                let owner = Owner { user: &session.user, email: &session.email };
                self.check_factor(owner, shown, StepUp::ACTION, visit).await?;
                (session.methods.and(shown.kind.methods()), shown.kind.name())
            }
            StepUp::Passkey(shown) => {
                let proven = self.check_step_up_passkey(&session, shown, visit).await?;
                (session.methods.and(proven.methods), FactorKind::Passkey.name())
            }
            StepUp::Password(_) if session.has_second_factor => return Err(AccountError::StepUp),
            StepUp::Password(password) => {
                self.prove_password(token, password, StepUp::ACTION, visit).await?;
                // Whatever else was shown once, nothing of it is there any more.
                (Methods::PASSWORD, "password")
            }
        };
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        prove(&mut transaction, &session, methods, visit).await?;
        let details = json!({ "session": session.id.as_str(), "by": by });
        done(StepUp::ACTION, user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[session.id.as_str().to_owned()]);
        self.current_session(token).await
    }

    /// Sends a code to the address of the holder of this token, if it is a factor of theirs.
    pub async fn send_step_up_code(&self, token: &SessionToken) -> Result<(), AccountError> {
        let session = self.current_session(token).await?;
        if !self.factor_kinds(&session.user).await?.contains(&FactorKind::Email) {
            return Err(AccountError::Missing("second factor of yours that codes are sent to".into()));
        }
        self.send_code(Owner { user: &session.user, email: &session.email }).await
    }
}
