//! People who are logged in choose another password.

use bartizan_model::OrganizationId;
use bartizan_store::{Statement, Transaction};
use secrecy::SecretString;

use super::{
    AccountError, Accounts, CurrentSession, Methods, NewSession, Visit,
    audit::of_secret,
    letters,
    login::{done, replace_password},
};
use crate::session::{SessionToken, moment};

impl Accounts {
    /// Chooses another password and ends every session of the person; the answer is a new one. It is proven by the
    /// password, and by a second factor as lately as that was shown.
    pub async fn change_password(
        &self,
        token: &SessionToken,
        current: &SecretString,
        new: &SecretString,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        if self.current_session(token).await?.has_second_factor {
            self.fresh(token, visit).await?;
        }
        let (session, proven) = self.prove_password(token, current, "password.change", visit).await?;
        let organizations = self.organization_names(&session.user).await?;
        let context = [session.email.as_str(), &session.name].into_iter();
        let context: Vec<&str> = context.chain(organizations.iter().map(String::as_str)).collect();
        let factors = self.factors_beside(&session.user).await?;
        let admitted = self.secrets.admit_with(factors, new, &context).await?;
        let user = session.user.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        if !proven.hold(&mut transaction).await? {
            return Err(AccountError::WrongCredentials);
        }
        let mut ended = replace_password(&mut transaction, user, &admitted).await?;
        let (begun, surplus) = self.begin_again(&mut transaction, &session, visit).await?;
        ended.extend(surplus);
        done("password.change", user, user, visit, of_secret("password")).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.tell(letters::password_changed(&session.email));
        Ok(begun)
    }

    /// Another session for the person of one, who has said their password. A second factor was not shown again.
    async fn begin_again(
        &self,
        transaction: &mut Transaction,
        session: &CurrentSession,
        visit: &Visit,
    ) -> Result<(NewSession, Vec<String>), AccountError> {
        const PROVEN: &str = "UPDATE sessions SET proven_at = $2 WHERE id = $1";
        let methods = if session.has_second_factor { session.methods } else { Methods::PASSWORD };
        let organization = session.organization.as_ref().map(OrganizationId::as_str);
        let person = (&session.user, &session.email);
        let begun = self.begin_session(transaction, person, methods, organization, visit).await?;
        if session.has_second_factor {
            let proven = Statement::new(PROVEN).text(begun.0.id.as_str());
            transaction.execute(proven.integer(moment::milliseconds(session.proven))).await?;
        }
        Ok(begun)
    }
}
