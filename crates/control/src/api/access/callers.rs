//! Callers of the gateway's own, looked up by their ids: a service that asks what somebody may do knows no more of them.

use std::sync::Arc;

use bartizan_config::{Config, JwtKeys, Provider};
use bartizan_identity::account::{Accounts, CallerStanding};
use bartizan_model::{CallerType, Grant, Zone};
use bartizan_policy::Question;
use serde_json::{Value, json};

use crate::failure::Failure;

/// What says what a caller holds. Where a question has one of them, it is taken at its word.
const SAID: [&str; 2] = ["roles", "grants"];

/// The callers whom the gateway knows itself.
pub(super) struct OwnCallers {
    config: Arc<Config>,
    accounts: Option<Arc<Accounts>>,
}

/// Whether somebody who is asked about would be let in, as far as the gateway knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// What they hold stands in the question.
    Described,
    /// Nobody by this id may enter.
    Nobody,
}

impl OwnCallers {
    pub(super) fn new(config: Arc<Config>, accounts: Option<Arc<Accounts>>) -> Self {
        Self { config, accounts }
    }

    /// Writes into a question what its subject holds, where it is one of the gateway's own and the question does not say.
    pub(super) async fn complete(&self, question: &mut Question) -> Result<Known, Failure> {
        let subject = &question.subject;
        let is_said = SAID.iter().any(|name| subject.properties.contains_key(*name));
        let Some((accounts, (caller, id, zone))) = self.accounts.as_ref().zip(self.own(question)) else {
            return Ok(Known::Described);
        };
        if is_said {
            return Ok(Known::Described);
        }
        let standing = if let Some(standing) = self.client(caller, id) {
            standing
        } else {
            let organization = subject.properties.get("organization").and_then(Value::as_str);
            let address = question.context.get("address").and_then(Value::as_str);
            let address = address.and_then(|address| address.parse().ok());
            match accounts.caller_standing(caller, id, organization, address).await? {
                Some(standing) => standing,
                None => return Ok(Known::Nobody),
            }
        };
        let CallerStanding { organization, roles, grants, zone: own_zone } = standing;
        let grants: Vec<_> = grants.iter().map(Grant::as_str).collect();
        let properties = &mut question.subject.properties;
        properties.insert("roles".into(), json!(roles));
        properties.insert("grants".into(), json!(grants));
        properties.entry("zone").or_insert_with(|| own_zone.unwrap_or(zone).as_str().into());
        // Whoever acts for one acts for no other, whatever is said.
        properties.remove("organization");
        if let Some(organization) = organization {
            properties.insert("organization".into(), organization.as_str().into());
        }
        Ok(Known::Described)
    }

    /// What the subject is, its id at its provider, and the provider's zone, if the gateway keeps it.
    fn own<'q>(&self, Question { subject, .. }: &'q Question) -> Option<(CallerType, &'q str, Zone)> {
        let caller = CallerType::ALL.into_iter().find(|caller| caller.as_str() == subject.entity_type)?;
        let (provider, id) = subject.id.split_once('/')?;
        let entry = self.config.identity.iter().find(|entry| entry.name.as_str() == provider)?;
        let zone = match (&entry.provider, caller) {
            (Provider::Session, CallerType::User) => Zone::default(),
            (Provider::Jwt(jwt), CallerType::User) if matches!(jwt.keys, JwtKeys::Own) => jwt.zone,
            (Provider::Jwt(jwt), CallerType::Service) if matches!(jwt.keys, JwtKeys::Own) => jwt.service_zone,
            (Provider::ApiKey(keys), CallerType::ApiKey) => {
                let is_written = keys.keys.iter().any(|key| key.name.as_str() == id);
                keys.stored.filter(|_| !is_written)?
            }
            _ => return None,
        };
        Some((caller, id, zone))
    }

    /// A client of the configuration, which acts for no organisation.
    fn client(&self, caller: CallerType, id: &str) -> Option<CallerStanding> {
        let tokens = self.config.tokens.as_ref()?;
        let client = tokens.clients.iter().find(|client| client.id.as_str() == id)?;
        (caller == CallerType::Service).then(|| CallerStanding {
            organization: None,
            roles: Vec::new(),
            grants: client.permissions.clone(),
            zone: None,
        })
    }
}
