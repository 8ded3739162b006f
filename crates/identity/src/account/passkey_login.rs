//! Logins with a passkey: alone, or after the password.

use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, CurrentSession, FactorKind, LinkToken, NewSession, PasskeyRequest, ShownPasskey,
    StepUp, Visit,
    factor_check::Owner,
    login::done,
    passkey_check::{Asked, ProvenByPasskey},
};
use crate::{passkey::ChallengePurpose, session::SessionToken};

impl Accounts {
    /// Begins a session for whoever has this passkey and was verified by its authenticator, which is two factors in one.
    /// `ticket` is what came with the challenge.
    pub async fn log_in_by_passkey(
        &self,
        ticket: &SecretString,
        shown: &ShownPasskey,
        organization: Option<&str>,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let subject = ticket.stored();
        let asked =
            Asked { purpose: ChallengePurpose::SignIn, subject: &subject, owner: None, action: "login" };
        let ProvenByPasskey { user, email, methods } = self.check_passkey(asked, shown, visit).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        let (session, ended) =
            self.begin_session(&mut transaction, (&user, &email), methods, organization, visit).await?;
        let details = json!({ "session": session.id.as_str(), "factor": FactorKind::Passkey.name() });
        done("login", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }

    /// What a browser needs so that a login which waits is completed with a passkey.
    pub async fn begin_passkey_factor(&self, ticket: &SecretString) -> Result<PasskeyRequest, AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let waiting = self.waiting_login(&ticket).await?;
        self.ask_for_passkey(&waiting.user, ChallengePurpose::SecondFactor, &ticket.stored()).await
    }

    /// Completes a login with a passkey. A wrong one leaves the login waiting.
    pub async fn complete_login_by_passkey(
        &self,
        ticket: &SecretString,
        shown: &ShownPasskey,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let ticket = LinkToken::presented(ticket).map_err(|_| AccountError::Ticket)?;
        let waiting = self.waiting_login(&ticket).await?;
        let subject = ticket.stored();
        let owner = Some(Owner { user: &waiting.user, email: &waiting.email });
        let asked =
            Asked { purpose: ChallengePurpose::SecondFactor, subject: &subject, owner, action: "login" };
        let proven = self.check_passkey(asked, shown, visit).await?;
        self.enter_waiting(&ticket, &waiting, (FactorKind::Passkey, proven.methods), visit).await
    }

    /// What a browser needs so that the holder of this token proves themselves again with a passkey.
    pub async fn begin_passkey_step_up(&self, token: &SessionToken) -> Result<PasskeyRequest, AccountError> {
        let session = self.current_session(token).await?;
        self.ask_for_passkey(&session.user, ChallengePurpose::StepUp, session.id.as_str()).await
    }

    /// What the person of a session is proven by, besides.
    pub(crate) async fn check_step_up_passkey(
        &self,
        session: &CurrentSession,
        shown: &ShownPasskey,
        visit: &Visit,
    ) -> Result<ProvenByPasskey, AccountError> {
        let owner = Some(Owner { user: &session.user, email: &session.email });
        let (purpose, subject) = (ChallengePurpose::StepUp, session.id.as_str());
        self.check_passkey(Asked { purpose, subject, owner, action: StepUp::ACTION }, shown, visit).await
    }
}
