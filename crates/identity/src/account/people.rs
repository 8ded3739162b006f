//! People, as administrators see them.

use std::time::SystemTime;

use bartizan_model::UserId;
use bartizan_store::{Row, Statement, StoreError, Transaction};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{
    AccountError, Accounts, EmailAddress, Page, Part, Visit,
    audit::of_secret,
    last_administrator::spare_the_last,
    login::{done, end_all, replace_password},
    protection::Recovery,
};
use crate::{
    password::{Factors, ForeignHash, PasswordHash},
    session::moment,
};

/// A person to be known.
#[derive(Debug)]
pub struct NewPerson {
    /// By which address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Without one they cannot log in until one is set.
    pub password: Option<SecretString>,
    /// What they are everywhere, whatever the organisation.
    pub roles: Vec<String>,
}

/// A person who is known.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// Since when.
    pub created: SystemTime,
    /// Since when they may not log in.
    pub disabled: Option<SystemTime>,
    /// When they logged in last.
    pub last_login: Option<SystemTime>,
    /// What they are everywhere.
    pub roles: Vec<String>,
}

/// An id or an e-mail address, as it is given.
#[derive(Debug, Clone)]
pub struct PersonId(pub String);

const LONGEST_NAME: usize = 100;
const READ: &str = "SELECT u.id, u.email, u.name, u.created_at, u.disabled_at, u.last_login_at, r.role AS role \
    FROM (SELECT id, email, name, created_at, disabled_at, last_login_at FROM users \
        WHERE ($1 = '' OR id = $1) AND email > $2 ORDER BY email LIMIT $3) u \
    LEFT JOIN role_bindings r ON r.user_id = u.id AND r.organization_id = '' ORDER BY u.email, r.role";

/// A name of a person or an organisation: 1 to 100 characters that print.
pub(crate) fn check_name(name: &str) -> Result<&str, AccountError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.contains(char::is_control) {
        return Err(AccountError::Name("a name has 1 to 100 characters, none of them a control character"));
    }
    Ok(name)
}

impl Accounts {
    /// Makes an account.
    pub async fn create_person(
        &self,
        new: NewPerson,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        let email: EmailAddress = new.email.parse().map_err(AccountError::Email)?;
        let name = check_name(&new.name)?;
        for role in &new.roles {
            self.check_role(role)?;
        }
        let hash = match &new.password {
            Some(password) => Some(self.secrets.admit(password, &[email.as_str(), name]).await?),
            None => None,
        };
        let hash = hash.as_ref().map(PasswordHash::expose);
        self.write_person((&email, name), &new.roles, hash, actor, visit).await
    }

    /// Makes the account of somebody whom another system knows, with the hash that it has of their password: bcrypt, scrypt,
    /// PBKDF2 or argon2. Nobody can say whether the password keeps the rules; it is hashed anew when they log in.
    pub async fn import_person(
        &self,
        new: NewPerson,
        hash: &SecretString,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        let email: EmailAddress = new.email.parse().map_err(AccountError::Email)?;
        let name = check_name(&new.name)?;
        for role in &new.roles {
            self.check_role(role)?;
        }
        if new.password.is_some() {
            return Err(AccountError::Invalid("either a password or a hash of one, not both".into()));
        }
        let hash = hash.expose_secret();
        ForeignHash::parse(hash).map_err(|error| AccountError::Invalid(error.to_string()))?;
        self.write_person((&email, name), &new.roles, Some(hash), actor, visit).await
    }

    async fn write_person(
        &self,
        (email, name): (&EmailAddress, &str),
        roles: &[String],
        hash: Option<&str>,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        let account = NewAccount { email, name, hash, is_verified: false };
        let mut transaction = self.store.within("").begin().await?;
        let id = account.write(&mut transaction).await.map_err(|error| match error {
            StoreError::Duplicate => AccountError::Taken(format!("`{email}`")),
            other => other.into(),
        })?;
        for role in roles {
            account.bind(&mut transaction, &id, "", role).await?;
        }
        let after = json!({ "email": email.as_str(), "name": name, "roles": roles });
        let details = json!({ "before": null, "after": after });
        let actor = if actor.is_empty() { id.as_str() } else { actor };
        done("user.create", actor, id.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.person(&PersonId(id.as_str().into())).await
    }

    /// Everybody, by address.
    pub async fn people(&self, page: &Page) -> Result<Part<Person>, AccountError> {
        let read = Statement::new(READ).text("").text(page.begins_after()).integer(page.to_read());
        let people = Person::all(&self.store.within("").rows(read).await?)?;
        Ok(page.part(people, |person| person.email.clone()))
    }

    /// One person.
    pub async fn person(&self, who: &PersonId) -> Result<Person, AccountError> {
        let user = self.resolve(who).await?;
        let read = Statement::new(READ).text(user.as_str()).text("").integer(1);
        let rows = self.store.within("").rows(read).await?;
        let missing = || AccountError::Missing(format!("person `{}`", who.0));
        Person::all(&rows)?.pop().ok_or_else(missing)
    }

    /// Lets a person in no longer, and ends their sessions; or lets them in again.
    pub async fn disable_person(
        &self,
        who: &PersonId,
        disabled: bool,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        const DISABLE: &str = "UPDATE users SET disabled_at = $2 WHERE id = $1";
        let before = self.person(who).await?;
        let user = &before.id;
        let mut transaction = self.store.everywhere().begin().await?;
        if disabled {
            spare_the_last(&mut transaction, user.as_str()).await?;
        }
        let at = disabled.then(moment::now);
        transaction.execute(Statement::new(DISABLE).text(user.as_str()).optional_integer(at)).await?;
        let ended = end_all(&mut transaction, user.as_str()).await?;
        let action = if disabled { "user.disable" } else { "user.enable" };
        let details = json!({
            "before": { "disabled": before.disabled.is_some() }, "after": { "disabled": disabled },
        });
        done(action, actor, user.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.person(who).await
    }

    /// Sets another password and ends every session.
    pub async fn set_password(
        &self,
        who: &PersonId,
        password: &SecretString,
        actor: &str,
        visit: &Visit,
    ) -> Result<(), AccountError> {
        let person = self.person(who).await?;
        let organizations = self.organization_names(&person.id).await?;
        let context = [person.email.as_str(), &person.name].into_iter();
        let context: Vec<&str> = context.chain(organizations.iter().map(String::as_str)).collect();
        // Good enough alone, so that their factors can be reset.
        let admitted = self.secrets.admit_with(Factors::Alone, password, &context).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        let ended = replace_password(&mut transaction, person.id.as_str(), &admitted).await?;
        Recovery::tell(&mut transaction, person.id.as_str()).await?;
        let details = of_secret("password");
        let entry = done("user.set_password", actor, person.id.as_str(), visit, details);
        entry.write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        self.protection.recover(&person.email);
        Ok(())
    }

    /// Lets a person try again at once whose logins are paused, from wherever they have tried, at every gateway.
    pub async fn unlock_person(
        &self,
        who: &PersonId,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        let person = self.person(who).await?;
        let mut transaction = self.store.everywhere().begin().await?;
        Recovery::tell(&mut transaction, person.id.as_str()).await?;
        // How many they were, each gateway knows for itself.
        let details = json!({ "before": { "failures": "counted" }, "after": { "failures": 0 } });
        done("user.unlock", actor, person.id.as_str(), visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.protection.recover(&person.email);
        Ok(person)
    }

    /// Forgets a person: account, password, roles and sessions. The audit trail keeps their id.
    pub async fn delete_person(
        &self,
        who: &PersonId,
        actor: &str,
        visit: &Visit,
    ) -> Result<Person, AccountError> {
        let person = self.person(who).await?;
        let id = person.id.as_str();
        let mut transaction = self.store.everywhere().begin().await?;
        spare_the_last(&mut transaction, id).await?;
        let ended = end_all(&mut transaction, id).await?;
        transaction.execute(Statement::new("DELETE FROM users WHERE id = $1").text(id)).await?;
        // Who they were is to be forgotten here, too.
        let before = json!({ "roles": person.roles, "disabled": person.disabled.is_some() });
        let details = json!({ "before": before, "after": null });
        done("user.delete", actor, id, visit, details).write(&mut transaction).await?;
        transaction.commit().await?;
        self.note(&ended);
        Ok(person)
    }
}

/// An account that is about to be made.
pub(crate) struct NewAccount<'a> {
    pub(crate) email: &'a EmailAddress,
    pub(crate) name: &'a str,
    /// The hash of the password, if they have one yet.
    pub(crate) hash: Option<&'a str>,
    /// Whether they have read mail that went to the address.
    pub(crate) is_verified: bool,
}

impl NewAccount<'_> {
    pub(crate) async fn write(&self, transaction: &mut Transaction) -> Result<UserId, StoreError> {
        const CREATE: &str = "INSERT INTO users (id, email, name, created_at, email_verified_at) \
            VALUES ($1, $2, $3, $4, $5)";
        const KEEP: &str = "INSERT INTO password_credentials (user_id, hash, changed_at) VALUES ($1, $2, $3)";
        let (id, now) = (UserId::generate(), moment::now());
        let create = Statement::new(CREATE)
            .text(id.as_str())
            .text(self.email.as_str())
            .text(self.name)
            .integer(now)
            .optional_integer(self.is_verified.then_some(now));
        transaction.execute(create).await?;
        if let Some(hash) = self.hash {
            transaction.execute(Statement::new(KEEP).text(id.as_str()).text(hash).integer(now)).await?;
        }
        Ok(id)
    }

    /// The same with a role, everywhere where `organization` is empty, and what the trail says of both: its person did it.
    pub(super) async fn write_with_role(
        &self,
        transaction: &mut Transaction,
        (organization, role): (&str, &str),
        visit: &Visit,
    ) -> Result<UserId, StoreError> {
        let id = self.write(transaction).await?;
        self.bind(transaction, &id, organization, role).await?;
        let who = id.as_str();
        let everywhere: &[&str] = if organization.is_empty() { &[role] } else { &[] };
        let after = json!({ "email": self.email.as_str(), "name": self.name, "roles": everywhere });
        let details = json!({ "before": null, "after": after });
        done("user.create", who, who, visit, details).write(transaction).await?;
        if !organization.is_empty() {
            let details =
                json!({ "role": role, "organization": organization, "before": null, "after": role });
            done("role.add", who, who, visit, details).write(transaction).await?;
        }
        Ok(id)
    }

    /// Gives it a role, everywhere where `organization` is empty.
    pub(crate) async fn bind(
        &self,
        transaction: &mut Transaction,
        user: &UserId,
        organization: &str,
        role: &str,
    ) -> Result<(), StoreError> {
        transaction.execute(bind_role(user.as_str(), organization, role)).await.map(|_| ())
    }
}

/// Gives a role, everywhere where `organization` is empty.
pub(crate) fn bind_role(user: &str, organization: &str, role: &str) -> Statement {
    const BIND: &str =
        "INSERT INTO role_bindings (user_id, organization_id, role, created_at) VALUES ($1, $2, $3, $4)";
    Statement::new(BIND).text(user).text(organization).text(role).integer(moment::now())
}

impl Person {
    /// Rows come with one role each, those of a person together.
    fn all(rows: &[Row]) -> Result<Vec<Self>, StoreError> {
        let mut people: Vec<Self> = Vec::new();
        for row in rows {
            let id = row.text("id")?;
            if people.last().is_none_or(|last| last.id.as_str() != id) {
                people.push(Self {
                    id: id.as_str().into(),
                    email: row.text("email")?,
                    name: row.text("name")?,
                    created: moment::moment(row.integer("created_at")?),
                    disabled: row.optional_integer("disabled_at")?.map(moment::moment),
                    last_login: row.optional_integer("last_login_at")?.map(moment::moment),
                    roles: Vec::new(),
                });
            }
            if let (Some(person), Some(role)) = (people.last_mut(), row.optional_text("role")?) {
                person.roles.push(role);
            }
        }
        Ok(people)
    }
}
