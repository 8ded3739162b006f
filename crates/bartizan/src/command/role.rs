//! `bartizan role`: roles of an organisation's own, and who has which.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bartizan_control::{Bindings, KnownRoles, NewBinding, NewRole, Role as Known, RolePermissions, Roles};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    admin::segment,
    asking::{Asking, list, whole},
    command::addresses::duration,
    output::{Cell, FAINT, PLAIN, print, printable},
};

/// Make and show the roles of an organisation's own, and give roles to people and services there.
#[derive(Debug, Args)]
pub(crate) struct Role {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the roles that are known everywhere, with what they grant; or those of an organisation's own.
    List(Which),
    /// Make a role of an organisation's own.
    #[command(after_help = "Example:\n  bartizan role create Acme support --permission 'tickets:*'")]
    Create(Create),
    /// Set all that a role of an organisation's own grants. It counts for everybody who has it, at once.
    #[command(
        after_help = "Example:\n  bartizan role set-permissions Acme support tickets:read tickets:close"
    )]
    SetPermissions(SetPermissions),
    /// Forget a role of an organisation's own, and take it from everybody.
    Delete(Delete),
    /// List who has which role in an organisation.
    Bindings(Whose),
    /// Give a role in an organisation. One that they have already gets this scope and this end.
    #[command(
        after_help = "Example:\n  bartizan role bind Acme support --user bob@shop.test --scope tickets:read --for 30d"
    )]
    Bind(Bind),
    /// Take a role in an organisation away.
    Unbind(Unbind),
}

#[derive(Debug, Args)]
struct Which {
    /// The organisation, by id or name. Without it the roles of the configuration and the built-in ones.
    organization: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Whose {
    /// The organisation, by id or name.
    organization: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Create {
    /// The organisation, by id or name.
    organization: String,
    /// Its name, which no role of the configuration has.
    name: String,
    /// Something it grants. May be repeated.
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetPermissions {
    /// The organisation, by id or name.
    organization: String,
    /// The name of the role.
    name: String,
    /// All that it grants.
    #[arg(required = true)]
    permissions: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Delete {
    /// The organisation, by id or name.
    organization: String,
    /// The name of the role.
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Bind {
    /// The organisation, by id or name.
    organization: String,
    /// The role: of the configuration, built in, or the organisation's own.
    role: String,
    #[command(flatten)]
    holder: Holder,
    /// What it is cut down to. May be repeated; without it not at all.
    #[arg(long = "scope", value_name = "PERMISSION")]
    scope: Vec<String>,
    /// For how long: seconds, or a number with `s`, `m`, `h` or `d`. Without it until it is taken away.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Unbind {
    /// The organisation, by id or name.
    organization: String,
    /// The role.
    role: String,
    #[command(flatten)]
    holder: Holder,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Holder {
    /// The person, by id or e-mail address.
    #[arg(long)]
    user: Option<String>,
    /// The service, by client id.
    #[arg(long, value_name = "ID")]
    service: Option<String>,
}

impl Role {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::List(command) => command.list_roles().await,
            Command::Create(Create { organization, name, permissions, asking }) => {
                let new = NewRole { name, permissions };
                asking.print(&asking.client()?.post_json(&path(&organization, "roles"), &new).await?, show)
            }
            Command::SetPermissions(SetPermissions { organization, name, permissions, asking }) => {
                let place = path(&organization, &format!("roles/{}/permissions", segment(&name)));
                let body = RolePermissions { permissions };
                asking.print(&asking.client()?.post_json(&place, &body).await?, show)
            }
            Command::Delete(Delete { organization, name, asking }) => {
                let query = [("role", name)];
                let gone: Known = asking.client()?.delete(&path(&organization, "roles"), &query).await?;
                asking.print(&gone, |gone| print(format_args!("{} is forgotten", printable(&gone.name))))
            }
            Command::Bindings(command) => command.list_bindings().await,
            Command::Bind(command) => command.run().await,
            Command::Unbind(command) => command.run().await,
        }
    }
}

impl Which {
    async fn list_roles(self) -> Result<()> {
        let Self { organization, asking } = self;
        let Some(organization) = organization else {
            let listed: KnownRoles = asking.client()?.get("v1/roles", &[]).await?;
            return asking.print(&listed, |listed| {
                list(&listed.roles, "none", ["NAME", "PERMISSIONS", "FROM"], |role| {
                    let from = if role.built_in { "built in" } else { "configuration" };
                    [
                        Cell::new(PLAIN, &role.name),
                        Cell::new(PLAIN, role.permissions.join(" ")),
                        Cell::new(FAINT, from),
                    ]
                })
            });
        };
        let listed: Roles = asking.client()?.get(&path(&organization, "roles"), &[]).await?;
        let none = "no roles of its own: make one with `bartizan role create`";
        asking.print(&listed, |listed| {
            list(&listed.roles, none, ["NAME", "PERMISSIONS"], |role| {
                [Cell::new(PLAIN, &role.name), Cell::new(PLAIN, role.permissions.join(" "))]
            })
        })
    }
}

impl Whose {
    async fn list_bindings(self) -> Result<()> {
        let Self { organization, asking } = self;
        let client = asking.client()?;
        let listed = whole(
            &client,
            &path(&organization, "bindings"),
            &[],
            |all: &mut Bindings| all.next.take(),
            |all, part| {
                all.bindings.extend(part.bindings);
                all.next = part.next;
            },
        )
        .await?;
        let none = "nobody has a role here: give one with `bartizan role bind`";
        asking.print(&listed, |listed| {
            list(&listed.bindings, none, ["WHO", "ROLE", "SCOPE", "ENDS", "ID"], |binding| {
                let scope =
                    if binding.scope.is_empty() { "all of it".into() } else { binding.scope.join(" ") };
                let ends = binding.expires.map_or_else(|| "never".into(), |at| at.to_string());
                let id = binding.user.as_ref().or(binding.service.as_ref());
                [
                    Cell::new(PLAIN, &binding.name),
                    Cell::new(PLAIN, &binding.role),
                    Cell::new(PLAIN, scope),
                    Cell::new(PLAIN, ends),
                    Cell::new(FAINT, id.map_or("", |id| id)),
                ]
            })
        })
    }
}

impl Bind {
    async fn run(self) -> Result<()> {
        let Self { organization, role, holder: Holder { user, service }, scope, duration, asking } = self;
        let who = printable(user.as_deref().or(service.as_deref()).unwrap_or_default());
        let expires = duration.map(|duration| (SystemTime::now() + duration).into());
        let said = format!("{who} is now {} in {}", printable(&role), printable(&organization));
        let new = NewBinding { user, service, role, scope, expires };
        asking.client()?.post_json::<()>(&path(&organization, "bindings"), &new).await?;
        asking.done(&json!({ "organization": organization, "binding": new, "held": true }), said)
    }
}

impl Unbind {
    async fn run(self) -> Result<()> {
        let Self { organization, role, holder: Holder { user, service }, asking } = self;
        let who = printable(user.as_deref().or(service.as_deref()).unwrap_or_default());
        let said = format!("{who} is no longer {} in {}", printable(&role), printable(&organization));
        let binding = json!({ "user": user, "service": service, "role": role });
        let holder = [("user", user), ("service", service)];
        let holder = holder.into_iter().filter_map(|(name, id)| Some((name, id?)));
        let query: Vec<_> = [("role", role)].into_iter().chain(holder).collect();
        asking.client()?.delete::<()>(&path(&organization, "bindings"), &query).await?;
        asking.done(&json!({ "organization": organization, "binding": binding, "held": false }), said)
    }
}

fn show(role: &Known) -> Result<()> {
    print(format_args!("{} grants {}", printable(&role.name), role.permissions.join(" ")))
}

fn path(organization: &str, rest: &str) -> String {
    format!("v1/organizations/{}/{rest}", segment(organization))
}
