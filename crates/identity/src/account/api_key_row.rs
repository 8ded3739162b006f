//! API keys as they are given and listed, and their rows.

use std::{net::IpAddr, time::SystemTime};

use bartizan_config::{Rate, RateError};
use bartizan_model::{Grant, OrganizationId, UserId, Zone, canonical_network};
use bartizan_store::{Row, Statement, StoreError, Transaction};
use ipnet::IpNet;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{AccountError, CurrentSession, PersonId, machine_words::stored_zone};
use crate::{
    OpaqueToken,
    holder::{grants, written},
    session::moment,
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub owner: KeyOwner,
    /// What it may do, at most: its owner's rights bound it, too.
    pub permissions: Vec<String>,
    /// The addresses and prefixes it may be used from; empty: from everywhere.
    pub addresses: Vec<String>,
    /// How often it may be used, as configurations write rates; `None`: as often as its route allows.
    pub rate: Option<String>,
    /// From which zone it calls; `None`: from its provider's.
    pub zone: Option<Zone>,
    /// When it ends.
    pub expires: Option<SystemTime>,
}

/// Whose a key is, as it is given.
#[derive(Debug, Clone)]
pub enum KeyOwner {
    /// A person, and the organisation that the key acts for, by id or name.
    Person(PersonId, Option<String>),
    /// A service, by its client id. The key acts for its organisation.
    Service(String),
    /// An organisation, by id or name.
    Organization(String),
}

/// A person who changes keys of their own, acting for an organisation: others of their keys are another one's affair.
#[derive(Debug, Clone, Copy)]
pub struct KeyHolder<'a> {
    /// Who.
    pub user: &'a UserId,
    /// For which organisation.
    pub organization: Option<&'a OrganizationId>,
}

impl<'a> KeyHolder<'a> {
    /// Whoever holds this session.
    pub fn of(session: &'a CurrentSession) -> Self {
        Self { user: &session.user, organization: session.organization.as_ref() }
    }

    /// The organisation, as the store has it.
    pub(crate) fn place(&self) -> &'a str {
        self.organization.map_or("", OrganizationId::as_str)
    }
}

/// A key, without its secret: nobody knows that but its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id: who asks, in logs and for upstreams.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How it begins.
    pub hint: String,
    /// The person it belongs to.
    pub user: Option<String>,
    /// The service it belongs to. With neither, it is its organisation's.
    pub service: Option<String>,
    /// Whom it acts for.
    pub organization: Option<String>,
    /// What it may do, at most.
    pub permissions: Vec<Grant>,
    /// From where it may be used; empty: from everywhere.
    pub addresses: Vec<String>,
    /// How often it may be used; `None`: as often as its route allows.
    pub rate: Option<Rate>,
    /// From which zone it calls; `None`: from its provider's.
    pub zone: Option<Zone>,
    /// Since when it is known.
    pub created: SystemTime,
    /// When it ends.
    pub expires: Option<SystemTime>,
    /// Until when the secret before the last rotation still works.
    pub overlap: Option<SystemTime>,
    /// Since when it is suspended.
    pub suspended: Option<SystemTime>,
    /// Why.
    pub suspended_because: String,
    /// By whom, who alone lets its holder have it back.
    pub(crate) suspended_by: String,
    /// When it was revoked.
    pub revoked: Option<SystemTime>,
    /// When it was used last, to a few seconds.
    pub last_used: Option<SystemTime>,
    /// How often it was used.
    pub uses: u64,
}

/// Which keys.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// Those of a person.
    pub user: Option<PersonId>,
    /// Those of a service, by its client id.
    pub service: Option<String>,
    /// Those that act for an organisation, by id or name.
    pub organization: Option<String>,
    /// Also those that are revoked.
    pub with_revoked: bool,
    /// Those after this one, by its id, in the order of the list.
    pub after: Option<String>,
}

macro_rules! listed {
    ($which:literal) => {
        concat!(
            "SELECT k.id, k.name, k.hint, k.user_id, k.service_id, k.organization_id, k.permissions, k.addresses, \
             k.rate, k.zone, k.created_at, k.expires_at, k.suspended_at, k.suspended_because, k.suspended_by, k.revoked_at, k.last_used_at, \
             k.use_count, (SELECT MAX(s.expires_at) FROM api_key_secrets s WHERE s.key_id = k.id \
             AND s.expires_at > $1) AS overlap_until FROM api_keys k WHERE ",
            $which
        )
    };
}

const ONE: &str =
    listed!("k.id = $2 AND ($3 = '' OR (k.user_id = $3 AND COALESCE(k.organization_id, '') = $4))");
pub(crate) const LIST: &str = listed!(
    "($2 = '' OR k.user_id = $2) AND ($3 = '' OR k.service_id = $3) AND ($4 = 1 OR COALESCE(k.organization_id, '') = $5) \
     AND ($6 = 1 OR k.revoked_at IS NULL) AND ($7 = '' OR k.id < $7) ORDER BY k.id DESC LIMIT 1000"
);

const MOST_ADDRESSES: usize = 32;

impl ApiKey {
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        let at = |column| Ok::<_, StoreError>(row.optional_integer(column)?.map(moment::moment));
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            hint: row.text("hint")?,
            user: row.optional_text("user_id")?,
            service: row.optional_text("service_id")?,
            organization: row.optional_text("organization_id")?,
            permissions: grants(&row.text("permissions")?)?.into_vec(),
            addresses: row.text("addresses")?.split_whitespace().map(Into::into).collect(),
            rate: stored_rate(&row.text("rate")?)?,
            zone: stored_zone(&row.text("zone")?)?,
            created: moment::moment(row.integer("created_at")?),
            expires: at("expires_at")?,
            overlap: at("overlap_until")?,
            suspended: at("suspended_at")?,
            suspended_because: row.text("suspended_because")?,
            suspended_by: row.text("suspended_by")?,
            revoked: at("revoked_at")?,
            last_used: at("last_used_at")?,
            uses: u64::try_from(row.integer("use_count")?).unwrap_or(0),
        })
    }

    /// For the audit trail. The hint tells secrets apart and is none.
    pub(crate) fn audited(&self) -> Value {
        json!({
            "name": self.name,
            "hint": self.hint,
            "user": self.user,
            "service": self.service,
            "organization": self.organization,
            "permissions": written(&self.permissions),
            "addresses": self.addresses.join(" "),
            "rate": self.rate.map(|rate| rate.to_string()),
            "zone": self.zone.map(Zone::as_str),
            "expires": self.expires.map(moment::milliseconds),
            "overlap": self.overlap.map(moment::milliseconds),
            "suspended": self.suspended.is_some().then_some(self.suspended_because.as_str()),
            "revoked": self.revoked.is_some(),
        })
    }
}

pub(crate) fn one(id: &str, holder: Option<KeyHolder<'_>>) -> Statement {
    let user = holder.map_or("", |holder| holder.user.as_str());
    let organization = holder.map_or("", |holder| holder.place());
    Statement::new(ONE).integer(moment::now()).text(id).text(user).text(organization)
}

pub(crate) async fn read_one(
    transaction: &mut Transaction,
    id: &str,
    holder: Option<KeyHolder<'_>>,
) -> Result<ApiKey, AccountError> {
    let row = transaction.row(one(id, holder)).await?;
    Ok(ApiKey::of(&row.ok_or_else(|| missing(id))?)?)
}

pub(crate) fn missing(id: &str) -> AccountError {
    AccountError::Missing(format!("API key `{}`", id.chars().take(64).collect::<String>()))
}

/// The prefix and four of the 43 random characters: enough to tell keys apart, not to guess one.
pub(crate) fn hint(token: &OpaqueToken) -> String {
    let text = token.secret().expose_secret();
    let shown = text.rfind('_').map_or(0, |end| end + 5);
    format!("{}…", text.get(..shown).unwrap_or_default())
}

/// The rate of a key as it is given, if any, in the form in which it is kept.
pub(crate) fn written_rate(text: Option<&str>) -> Result<String, AccountError> {
    let Some(text) = text else { return Ok(String::new()) };
    let refuse = |why: String| AccountError::Invalid(why);
    let rate: Rate = text.parse().map_err(|error: RateError| refuse(error.to_string()))?;
    rate.token_bucket().map_err(|error| refuse(format!("`{rate}`: {error}")))?;
    Ok(rate.to_string())
}

/// The rate of a key as it is kept.
pub(crate) fn stored_rate(text: &str) -> Result<Option<Rate>, StoreError> {
    let rate = (!text.is_empty()).then(|| text.parse()).transpose();
    rate.map_err(|_| StoreError::Nonsense { what: "the rate of an API key" })
}

pub(crate) fn parse_addresses(texts: &[String]) -> Result<String, AccountError> {
    if texts.len() > MOST_ADDRESSES {
        let detail = format!("a key may be bound to {MOST_ADDRESSES} addresses and prefixes at most");
        return Err(AccountError::Invalid(detail));
    }
    let parse = |text: &String| {
        let whole = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let prefix =
            text.parse::<IpNet>().ok().or_else(whole).map(|prefix| canonical_network(prefix).to_string());
        let shown: String = text.chars().take(64).collect();
        prefix.ok_or_else(|| {
            AccountError::Invalid(format!("`{shown}` is no address and no prefix such as `192.0.2.0/24`"))
        })
    };
    Ok(texts.iter().map(parse).collect::<Result<Vec<_>, _>>()?.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_the_form_in_which_clients_are_compared() {
        let texts = ["192.0.2.7", "::ffff:10.0.0.0/104", "2001:db8::1/48"].map(str::to_owned);
        assert_eq!(parse_addresses(&texts).unwrap(), "192.0.2.7/32 10.0.0.0/8 2001:db8::/48");
    }
}
