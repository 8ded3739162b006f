//! Ends tokens before their time (RFC 7009): here at once, on every other gateway within a second.

use bartizan_store::Transaction;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{AuthorizationServer, ClientProof, OAuthError, TokenError, epochs::TokenEpochs, family};
use crate::{
    ClientCertificate,
    account::{Accounts, PersonId, Visit},
};

/// Whose tokens end.
#[derive(Debug, Clone)]
pub enum Revoked {
    /// One access token, by its `jti`.
    Token(String),
    /// One authorisation, by the `grant_id` of its access tokens: its refresh token, too.
    Authorization(String),
    /// Everything that one person has authorised. Their sessions stay.
    Person(PersonId),
    /// Everything that was authorised for one organisation, by its id or name.
    Organization(String),
}

impl AuthorizationServer {
    /// Ends the token of a client or a service (RFC 7009, section 2). One that is unknown is no error.
    pub async fn revoke_own(
        &self,
        (client, certificate): (&ClientProof, Option<&ClientCertificate>),
        token: &SecretString,
        visit: &Visit,
    ) -> Result<(), TokenError> {
        let tokens = self.settings();
        self.caller(&tokens, (client, certificate), visit).await?;
        let id = client.id.as_str();
        let others = || TokenError::refused(OAuthError::InvalidGrant, "the token is another client's");
        if let Some(refresh) = family::parse(token.expose_secret()) {
            let Some(known) = family::find(&self.store, &refresh).await? else { return Ok(()) };
            if known.family.client != id {
                return Err(others());
            }
            let mut transaction = self.store.everywhere().begin().await?;
            family::end_family(&mut transaction, &known.family.id).await?;
            let details = json!({ "client": id, "grant": known.family.id });
            self.ended(transaction, &known.family.user, &known.family.user, details, visit).await
        } else {
            let Some(claims) = self.own.verified(token.expose_secret().as_bytes(), &tokens) else {
                return Ok(());
            };
            let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
            if text("client_id") != id {
                return Err(others());
            }
            let mut transaction = self.store.everywhere().begin().await?;
            TokenEpochs::advance(&mut transaction, text("jti")).await?;
            let details = json!({ "client": id, "token": text("jti") });
            self.ended(transaction, text("sub"), text("sub"), details, visit).await
        }
    }

    /// Ends tokens, as an administrator.
    pub async fn revoke(&self, what: &Revoked, actor: &str, visit: &Visit) -> Result<(), TokenError> {
        let named = match what {
            Revoked::Token(id) | Revoked::Authorization(id) => id.clone(),
            Revoked::Person(who) => self.accounts.resolve(who).await?.as_str().to_owned(),
            Revoked::Organization(which) => self.accounts.organization(which).await?.id.as_str().to_owned(),
        };
        let mut transaction = self.store.everywhere().begin().await?;
        let kind = match what {
            Revoked::Token(_) => "token",
            Revoked::Authorization(_) => {
                family::end_family(&mut transaction, &named).await?;
                "authorization"
            }
            Revoked::Person(_) => {
                family::end_of_person(&mut transaction, &named).await?;
                "person"
            }
            Revoked::Organization(_) => {
                family::end_of_organization(&mut transaction, &named).await?;
                "organization"
            }
        };
        TokenEpochs::advance(&mut transaction, &named).await?;
        self.ended(transaction, actor, &named, json!({ "kind": kind }), visit).await
    }

    async fn ended(
        &self,
        mut transaction: Transaction,
        actor: &str,
        subject: &str,
        mut details: Value,
        visit: &Visit,
    ) -> Result<(), TokenError> {
        (details["before"], details["after"]) = (json!({ "revoked": false }), json!({ "revoked": true }));
        Accounts::record(&mut transaction, "token.revoke", (actor, subject), details, visit).await?;
        transaction.commit().await?;
        self.read_revoked().await;
        Ok(())
    }
}
