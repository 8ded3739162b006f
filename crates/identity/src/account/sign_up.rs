//! Accounts for strangers.
//!
//! Whoever signs up gets a message, and an account once its link is used *with the password that was chosen*. So nobody
//! can prepare an account for somebody else's address and wait for the owner to confirm it. Until then there is no
//! account: strangers cannot keep an address from its owner either.

use std::time::Duration;

use bartizan_config::SignUp;
use bartizan_mail::Mailer;
use bartizan_store::{Statement, Store, StoreError};
use secrecy::SecretString;
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, LinkToken, Methods, NewPerson, NewSession, Visit, letters,
    login::done,
    people::{NewAccount, check_name},
    refusal::RefusalReason,
};
use crate::{
    password::{Factors, Password},
    session::moment::{self, span},
};

/// How long a sign-up may be confirmed.
const LIFETIME: Duration = Duration::from_hours(24);
/// What the audit trail calls an attempt to confirm one.
const VERIFY: &str = "user.verify_email";
/// And what it calls a sign-up.
const SIGN_UP: &str = "user.sign_up";
/// What people are who sign up.
const ROLE: &str = "user";

/// Somebody who signed up.
struct SignUpRow {
    email: EmailAddress,
    name: String,
    hash: String,
}

impl Accounts {
    /// Sends a message to whoever wants an account, where strangers may have one. The answer is the same whether there is
    /// one with this address or not.
    pub async fn sign_up(&self, new: NewPerson, visit: &Visit) -> Result<(), AccountError> {
        if self.sign_up_policy() != SignUp::Open {
            // What is no address is not kept: it may be anything that was typed in the wrong place.
            let email = new.email.parse::<EmailAddress>().ok();
            let told = email.as_ref().map_or("", EmailAddress::as_str);
            self.refused_because(RefusalReason::Closed, SIGN_UP, told, visit).await?;
            return Err(AccountError::SignUpOff);
        }
        let mailer = self.mailer()?;
        let email: EmailAddress = new.email.parse().map_err(AccountError::Email)?;
        let name = check_name(&new.name)?.to_owned();
        let password = new.password.unwrap_or_default();
        let judged = self.secrets.judge(Factors::Alone, &password, &[email.as_str(), &name]).await?;
        // Before the hash, which costs more than anything else here.
        if !self.protection.admits_message(email.as_str()).await {
            self.refused_because(RefusalReason::Paused, SIGN_UP, email.as_str(), visit).await?;
            return Ok(());
        }
        let hash = judged.hash().await?;
        let (store, visit) = (self.store.clone(), visit.clone());
        self.background.run("sign_up", async move {
            let new = SignUpRow { email, name, hash: hash.expose().to_owned() };
            prepare(&store, &mailer, &new, &visit).await
        });
        Ok(())
    }

    /// Makes the account of whoever reads the message and knows the password, and begins its first session.
    pub async fn verify_email(
        &self,
        token: &SecretString,
        password: &SecretString,
        visit: &Visit,
    ) -> Result<NewSession, AccountError> {
        const TAKE: &str = "DELETE FROM sign_ups WHERE token_hash = $1";
        const OTHERS: &str = "DELETE FROM sign_ups WHERE email = $1";
        let token = LinkToken::presented(token)?;
        let waiting = self.waiting(&token).await?;
        let email = waiting.email.as_str();
        let password = Password::new(password).ok();
        let begun = self.protection.begin(email, None, password.as_ref(), visit).await;
        let ticket = self.told_of_pauses(begun, VERIFY, email, visit).await?;
        match self.secrets.verify(password, Some(&waiting.hash)).await {
            Ok((true, _)) => self.protection.succeeded(ticket),
            Ok((false, _)) => {
                self.protection.failed(ticket, visit);
                self.refused(VERIFY, email, visit).await?;
                return Err(AccountError::WrongCredentials);
            }
            Err(error) => return Err(self.undecided(ticket, error, VERIFY, email, visit).await),
        }
        let mut transaction = self.store.everywhere().begin().await?;
        if transaction.execute(Statement::new(TAKE).text(token.stored())).await? == 0 {
            return Err(AccountError::Link);
        }
        transaction.execute(Statement::new(OTHERS).text(email)).await?;
        let hash = Some(waiting.hash.as_str());
        let account = NewAccount { email: &waiting.email, name: &waiting.name, hash, is_verified: true };
        // Somebody else may have made the account meanwhile.
        let user = account.write(&mut transaction).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Link,
            other => other.into(),
        })?;
        account.bind(&mut transaction, &user, "", ROLE).await?;
        let after = json!({ "email": email, "name": waiting.name, "roles": [ROLE] });
        let details = json!({ "before": null, "after": after, "by": "sign-up" });
        done("user.create", user.as_str(), user.as_str(), visit, details).write(&mut transaction).await?;
        let (session, ended) = self
            .begin_session(&mut transaction, (&user, &waiting.email), Methods::PASSWORD, None, visit)
            .await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(session)
    }

    async fn waiting(&self, token: &LinkToken) -> Result<SignUpRow, AccountError> {
        const READ: &str =
            "SELECT email, name, password_hash FROM sign_ups WHERE token_hash = $1 AND expires_at > $2";
        let read = Statement::new(READ).text(token.stored()).integer(moment::now());
        let row = self.store.row(read).await?.ok_or(AccountError::Link)?;
        let nonsense = |_| StoreError::Nonsense { what: "an e-mail address" };
        Ok(SignUpRow {
            email: row.text("email")?.parse().map_err(nonsense)?,
            name: row.text("name")?,
            hash: row.text("password_hash")?,
        })
    }
}

/// Keeps what was said until it is confirmed; or tells the owner of the address that they have an account.
async fn prepare(store: &Store, mailer: &Mailer, new: &SignUpRow, visit: &Visit) -> Result<(), AccountError> {
    const KNOWN: &str = "SELECT id FROM users WHERE email = $1";
    const KEEP: &str = "INSERT INTO sign_ups (token_hash, email, name, password_hash, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    if store.row(Statement::new(KNOWN).text(new.email.as_str())).await?.is_some() {
        let details = json!({ "known": true });
        done(SIGN_UP, "", new.email.as_str(), visit, details).write_alone(store).await?;
        mailer.send(letters::account_exists(mailer, &new.email));
        return Ok(());
    }
    let (token, now) = (LinkToken::generate()?, moment::now());
    let keep = Statement::new(KEEP)
        .text(token.stored())
        .text(new.email.as_str())
        .text(new.name.as_str())
        .text(new.hash.as_str())
        .integer(now)
        .integer(now.saturating_add(span(LIFETIME)));
    store.execute(keep).await?;
    done(SIGN_UP, "", new.email.as_str(), visit, json!({ "known": false })).write_alone(store).await?;
    mailer.send(letters::verify_email(mailer, &new.email, &token));
    Ok(())
}
