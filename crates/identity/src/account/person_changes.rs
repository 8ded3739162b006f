//! What operators change of a person: what they are called, by which address they are known, and what they are everywhere,
//! for how long, and how much of it.

use std::time::SystemTime;

use bartizan_store::{Statement, StoreError};
use serde_json::json;

use super::{
    AccountError, Accounts, Authority, EmailAddress, Person, PersonId, Visit, bindings::Bound, letters,
    link::Link, login::done, organizations::forget_ended, people::check_name,
};
use crate::session::changes::SessionChanges;

impl Accounts {
    /// Calls a person something else.
    pub async fn rename_person(
        &self,
        who: &PersonId,
        name: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        const RENAME: &str = "UPDATE users SET name = $2 WHERE id = $1";
        let (name, person) = (check_name(name)?, self.person(who).await?);
        let user = person.id.as_str();
        let mut transaction = self.store.begin().await?;
        transaction.execute(Statement::new(RENAME).text(user).text(name)).await?;
        let details = json!({ "before": { "name": person.name }, "after": { "name": name } });
        done("user.update", actor, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.person(&PersonId(user.into())).await
    }

    /// Gives a person another address. Whoever reads its mail has not shown that yet, and what went to the address so far
    /// opens nothing any more.
    pub async fn set_email(
        &self,
        who: &PersonId,
        email: &str,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        const SET: &str = "UPDATE users SET email = $2, email_verified_at = NULL WHERE id = $1";
        let email: EmailAddress = email.parse().map_err(AccountError::Email)?;
        let person = self.person(who).await?;
        let user = person.id.as_str();
        if person.email == email.as_str() {
            return Ok(person);
        }
        let mut transaction = self.store.begin().await?;
        let set = Statement::new(SET).text(user).text(email.as_str());
        transaction.execute(set).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{email}`")),
            other => other.into(),
        })?;
        Link::forget_all(&mut transaction, user).await?;
        let details = json!({ "before": { "email": person.email }, "after": { "email": email.as_str() } });
        done("user.update", actor, user, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        if let Ok(before) = person.email.parse() {
            self.tell(letters::email_changed(&before));
        }
        self.person(&PersonId(user.into())).await
    }

    /// Gives a person a role everywhere, cut down to a `scope` where that says something, until it `expires`.
    pub async fn add_bounded_role(
        &self,
        who: &PersonId,
        role: &str,
        (scope, expires): (&[String], Option<SystemTime>),
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        self.check_role(role)?;
        let bound = Bound::asked(scope, expires)?;
        bound.check(&self.configured_role(role).unwrap_or_default(), &Authority::Operator)?;
        let user = self.resolve(who).await?;
        let mut transaction = self.store.within("").begin().await?;
        transaction.execute(forget_ended(user.as_str(), "", role)).await?;
        let bind = bound.bind_person(user.as_str(), "", role);
        transaction.execute(bind).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("the role `{role}` of `{}`", who.0)),
            other => other.into(),
        })?;
        SessionChanges::tell_and_revoke(&mut transaction, user.as_str()).await?;
        let details = json!({ "role": role, "organization": "", "before": null, "after": bound.audited() });
        done("role.add", actor, user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&[user.as_str().to_owned()]);
        Ok(())
    }
}
