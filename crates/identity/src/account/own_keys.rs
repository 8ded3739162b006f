//! The API keys that people make for themselves.

use std::time::SystemTime;

use secrecy::SecretString;

use super::{
    AccountError, Accounts, ApiKey, Authority, KeyFilter, KeyOwner, NewApiKey, PersonId, Visit,
    machine_words::parse_grants,
};
use crate::SessionToken;

/// A key to be made for whoever asks. It acts for the organisation of their session.
#[derive(Debug, Clone)]
pub struct NewOwnKey {
    /// What it is for.
    pub name: String,
    /// What it may do: a part of what the session may.
    pub permissions: Vec<String>,
    /// The addresses and prefixes it may be used from; empty: from everywhere.
    pub addresses: Vec<String>,
    /// How often it may be used, as configurations write rates; `None`: as often as its route allows.
    pub rate: Option<String>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// A person has at most so many.
const MOST: usize = 100;

impl Accounts {
    /// Makes a key for whoever asks. Its secret is told here and never again.
    pub async fn create_own_api_key(
        &self,
        token: &SessionToken,
        new: NewOwnKey,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        let session = self.fresh_permitted_session(token, "api_key:create", visit).await?;
        Authority::Manager(&session).check_reach(&parse_grants(&new.permissions)?)?;
        let who = PersonId(session.user.to_string());
        let mine = KeyFilter { user: Some(who.clone()), ..KeyFilter::default() };
        if self.api_keys(&mine).await?.len() >= MOST {
            return Err(AccountError::TooManyKeys(MOST));
        }
        let organization = session.organization.map(|organization| organization.to_string());
        let NewOwnKey { name, permissions, addresses, rate, expires } = new;
        let owner = KeyOwner::Person(who, organization);
        let new = NewApiKey { name, owner, permissions, addresses, rate, zone: None, expires };
        self.create_api_key(new, session.user.as_str(), visit).await
    }
}
