//! API keys in the store: made, shown once, rotated, suspended, revoked.

use std::time::{Duration, SystemTime};

use bartizan_model::{OrganizationId, UserId, Zone};
use bartizan_store::{Statement, StoreError, Transaction};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    AccountError, Accounts, ApiKey, KeyFilter, KeyHolder, KeyOwner, NewApiKey, Visit,
    api_key_row::{LIST, hint, missing, one, parse_addresses, read_one, written_rate},
    login::done,
    machine_words::{check_reason, parse_grants, written_zone},
    people::check_name,
};
use crate::{
    LiveKeys, OpaqueToken,
    api_key::{owners, record::OwnerId},
    holder::written,
    session::{changes::SessionChanges, moment},
};

/// A longer overlap is two keys.
const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);
const MOST_KEYS: usize = 1_000_000;

impl Accounts {
    /// Makes a key. Its secret is told here and never again.
    pub async fn create_api_key(
        &self,
        new: NewApiKey,
        actor: &str,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        const CREATE: &str = "INSERT INTO api_keys (id, name, hint, user_id, service_id, organization_id, \
            permissions, addresses, created_at, created_by, expires_at, rate, zone, suspended_because, use_count) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '', 0)";
        let name = check_name(&new.name)?;
        let permissions = parse_grants(&new.permissions)?;
        let addresses = parse_addresses(&new.addresses)?;
        let rate = written_rate(new.rate.as_deref())?;
        let now = moment::now();
        let expires = new.expires.map(moment::milliseconds);
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AccountError::Invalid("a key cannot end before it begins".into()));
        }
        if self.live.keys().len() >= MOST_KEYS {
            return Err(AccountError::TooManyKeys(MOST_KEYS));
        }
        let (user, service, organization) = self.resolve_owner(&new.owner).await?;
        let (id, token) = (uuid::Uuid::now_v7().to_string(), self.new_key()?);
        let place = organization.clone().unwrap_or_default();
        let mut transaction = self.store.within(&place).begin().await?;
        let create = Statement::new(CREATE)
            .text(id.as_str())
            .text(name)
            .text(hint(&token))
            .optional_text(user)
            .optional_text(service)
            .optional_text(organization)
            .text(written(&permissions))
            .text(addresses)
            .integer(now)
            .text(actor)
            .optional_integer(expires)
            .text(rate)
            .text(written_zone(new.zone));
        transaction.execute(create).await?;
        self.add_secret(&mut transaction, &id, &token).await?;
        let made = read_one(&mut transaction, &id, None).await?;
        self.changed_key(transaction, ("api_key.create", None, Some(&made)), actor, visit).await?;
        Ok((made, token.secret().clone()))
    }

    /// The keys, the newest first, a thousand at once.
    pub async fn api_keys(&self, filter: &KeyFilter) -> Result<Vec<ApiKey>, AccountError> {
        let user = match &filter.user {
            Some(user) => self.resolve(user).await?.as_str().to_owned(),
            None => String::new(),
        };
        let organization = match &filter.organization {
            Some(organization) => Some(self.organization(organization).await?.id),
            None => None,
        };
        let organization = organization.as_ref().map(OrganizationId::as_str);
        self.list_keys(organization, (&user, filter.service.as_deref()), filter).await
    }

    /// The keys of whoever asks, for the organisation of their session.
    pub async fn own_api_keys(
        &self,
        holder: KeyHolder<'_>,
        after: Option<String>,
    ) -> Result<Vec<ApiKey>, AccountError> {
        let filter = KeyFilter { after, ..KeyFilter::default() };
        self.list_keys(Some(holder.place()), (holder.user.as_str(), None), &filter).await
    }

    pub(super) async fn list_keys(
        &self,
        organization: Option<&str>,
        (user, service): (&str, Option<&str>),
        filter: &KeyFilter,
    ) -> Result<Vec<ApiKey>, AccountError> {
        let store = organization.map_or_else(|| self.store.everywhere(), |id| self.store.within(id));
        let list = Statement::new(LIST)
            .integer(moment::now())
            .text(user)
            .text(service.unwrap_or_default())
            .integer(i64::from(organization.is_none()))
            .text(organization.unwrap_or_default())
            .integer(i64::from(filter.with_revoked))
            .text(filter.after.clone().unwrap_or_default());
        Ok(store.rows(list).await?.iter().map(ApiKey::of).collect::<Result<_, _>>()?)
    }

    /// One key; `holder`: only if it is theirs, there.
    pub async fn api_key(&self, id: &str, holder: Option<KeyHolder<'_>>) -> Result<ApiKey, AccountError> {
        let store = match holder {
            Some(holder) => self.store.within(holder.place()),
            None => self.store.everywhere(),
        };
        let row = store.row(one(id, holder)).await?;
        Ok(ApiKey::of(&row.ok_or_else(|| missing(id))?)?)
    }

    /// Gives a key another secret, told here and never again. The one so far works for as long as `overlap` says.
    pub async fn rotate_api_key(
        &self,
        id: &str,
        holder: Option<KeyHolder<'_>>,
        overlap: Duration,
        actor: &str,
        visit: &Visit,
    ) -> Result<(ApiKey, SecretString), AccountError> {
        const HINT: &str = "UPDATE api_keys SET hint = $2 WHERE id = $1";
        // Two at most: the one before the last goes at once.
        const DROP: &str =
            "DELETE FROM api_key_secrets WHERE key_id = $1 AND (expires_at IS NOT NULL OR $2 = 0)";
        const END: &str = "UPDATE api_key_secrets SET expires_at = $2 WHERE key_id = $1";
        if overlap > LONGEST_OVERLAP {
            return Err(AccountError::Invalid(
                "the two secrets of a key may overlap for 30 days at most".into(),
            ));
        }
        let token = self.new_key()?;
        let (mut transaction, before) = self.begin_change(id, holder).await?;
        let until = moment::now().saturating_add(moment::span(overlap));
        transaction.execute(Statement::new(HINT).text(id).text(hint(&token))).await?;
        transaction.execute(Statement::new(DROP).text(id).integer(moment::span(overlap))).await?;
        transaction.execute(Statement::new(END).text(id).integer(until)).await?;
        self.add_secret(&mut transaction, id, &token).await?;
        let after = read_one(&mut transaction, id, holder).await?;
        let change = ("api_key.rotate", Some(&before), Some(&after));
        self.changed_key(transaction, change, actor, visit).await?;
        Ok((after, token.secret().clone()))
    }

    /// Refuses a key until it is resumed; `reason: None` resumes it. A holder has no say in what others have suspended.
    pub async fn suspend_api_key(
        &self,
        id: &str,
        holder: Option<KeyHolder<'_>>,
        reason: Option<&str>,
        actor: &str,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        const SUSPEND: &str =
            "UPDATE api_keys SET suspended_at = $2, suspended_because = $3, suspended_by = $4 WHERE id = $1";
        let reason = reason.map(check_reason).transpose()?;
        let (mut transaction, before) = self.begin_change(id, holder).await?;
        let is_others = before.suspended.is_some() && before.suspended_by != actor;
        if holder.is_some() && is_others {
            return Err(AccountError::Forbidden("somebody else has suspended this key: ask them".into()));
        }
        let at = reason.is_some().then(moment::now);
        let suspend = Statement::new(SUSPEND).text(id).optional_integer(at).text(reason.unwrap_or_default());
        let by = if reason.is_some() { actor } else { "" };
        transaction.execute(suspend.text(by)).await?;
        let after = read_one(&mut transaction, id, holder).await?;
        let action = if reason.is_some() { "api_key.suspend" } else { "api_key.resume" };
        self.changed_key(transaction, (action, Some(&before), Some(&after)), actor, visit).await?;
        Ok(after)
    }

    /// Says how often a key may be used, as configurations write rates; `None`: as often as its route allows.
    pub async fn set_api_key_rate(
        &self,
        id: &str,
        holder: Option<KeyHolder<'_>>,
        rate: Option<&str>,
        actor: &str,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        const SET: &str = "UPDATE api_keys SET rate = $2 WHERE id = $1";
        let rate = written_rate(rate)?;
        let (mut transaction, before) = self.begin_change(id, holder).await?;
        transaction.execute(Statement::new(SET).text(id).text(rate)).await?;
        let after = read_one(&mut transaction, id, holder).await?;
        let change = ("api_key.set_rate", Some(&before), Some(&after));
        self.changed_key(transaction, change, actor, visit).await?;
        Ok(after)
    }

    /// Says from which zone a key calls; `None`: from its provider's.
    pub async fn set_api_key_zone(
        &self,
        id: &str,
        zone: Option<Zone>,
        actor: &str,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        const SET: &str = "UPDATE api_keys SET zone = $2 WHERE id = $1";
        let (mut transaction, before) = self.begin_change(id, None).await?;
        transaction.execute(Statement::new(SET).text(id).text(written_zone(zone))).await?;
        let after = read_one(&mut transaction, id, None).await?;
        let change = ("api_key.set_zone", Some(&before), Some(&after));
        self.changed_key(transaction, change, actor, visit).await?;
        Ok(after)
    }

    /// Ends a key for good.
    pub async fn revoke_api_key(
        &self,
        id: &str,
        holder: Option<KeyHolder<'_>>,
        actor: &str,
        visit: &Visit,
    ) -> Result<ApiKey, AccountError> {
        const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1";
        const FORGET: &str = "DELETE FROM api_key_secrets WHERE key_id = $1";
        let (mut transaction, before) = self.begin_change(id, holder).await?;
        transaction.execute(Statement::new(REVOKE).text(id).integer(moment::now())).await?;
        transaction.execute(Statement::new(FORGET).text(id)).await?;
        let after = read_one(&mut transaction, id, holder).await?;
        let change = ("api_key.revoke", Some(&before), Some(&after));
        self.changed_key(transaction, change, actor, visit).await?;
        Ok(after)
    }

    fn new_key(&self) -> Result<OpaqueToken, AccountError> {
        Ok(OpaqueToken::generate(&self.key_prefix())?)
    }

    async fn resolve_owner(
        &self,
        owner: &KeyOwner,
    ) -> Result<(Option<String>, Option<String>, Option<String>), AccountError> {
        Ok(match owner {
            KeyOwner::Person(person, organization) => {
                let user = self.resolve(person).await?;
                let organization = match organization {
                    Some(which) => Some(self.organization_of(&user, which).await?),
                    None => None,
                };
                (Some(user.to_string()), None, organization)
            }
            KeyOwner::Service(id) => {
                let service = self.service(id).await?;
                (None, Some(service.id), Some(service.organization))
            }
            KeyOwner::Organization(which) => {
                (None, None, Some(self.organization(which).await?.id.to_string()))
            }
        })
    }

    /// The organisation, if the person belongs to it.
    async fn organization_of(&self, user: &UserId, which: &str) -> Result<String, AccountError> {
        let organization = self.organization(which).await?.id;
        let owner = owners::read(&self.store, &OwnerId::Person(user.as_str().into())).await?;
        if owner.is_some_and(|owner| owner.belongs(Some(organization.as_str()), SystemTime::now())) {
            return Ok(organization.to_string());
        }
        Err(AccountError::Invalid(format!(
            "the person does not belong to `{which}`: give them a role there first, or make a key of the organisation"
        )))
    }

    async fn add_secret(
        &self,
        transaction: &mut Transaction,
        key: &str,
        token: &OpaqueToken,
    ) -> Result<(), StoreError> {
        const ADD: &str = "INSERT INTO api_key_secrets (hash, key_id, created_at) VALUES ($1, $2, $3)";
        let digest = self.live.keys().digest(token.secret().expose_secret().as_bytes());
        let add = Statement::new(ADD).text(digest.to_stored()).text(key).integer(moment::now());
        transaction.execute(add).await.map(|_| ())
    }

    /// A change of a key that is not revoked. Nobody else changes it until the transaction ends.
    async fn begin_change(
        &self,
        id: &str,
        holder: Option<KeyHolder<'_>>,
    ) -> Result<(Transaction, ApiKey), AccountError> {
        const LOCK: &str = "UPDATE api_keys SET id = id WHERE id = $1 AND revoked_at IS NULL";
        let place = self.api_key(id, holder).await?.organization.unwrap_or_default();
        let mut transaction = self.store.within(&place).begin().await?;
        if transaction.execute(Statement::new(LOCK).text(id)).await? == 0 {
            return Err(missing(id));
        }
        let before = read_one(&mut transaction, id, holder).await?;
        Ok((transaction, before))
    }

    /// Tells everybody, and follows it here at once.
    async fn changed_key(
        &self,
        mut transaction: Transaction,
        (action, before, after): (&'static str, Option<&ApiKey>, Option<&ApiKey>),
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let Some(key) = after.or(before) else { return Ok(()) };
        SessionChanges::tell(&mut transaction, &LiveKeys::subject(&key.id)).await?;
        let shown = |key: Option<&ApiKey>| key.map_or(Value::Null, ApiKey::audited);
        let details = json!({ "before": shown(before), "after": shown(after) });
        done(action, actor, &key.id, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.live.keys().reread(&key.id).await;
        Ok(())
    }
}
