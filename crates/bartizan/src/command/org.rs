//! `bartizan org`: organisations and their members.

use anyhow::Result;
use bartizan_control::{Members, NewOrganization, Organization, Organizations};
use clap::{Args, Subcommand};

use crate::{
    admin::{AdminOptions, segment},
    asking::{Asking, list},
    command::user::change_role,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, print, printable},
};

/// Make and show organisations, and say who is what in them.
#[derive(Debug, Args)]
pub(crate) struct Org {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an organisation.
    Create(One),
    /// List every organisation.
    List(Which),
    /// Say who is what in an organisation.
    #[command(subcommand)]
    Member(Member),
}

#[derive(Debug, Subcommand)]
enum Member {
    /// List the members of an organisation.
    List(One),
    /// Give a person a role in an organisation.
    Add(Change),
    /// Take a role in an organisation from a person.
    Remove(Change),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct One {
    /// The name.
    organization: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Change {
    /// The name or the id.
    organization: String,
    /// The person, by id or e-mail address.
    user: String,
    /// A role of the configuration, or `org_admin`, `user`, `viewer`.
    #[arg(long, default_value = "user")]
    role: String,
    #[command(flatten)]
    admin: AdminOptions,
}

impl Org {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Create(One { organization: name, asking }) => {
                let new = NewOrganization { name };
                let made: Organization = asking.client()?.post_json("v1/organizations", &new).await?;
                asking.print(&made, |made| {
                    print(format_args!("{} has the id {}", printable(&made.name), printable(&made.id)))
                })
            }
            Command::List(Which { asking }) => {
                let listed: Organizations = asking.client()?.get("v1/organizations", &[]).await?;
                let none = "no organisations: make one with `bartizan org create NAME`";
                asking.print(&listed, |listed| {
                    list(&listed.organizations, none, ["NAME", "ID"], |organization| {
                        [Cell::new(PLAIN, &organization.name), Cell::new(FAINT, &organization.id)]
                    })
                })
            }
            Command::Member(member) => member.run().await,
        }
    }
}

impl Member {
    async fn run(self) -> Result<()> {
        match self {
            Self::List(One { organization, asking }) => {
                let path = format!("v1/organizations/{}/members", segment(&organization));
                let listed: Members = asking.client()?.get(&path, &[]).await?;
                let none = "no members: add one with `bartizan org member add`";
                asking.print(&listed, |listed| {
                    list(&listed.members, none, ["EMAIL", "ROLE", "STATE", "ID"], |member| {
                        let is_suspended = member.suspended.is_some();
                        let (style, state) = if is_suspended { (BAD, "suspended") } else { (GOOD, "active") };
                        [
                            Cell::new(PLAIN, &member.email),
                            Cell::new(PLAIN, &member.role),
                            Cell::new(style, state),
                            Cell::new(FAINT, &member.user),
                        ]
                    })
                })
            }
            Self::Add(change) => change.make(true).await,
            Self::Remove(change) => change.make(false).await,
        }
    }
}

impl Change {
    async fn make(self, give: bool) -> Result<()> {
        let Self { organization, user, role, admin } = self;
        change_role(&admin.client()?, &user, role, Some(organization), give).await
    }
}
