//! `bartizan user`: people whom the gateway knows itself.

use std::{
    io::Read,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, bail};
use bartizan_control::{
    GivenRole, HeldRole, Invitation, NewEmail, NewName, OperatorInvitation, Suspension, User as Known, Users,
};
use clap::{Args, Subcommand, builder::ArgPredicate};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

mod identities;
mod invitations;

use crate::{
    admin::segment,
    asking::{Asking, RenamedAsking, list, whole},
    command::addresses::duration,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// Make, show and change the accounts of people.
#[derive(Debug, Args)]
pub(crate) struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account. Without `--password-stdin` the password is made up and shown once.
    #[command(after_help = "Example:\n  bartizan user create ada@shop.test --admin")]
    Create(Create),
    /// Invite somebody by message. It takes `accounts.mail`.
    #[command(after_help = "Example:\n  bartizan user invite bob@shop.test --role viewer --org Acme")]
    Invite(Invite),
    /// List everybody.
    List(List),
    /// Show one person.
    Show(One),
    /// Call a person something else.
    SetName(SetName),
    /// Give a person another e-mail address.
    SetEmail(SetEmail),
    /// At which other providers a person can log in.
    Identities(One),
    /// Let a person log in at another provider no longer, and end their sessions.
    Unlink(Unlink),
    /// List invitations that nobody has accepted yet.
    Invitations(List),
    /// Take an invitation back: its link opens nothing any more.
    WithdrawInvitation(WithdrawInvitation),
    /// Let a person in no longer, and end their sessions; with `--org` suspend them there only.
    #[command(
        after_help = "Examples:\n  bartizan user disable bob@shop.test\n  bartizan user disable bob@shop.test --org Acme --reason 'has left the team'"
    )]
    Disable(Disable),
    /// Let a person in again; with `--org` give them their roles there back.
    Enable(Placed),
    /// Let a person try again at once whose logins are paused after too many failures.
    Unlock(One),
    /// Remove every second factor of a person who has lost theirs, and end their sessions.
    ResetFactors(One),
    /// Set another password and end every session of the person.
    SetPassword(SetPassword),
    /// Forget a person: account, password, roles and sessions; with `--org` take them out of it only.
    Delete(Placed),
    /// Give a person a role.
    #[command(
        after_help = "Example:\n  bartizan user add-role bob@shop.test viewer --scope 'user:read' --for 30d"
    )]
    AddRole(Given),
    /// Take a role from a person.
    RemoveRole(Held),
}

#[derive(Debug, Args)]
struct Create {
    /// By which e-mail address they are known.
    email: String,
    /// What to call them. Without it what stands before the `@`.
    #[arg(long)]
    name: Option<String>,
    /// Give them the role `super_admin`.
    #[arg(long)]
    admin: bool,
    /// A role to give them, everywhere. May be repeated.
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Read the password from standard input.
    #[arg(long)]
    password_stdin: bool,
    /// Read the hash that another system has of their password from standard input: bcrypt, or a PHC string of scrypt, PBKDF2
    /// or argon2.
    #[arg(long, conflicts_with = "password_stdin")]
    password_hash_stdin: bool,
    #[command(flatten)]
    asking: RenamedAsking,
}

#[derive(Debug, Args)]
struct Invite {
    /// Their e-mail address.
    email: String,
    /// What they will be.
    #[arg(long)]
    role: String,
    /// Only in this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    /// What the role is cut down to. May be repeated; without it not at all.
    #[arg(long = "scope", value_name = "PERMISSION")]
    scope: Vec<String>,
    /// For how long they have the role: seconds, or a number with `s`, `m`, `h` or `d`. Without it until it is taken away.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct One {
    /// Their id or e-mail address.
    user: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Placed {
    /// Their id or e-mail address.
    user: String,
    /// Only in this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Disable {
    #[command(flatten)]
    who: Placed,
    /// Why they are suspended in the organisation.
    #[arg(
        long,
        requires = "organization",
        default_value_if("organization", ArgPredicate::IsPresent, "suspended by an operator")
    )]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct SetPassword {
    /// Their id or e-mail address.
    user: String,
    /// Read the password from standard input. Without it one is made up and shown once.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Held {
    /// Their id or e-mail address.
    user: String,
    /// A role of the configuration, or `super_admin`, `org_admin`, `user`, `viewer`.
    role: String,
    /// Only in this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Given {
    #[command(flatten)]
    held: Held,
    /// What the role is cut down to. May be repeated; without it not at all.
    #[arg(long = "scope", value_name = "PERMISSION")]
    scope: Vec<String>,
    /// For how long: seconds, or a number with `s`, `m`, `h` or `d`. Without it until it is taken away.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
}

#[derive(Debug, Args)]
struct SetName {
    /// Their id or e-mail address.
    user: String,
    /// What to call them from now on.
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetEmail {
    /// Their id or e-mail address.
    user: String,
    /// Their e-mail address from now on.
    email: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Unlink {
    /// Their id or e-mail address.
    user: String,
    /// The id of the link (see `bartizan user identities`).
    identity: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct WithdrawInvitation {
    /// The id of the invitation (see `bartizan user invitations`).
    invitation: String,
    #[command(flatten)]
    asking: Asking,
}

impl User {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Create(command) => command.run().await,
            Command::Invite(command) => command.run().await,
            Command::List(command) => command.run().await,
            Command::Show(One { user, asking }) => {
                asking.print(&asking.client()?.get(&path(&user, ""), &[]).await?, show)
            }
            Command::Disable(command) => command.run().await,
            Command::Enable(Placed { user, organization: None, asking }) => {
                asking.print(&asking.client()?.post(&path(&user, "/enable")).await?, show)
            }
            Command::Enable(Placed { user, organization: Some(organization), asking }) => {
                asking.client()?.post::<()>(&member(&organization, &user, "/resume")).await?;
                let said =
                    format!("{} has their roles in {} back", printable(&user), printable(&organization));
                asking.done(&json!({ "organization": organization, "user": user, "suspended": false }), said)
            }
            Command::Unlock(One { user, asking }) => {
                asking.print(&asking.client()?.post(&path(&user, "/unlock")).await?, show)
            }
            Command::ResetFactors(One { user, asking }) => {
                let known: Known = asking.client()?.post(&path(&user, "/reset-factors")).await?;
                asking.print(&known, |known| {
                    let email = printable(&known.email);
                    print(format_args!("{email} has no second factor; their sessions have ended"))
                })
            }
            Command::SetPassword(command) => command.run().await,
            Command::Delete(Placed { user, organization: Some(organization), asking }) => {
                asking.client()?.delete::<()>(&member(&organization, &user, ""), &[]).await?;
                let said = format!("{} belongs to {} no longer", printable(&user), printable(&organization));
                asking.done(&json!({ "organization": organization, "user": user, "member": false }), said)
            }
            Command::Delete(Placed { user, organization: None, asking }) => {
                let gone: Known = asking.client()?.delete(&path(&user, ""), &[]).await?;
                asking.print(&gone, |gone| print(format_args!("{} is forgotten", printable(&gone.email))))
            }
            Command::SetName(SetName { user, name, asking }) => {
                let known = asking.client()?.post_json(&path(&user, "/name"), &NewName { name }).await?;
                asking.print(&known, show)
            }
            Command::SetEmail(SetEmail { user, email, asking }) => {
                let known = asking.client()?.post_json(&path(&user, "/email"), &NewEmail { email }).await?;
                asking.print(&known, show)
            }
            Command::Identities(One { user, asking }) => identities::show(&user, &asking).await,
            Command::Unlink(Unlink { user, identity, asking }) => {
                identities::unlink(&user, &identity, &asking).await
            }
            Command::Invitations(List { asking }) => invitations::show(&asking).await,
            Command::WithdrawInvitation(WithdrawInvitation { invitation, asking }) => {
                invitations::withdraw(&invitation, &asking).await
            }
            Command::AddRole(role) => role.give().await,
            Command::RemoveRole(Held { user, role, organization, asking }) => {
                change_role(&asking, &user, role, organization, false).await
            }
        }
    }
}

impl Create {
    async fn run(self) -> Result<()> {
        let Self { email, name, admin, mut role, password_stdin, password_hash_stdin, asking } = self;
        let (asking, password) =
            (Asking::from(asking), Password::get(password_stdin || password_hash_stdin)?);
        if admin {
            role.insert(0, "super_admin".into());
        }
        let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default().to_owned());
        let kept = if password_hash_stdin { "password_hash" } else { "password" };
        let new = json!({ "email": email, "name": name, kept: password.expose(), "roles": role });
        let known: Known = asking.client()?.post_json("v1/users", &new).await?;
        asking.print(&password.told_with(known), |made| {
            show(&made.user)?;
            made.tell_password()
        })
    }
}

impl Invite {
    async fn run(self) -> Result<()> {
        let Self { email, role, organization, scope, duration, asking } = self;
        let role_expires = duration.map(|duration| (SystemTime::now() + duration).into());
        let new = OperatorInvitation { email, role, organization, scope, role_expires };
        let made: Invitation = asking.client()?.post_json("v1/invitations", &new).await?;
        asking.print(&made, |made| {
            let (email, role) = (printable(&made.email), printable(&made.role));
            print(format_args!("{email} is invited as {role}, until {}", made.expires))
        })
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let Self { asking } = self;
        let client = asking.client()?;
        let listed = whole(
            &client,
            "v1/users",
            &[],
            |all: &mut Users| all.next.take(),
            |all, part| {
                all.users.extend(part.users);
                all.next = part.next;
            },
        )
        .await?;
        let none = "nobody: make an account with `bartizan user create EMAIL --admin`";
        asking.print(&listed, |listed| {
            list(&listed.users, none, ["EMAIL", "NAME", "ROLES", "STATE", "ID"], |user| {
                [
                    Cell::new(PLAIN, &user.email),
                    Cell::new(PLAIN, &user.name),
                    Cell::new(PLAIN, user.roles.join(", ")),
                    state(user),
                    Cell::new(FAINT, &user.id),
                ]
            })
        })
    }
}

impl Disable {
    async fn run(self) -> Result<()> {
        let Self { who: Placed { user, organization, asking }, reason } = self;
        let client = asking.client()?;
        let Some(organization) = organization else {
            return asking.print(&client.post(&path(&user, "/disable")).await?, show);
        };
        let reason = Suspension { reason: reason.unwrap_or_default() };
        client.post_json::<()>(&member(&organization, &user, "/suspend"), &reason).await?;
        let said = format!("{} is suspended in {}", printable(&user), printable(&organization));
        asking.done(&json!({ "organization": organization, "user": user, "suspended": true }), said)
    }
}

impl SetPassword {
    async fn run(self) -> Result<()> {
        let Self { user, password_stdin, asking } = self;
        let (client, password) = (asking.client()?, Password::get(password_stdin)?);
        let body = json!({ "password": password.expose() });
        let known: Known = client.post_json(&path(&user, "/password"), &body).await?;
        asking.print(&password.told_with(known), |made| {
            let email = printable(&made.user.email);
            print(format_args!("{email} has another password; their sessions have ended"))?;
            made.tell_password()
        })
    }
}

impl Given {
    async fn give(self) -> Result<()> {
        let Self { held: Held { user, role, organization, asking }, scope, duration } = self;
        if scope.is_empty() && duration.is_none() {
            return change_role(&asking, &user, role, organization, true).await;
        }
        let expires = duration.map(|duration| (SystemTime::now() + duration).into());
        let said = format!("{} is now {}", printable(&user), printable(&role));
        let given = GivenRole { role, organization, scope, expires };
        asking.client()?.post_json::<()>(&path(&user, "/roles"), &given).await?;
        asking.done(&json!({ "user": user, "role": given, "held": true }), said)
    }
}

/// The path of a member of an organisation.
fn member(organization: &str, user: &str, what: &str) -> String {
    format!("v1/organizations/{}/members/{}{what}", segment(organization), segment(user))
}

/// Gives or takes a role.
pub(super) async fn change_role(
    asking: &Asking,
    user: &str,
    role: String,
    organization: Option<String>,
    give: bool,
) -> Result<()> {
    let (client, path) = (asking.client()?, path(user, "/roles"));
    let change = json!({ "user": user, "role": role, "organization": organization, "held": give });
    let place = organization.as_ref().map_or_else(|| "everywhere".into(), |name| format!("in {name}"));
    if give {
        let held = HeldRole { role: role.clone(), organization };
        client.post_json::<()>(&path, &held).await?;
    } else {
        let organization = organization.map(|name| ("organization", name));
        let query: Vec<_> = [("role", role.clone())].into_iter().chain(organization).collect();
        client.delete::<()>(&path, &query).await?;
    }
    let verb = if give { "now" } else { "no longer" };
    let said = format!("{} is {verb} {} {}", printable(user), printable(&role), printable(&place));
    asking.done(&change, said)
}

fn path(user: &str, rest: &str) -> String {
    format!("v1/users/{}{rest}", segment(user))
}

fn show(user: &Known) -> Result<()> {
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    fact("email", user.email.as_str().into());
    fact("name", user.name.as_str().into());
    fact("roles", user.roles.join(", ").into());
    fact("state", state(user));
    fact("last login", user.last_login.map_or_else(|| "never".into(), |at| at.to_string()).into());
    fact("id", user.id.as_str().into());
    print(table)
}

fn state(user: &Known) -> Cell {
    if user.disabled.is_some() { Cell::new(BAD, "disabled") } else { Cell::new(GOOD, "active") }
}

/// A password, and whether the person at the terminal has yet to learn it.
struct Password {
    text: SecretString,
    is_new: bool,
}

impl Password {
    fn get(from_stdin: bool) -> Result<Self> {
        if !from_stdin {
            return Ok(Self { text: make_up()?, is_new: true });
        }
        let mut text = String::new();
        std::io::stdin().take(4096).read_to_string(&mut text).context("cannot read the password")?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            bail!("standard input holds no password");
        }
        Ok(Self { text: line.into(), is_new: false })
    }

    fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// What whoever asked learns: the password only if they have not chosen it.
    fn told_with(self, user: Known) -> WithPassword {
        let password = self.is_new.then(|| self.expose().to_owned());
        WithPassword { user, password }
    }
}

/// A person, and the password that was made up for them.
#[derive(Serialize)]
struct WithPassword {
    #[serde(flatten)]
    user: Known,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl WithPassword {
    fn tell_password(&self) -> Result<()> {
        let Some(password) = &self.password else { return Ok(()) };
        print(format_args!("\npassword, shown only now: {password}"))
    }
}

/// Four groups of six characters, with every kind that the older rules ask for.
fn make_up() -> Result<SecretString> {
    use base64::{Engine, engine::general_purpose::STANDARD};

    loop {
        let mut random = [0; 30];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow!("no random bytes to make a password of"))?;
        let text: String =
            STANDARD.encode(random).chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        let has = |kind: fn(&char) -> bool| text.chars().any(|character| kind(&character));
        if text.len() == 24
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_digit)
        {
            let groups: Vec<&str> = (0..4).filter_map(|group| text.get(group * 6..group * 6 + 6)).collect();
            return Ok(groups.join("-").into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_made_up_keeps_every_rule() {
        let (one, other) = (make_up().unwrap(), make_up().unwrap());
        assert_eq!(one.expose_secret().len(), 27);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
