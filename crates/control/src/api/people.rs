//! `/v1/users`: people whom the gateway knows itself.

use std::time::SystemTime;

use axum::Json;
use bartizan_identity::account::{Accounts, Authority, NewBinding, NewPerson, Person, PersonId, RoleHolder};
use http::StatusCode;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::{
    Timestamp,
    administration::{Administration, KnownAccounts},
    extract::{JsonBody, PathParameter, QueryParameters},
    failure::Failure,
};

/// Everybody who is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Users {
    /// By address.
    pub users: Vec<User>,
    /// What to ask for with `after` to get the next part; null: this is the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Somebody who is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Their id.
    pub id: String,
    /// Their address.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// What they are everywhere, whatever the organisation.
    pub roles: Vec<String>,
    /// Since when they are known.
    pub created: Timestamp,
    /// Since when they may not log in; null: they may.
    pub disabled: Option<Timestamp>,
    /// When they logged in last.
    pub last_login: Option<Timestamp>,
}

/// Somebody to be known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// By which address.
    #[schema(example = "ada@shop.test", max_length = 254)]
    pub email: String,
    /// What to call them.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// Without one they cannot log in until one is set.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password: Option<SecretString>,
    /// The hash that another system has of their password, in its place: bcrypt (`$2b$…`), or a PHC string of scrypt, PBKDF2 or
    /// argon2. It is hashed anew when they log in.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub password_hash: Option<SecretString>,
    /// What they are everywhere.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// Another password for somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// A role that somebody has or is to have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HeldRole {
    /// A role of the configuration, or `super_admin`, `org_admin`, `user` or `viewer`.
    #[schema(example = "viewer")]
    pub role: String,
    /// In this organisation, by id or name; without it everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

/// A role that somebody is to have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenRole {
    /// A role of the configuration, or `super_admin`, `org_admin`, `user` or `viewer`.
    #[schema(example = "viewer")]
    pub role: String,
    /// In this organisation, by id or name; without it everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What the role is cut down to; empty: not at all.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["tickets:read"]))]
    pub scope: Vec<String>,
    /// When it ends; without it only when somebody takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// Everybody who is known.
#[utoipa::path(
    get,
    path = "/v1/users",
    operation_id = "list_users",
    tag = "users",
    params(Page),
    responses((status = 200, description = "By address, a thousand at once.", body = Users))
)]
pub(crate) async fn list_users(
    KnownAccounts(accounts): KnownAccounts,
    QueryParameters(page): QueryParameters<Page>,
) -> Result<Json<Users>, Failure> {
    let part = accounts.people(&page.into()).await?;
    Ok(Json(Users { users: part.items.into_iter().map(User::from).collect(), next: part.next }))
}

/// Makes an account.
#[utoipa::path(
    post,
    path = "/v1/users",
    operation_id = "create_user",
    tag = "users",
    request_body = NewUser,
    responses(
        (status = 200, description = "The account.", body = User),
        (status = 409, description = "The address is taken, or there are no accounts.")
    )
)]
pub(crate) async fn create_user(
    Administration { accounts, visit }: Administration,
    JsonBody(NewUser { email, name, password, password_hash, roles }): JsonBody<NewUser>,
) -> Result<Json<User>, Failure> {
    let new = NewPerson { email, name, password, roles };
    let person = match password_hash {
        Some(hash) => accounts.import_person(new, &hash, Accounts::OPERATOR, &visit).await?,
        None => accounts.create_person(new, Accounts::OPERATOR, &visit).await?,
    };
    Ok(Json(person.into()))
}

/// Somebody who is known.
#[utoipa::path(
    get,
    path = "/v1/users/{user}",
    operation_id = "read_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn read_user(
    KnownAccounts(accounts): KnownAccounts,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    Ok(Json(accounts.person(&PersonId(user)).await?.into()))
}

/// Forgets somebody: account, password, roles and sessions.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}",
    operation_id = "delete_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses((status = 200, description = "Who is forgotten.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn delete_user(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    let deleted = accounts.delete_person(&who, Accounts::OPERATOR, &visit).await?;
    Ok(Json(deleted.into()))
}

/// Lets somebody in no longer, and ends their sessions.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/disable",
    operation_id = "disable_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn disable_user(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    let person = accounts.disable_person(&who, true, Accounts::OPERATOR, &visit);
    Ok(Json(person.await?.into()))
}

/// Lets somebody in again.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/enable",
    operation_id = "enable_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn enable_user(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    let person = accounts.disable_person(&who, false, Accounts::OPERATOR, &visit);
    Ok(Json(person.await?.into()))
}

/// Lets somebody try again at once whose logins are paused after too many failures.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/unlock",
    operation_id = "unlock_user",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn unlock_user(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    let person = accounts.unlock_person(&who, Accounts::OPERATOR, &visit);
    Ok(Json(person.await?.into()))
}

/// Removes every second factor of somebody who has lost theirs, and ends their sessions.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/reset-factors",
    operation_id = "reset_user_factors",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    responses(
        (status = 200, description = "The person.", body = User),
        (status = 404, description = "Nobody."),
        (status = 409, description = "The password is too weak to be asked for alone: set another one first.")
    )
)]
pub(crate) async fn reset_user_factors(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    Ok(Json(accounts.reset_factors(&who, Accounts::OPERATOR, &visit).await?.into()))
}

/// Sets another password and ends every session.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/password",
    operation_id = "set_user_password",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    request_body = NewPassword,
    responses((status = 200, description = "The person.", body = User), (status = 404, description = "Nobody."))
)]
pub(crate) async fn set_user_password(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
    JsonBody(NewPassword { password }): JsonBody<NewPassword>,
) -> Result<Json<User>, Failure> {
    let who = PersonId(user);
    accounts.set_password(&who, &password, Accounts::OPERATOR, &visit).await?;
    Ok(Json(accounts.person(&who).await?.into()))
}

/// Gives somebody a role. It counts for sessions that exist, too.
#[utoipa::path(
    post,
    path = "/v1/users/{user}/roles",
    operation_id = "add_user_role",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address.")),
    request_body = GivenRole,
    responses(
        (status = 204, description = "They have it."),
        (status = 404, description = "Nobody, or no such organisation."),
        (status = 409, description = "They had it already.")
    )
)]
pub(crate) async fn add_user_role(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
    JsonBody(GivenRole { role, organization, scope, expires }): JsonBody<GivenRole>,
) -> Result<StatusCode, Failure> {
    let (who, is_whole) = (PersonId(user), scope.is_empty() && expires.is_none());
    match organization {
        Some(organization) if !is_whole => {
            let holder = RoleHolder::Person(who);
            let binding = NewBinding { holder, role, scope, expires: expires.map(SystemTime::from) };
            accounts.bind_role(&organization, &binding, &Authority::Operator, &visit).await?;
        }
        None if !is_whole => {
            let bound = (scope.as_slice(), expires.map(SystemTime::from));
            accounts.add_bounded_role(&who, &role, bound, Accounts::OPERATOR, &visit).await?;
        }
        organization => {
            let added = accounts.add_role(organization.as_deref(), &who, &role, Accounts::OPERATOR, &visit);
            added.await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a role from somebody.
#[utoipa::path(
    delete,
    path = "/v1/users/{user}/roles",
    operation_id = "remove_user_role",
    tag = "users",
    params(("user" = String, Path, description = "The id or the e-mail address."), HeldRole),
    responses((status = 204, description = "They have it no longer."), (status = 404, description = "They had it not."))
)]
pub(crate) async fn remove_user_role(
    Administration { accounts, visit }: Administration,
    PathParameter(user): PathParameter<String>,
    QueryParameters(HeldRole { role, organization }): QueryParameters<HeldRole>,
) -> Result<StatusCode, Failure> {
    let who = PersonId(user);
    let removed = accounts.remove_role(organization.as_deref(), &who, &role, Accounts::OPERATOR, &visit);
    removed.await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Person> for User {
    fn from(person: Person) -> Self {
        Self {
            id: person.id.to_string(),
            email: person.email,
            name: person.name,
            roles: person.roles,
            created: person.created.into(),
            disabled: person.disabled.map(Timestamp::from),
            last_login: person.last_login.map(Timestamp::from),
        }
    }
}
