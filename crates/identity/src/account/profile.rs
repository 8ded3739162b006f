//! What people say of themselves: their name, their address.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Statement, StoreError};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, LinkToken, PersonId, Visit, letters,
    link::{Link, LinkPurpose},
    login::done,
    people::check_name,
};
use crate::session::{SessionToken, changes::SessionChanges, moment};

/// A person, as they see themselves.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Their id.
    pub user: UserId,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Since when they are known.
    pub created: SystemTime,
    /// When they logged in last.
    pub last_login: Option<SystemTime>,
}

impl Accounts {
    /// The holder of this token.
    pub async fn profile(&self, token: &SessionToken) -> Result<Profile, AccountError> {
        let session = self.current_session(token).await?;
        let person = self.person(&PersonId(session.user.as_str().into())).await?;
        Ok(Profile {
            user: person.id,
            email: person.email,
            name: person.name,
            created: person.created,
            last_login: person.last_login,
        })
    }

    /// Calls the holder of this token something else.
    pub async fn rename(
        &self,
        token: &SessionToken,
        name: &str,
        visit: &Visit,
    ) -> Result<Profile, AccountError> {
        const RENAME: &str = "UPDATE users SET name = $2 WHERE id = $1";
        let session = self.full_session(token).await?;
        let (user, name) = (session.user.as_str(), check_name(name)?);
        let mut transaction = self.store.begin().await?;
        transaction.execute(Statement::new(RENAME).text(user).text(name)).await?;
        let details = json!({ "before": session.name, "after": name });
        done("user.rename", user, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.profile(token).await
    }

    /// Sends a message to another address, which becomes the person's once its link is used, and tells the one they have.
    /// Whether somebody else has that address already is not told.
    pub async fn change_email(
        &self,
        token: &SessionToken,
        password: &SecretString,
        email: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let mailer = self.mailer()?;
        let email: EmailAddress = email.parse().map_err(AccountError::Email)?;
        // Whoever reads the mail of an account can choose its password.
        if self.full_session(token).await?.has_second_factor {
            self.fresh(token, visit).await?;
        }
        let (session, proven) = self.prove_password(token, password, "user.change_email", visit).await?;
        if !self.protection.admits_message(email.as_str()).await {
            return Ok(());
        }
        // Now, because later their account may be somebody else's.
        self.tell(letters::email_to_change(&session.email));
        let store = self.store.clone();
        self.background.run("user.change_email", async move {
            const KNOWN: &str = "SELECT id FROM users WHERE email = $1";
            if store.row(Statement::new(KNOWN).text(email.as_str())).await?.is_some() {
                return Ok(());
            }
            let mut transaction = store.begin().await?;
            if !proven.hold(&mut transaction).await? {
                return Ok(());
            }
            let user = Some(session.user.as_str());
            let token = Link::make(&mut transaction, LinkPurpose::ChangeEmail, user, email.as_str()).await?;
            transaction.commit().await?;
            mailer.send(letters::confirm_email(&mailer, &email, &token));
            Ok(())
        });
        Ok(())
    }

    /// Knows a person by the address that the message went to, and tells the old one.
    pub async fn confirm_email(&self, token: &SecretString, visit: &Visit) -> Result<(), AccountError> {
        const BEFORE: &str = "SELECT email FROM users WHERE id = $1 AND disabled_at IS NULL";
        const CHANGE: &str = "UPDATE users SET email = $2, email_verified_at = $3 WHERE id = $1";
        const FORGET: &str = "DELETE FROM one_time_codes WHERE user_id = $1";
        let token = LinkToken::presented(token)?;
        let mut transaction = self.store.begin().await?;
        let Link { user, email } = Link::take(&mut transaction, LinkPurpose::ChangeEmail, &token).await?;
        let before = transaction.row(Statement::new(BEFORE).text(user.as_str())).await?;
        let before = before.ok_or(AccountError::Link)?.text("email")?;
        let change = Statement::new(CHANGE).text(user.as_str()).text(email.as_str()).integer(moment::now());
        transaction.execute(change).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Link,
            other => other.into(),
        })?;
        // What went to the old address opens nothing any more.
        Link::forget(&mut transaction, LinkPurpose::ResetPassword, &user).await?;
        transaction.execute(Statement::new(FORGET).text(user.as_str())).await?;
        SessionChanges::tell_and_revoke(&mut transaction, &user).await?;
        let details = json!({ "before": before, "after": email });
        done("user.change_email", &user, &user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user]);
        if let Ok(before) = before.parse() {
            self.tell(letters::email_changed(&before));
        }
        Ok(())
    }
}
