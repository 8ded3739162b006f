//! Another password for those who have forgotten theirs.
//!
//! The reset ends every session and begins none: whoever has a second factor is asked for it at the login that follows.

use bartizan_mail::Mailer;
use bartizan_model::UserId;
use bartizan_store::{Statement, Store, StoreError};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, EmailAddress, LinkToken, PersonId, Visit,
    audit::{Entry, Outcome, of_secret},
    letters,
    link::{Link, LinkPurpose},
    login::{done, replace_password},
    protection::Recovery,
    refusal::{RefusalReason, name_account},
};
use crate::session::moment;

impl Accounts {
    /// Sends a message to whoever has forgotten their password: three an hour. The answer, and the work that is done for
    /// it, are the same whether there is an account with this address or not.
    pub async fn forgot_password(
        &self,
        email: &str,
        device: Option<&SecretString>,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let mailer = self.mailer()?;
        let email: EmailAddress = email.parse().map_err(AccountError::Email)?;
        if !self.protection.admits_reset(email.as_str(), device, visit).await {
            let (reason, action) = (RefusalReason::Paused, "password.forgotten");
            self.refused_because(reason, action, email.as_str(), visit).await?;
            return Ok(());
        }
        let (store, visit) = (self.store.clone(), visit.clone());
        self.background
            .run("password.forgotten", async move { prepare(&store, &mailer, &email, &visit).await });
        Ok(())
    }

    /// Chooses another password with the link of a message, and ends every session.
    pub async fn reset_password(
        &self,
        token: &SecretString,
        new: &SecretString,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        const VERIFIED: &str = "UPDATE users SET email_verified_at = $3 WHERE id = $1 AND email = $2 \
            AND email_verified_at IS NULL";
        let token = LinkToken::presented(token)?;
        let link = Link::read(&self.store, LinkPurpose::ResetPassword, &token).await?;
        let person = self.person(&PersonId(link.user)).await?;
        // A link is not used up by a password that breaks rules.
        let organizations = self.organization_names(&person.id).await?;
        let context = [person.email.as_str(), &person.name].into_iter();
        let context: Vec<&str> = context.chain(organizations.iter().map(String::as_str)).collect();
        let factors = self.factors_beside(&person.id).await?;
        let admitted = self.secrets.admit_with(factors, new, &context).await?;
        let user = person.id.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        Link::take(&mut transaction, LinkPurpose::ResetPassword, &token).await?;
        let ended = replace_password(&mut transaction, user, &admitted).await?;
        let verified = Statement::new(VERIFIED).text(user).text(person.email.as_str()).integer(moment::now());
        transaction.execute(verified).await?;
        Recovery::tell(&mut transaction, user).await?;
        done("password.reset", user, user, visit, of_secret("password")).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        // Whoever reads the mail of an account is let in, however often strangers have guessed.
        self.protection.recover(&person.email);
        if let Ok(email) = person.email.parse() {
            self.tell(letters::password_changed(&email));
        }
        Ok(())
    }
}

async fn prepare(
    store: &Store,
    mailer: &Mailer,
    email: &EmailAddress,
    visit: &Visit,
) -> Result<(), AccountError> {
    let (action, actor) = ("password.forgotten", "");
    let Some(user) = enabled(store, email).await? else {
        let subject = email.as_str();
        let mut details = json!({});
        name_account(store, subject, &mut details).await?;
        let entry = Entry { action, outcome: Outcome::Refused, actor, subject, visit, details };
        return Ok(entry.write_alone(store).await?);
    };
    let mut transaction = store.begin().await?;
    let token =
        Link::make(&mut transaction, LinkPurpose::ResetPassword, Some(user.as_str()), email.as_str()).await?;
    done(action, actor, user.as_str(), visit, Value::Null).write(&mut transaction).await?;
    transaction.commit().await?;
    mailer.send(letters::reset_password(mailer, email, &token));
    Ok(())
}

async fn enabled(store: &Store, email: &EmailAddress) -> Result<Option<UserId>, StoreError> {
    const READ: &str = "SELECT id FROM users WHERE email = $1 AND disabled_at IS NULL";
    let row = store.row(Statement::new(READ).text(email.as_str())).await?;
    row.map(|row| Ok(row.text("id")?.as_str().into())).transpose()
}
