//! The first administrator of a store in which there is nobody: whoever starts the gateway is shown a secret, once.

use bartizan_store::{Statement, StoreError, Transaction};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, LinkToken, Methods, NewPerson, NewSession, Visit,
    link::{Link, LinkPurpose},
    login::done,
    people::{NewAccount, check_name},
};

/// What the first administrator is.
const ROLE: &str = "super_admin";

impl Accounts {
    /// A secret by which the first administrator is made; `None`: somebody is known already.
    pub async fn offer_first_administrator(&self) -> Result<Option<LinkToken>, AccountError> {
        let mut transaction = self.store.everywhere().begin().await?;
        let token = if is_empty(&mut transaction).await? {
            Some(Link::make(&mut transaction, LinkPurpose::FirstAdministrator, None, "").await?)
        } else {
            None
        };
        transaction.commit().await?;
        Ok(token)
    }

    /// Makes the first administrator and begins their first session. It happens once, whoever else holds such a secret.
    pub async fn create_first_administrator(
        &self,
        token: &SecretString,
        new: NewPerson,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        let token = LinkToken::presented(token)?;
        Link::read(&self.store, LinkPurpose::FirstAdministrator, &token).await?;
        let email: EmailAddress = new.email.parse().map_err(AccountError::Email)?;
        let name = check_name(&new.name)?;
        let password = new.password.unwrap_or_default();
        let hash = self.secrets.admit(&password, &[email.as_str(), name]).await?;
        let account = NewAccount { email: &email, name, hash: Some(hash.expose()), is_verified: false };
        let mut transaction = self.store.everywhere().begin().await?;
        Link::take_all(&mut transaction, LinkPurpose::FirstAdministrator, &token).await?;
        if !is_empty(&mut transaction).await? {
            return Err(AccountError::Link);
        }
        let user = account.write(&mut transaction).await?;
        account.bind(&mut transaction, &user, "", ROLE).await?;
        let after = json!({ "email": email.as_str(), "name": name, "roles": [ROLE] });
        let details = json!({ "before": null, "after": after, "by": "first-administrator" });
        done("user.create", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        let (session, ended) =
            self.begin_session(&mut transaction, (&user, &email), Methods::PASSWORD, None, visit).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }
}

/// Whether nobody is known.
async fn is_empty(transaction: &mut Transaction) -> Result<bool, StoreError> {
    let row = transaction.row(Statement::new("SELECT COUNT(*) AS count FROM users")).await?;
    Ok(row.map(|row| row.integer("count")).transpose()? == Some(0))
}
