//! `bartizan org`: organisations and their members.

use anyhow::Result;
use bartizan_control::{Members, NewName, NewOrganization, Organization, OrganizationDetails, Organizations};
use clap::{Args, Subcommand};

use crate::{
    admin::segment,
    asking::{Asking, list, whole},
    command::user::change_role,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// Make, show, rename and forget organisations, and say who is what in them.
#[derive(Debug, Args)]
pub(crate) struct Org {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an organisation.
    Create(Create),
    /// List every organisation.
    List(Which),
    /// Show an organisation and what it has.
    Show(One),
    /// Give an organisation another name.
    Rename(Rename),
    /// Forget an organisation. What acts for it ends: sessions, tokens, API keys. The accounts of its people stay.
    Delete(Delete),
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
struct Create {
    /// The name.
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct One {
    /// The name or the id.
    organization: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Rename {
    /// The name so far, or the id.
    organization: String,
    /// The name, which no other has.
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Delete {
    /// The name or the id.
    organization: String,
    /// Also if it has members, services or API keys.
    #[arg(long)]
    force: bool,
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
    asking: Asking,
}

impl Org {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Create(Create { name, asking }) => {
                let new = NewOrganization { name };
                asking.print(&asking.client()?.post_json("v1/organizations", &new).await?, tell)
            }
            Command::Show(One { organization, asking }) => {
                asking.print(&asking.client()?.get(&path(&organization, ""), &[]).await?, show)
            }
            Command::Rename(Rename { organization, name, asking }) => {
                let path = path(&organization, "/name");
                asking.print(&asking.client()?.post_json(&path, &NewName { name }).await?, tell)
            }
            Command::Delete(Delete { organization, force, asking }) => {
                let query = [("force", force.to_string())];
                let gone: Organization = asking.client()?.delete(&path(&organization, ""), &query).await?;
                asking.print(&gone, |gone| print(format_args!("{} is forgotten", printable(&gone.name))))
            }
            Command::List(Which { asking }) => {
                let client = asking.client()?;
                let listed = whole(
                    &client,
                    "v1/organizations",
                    &[],
                    |all: &mut Organizations| all.next.take(),
                    |all, part| {
                        all.organizations.extend(part.organizations);
                        all.next = part.next;
                    },
                )
                .await?;
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
                let client = asking.client()?;
                let listed = whole(
                    &client,
                    &path(&organization, "/members"),
                    &[],
                    |all: &mut Members| all.next.take(),
                    |all, part| {
                        all.members.extend(part.members);
                        all.next = part.next;
                    },
                )
                .await?;
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
        let Self { organization, user, role, asking } = self;
        change_role(&asking, &user, role, Some(organization), give).await
    }
}

fn path(organization: &str, rest: &str) -> String {
    format!("v1/organizations/{}{rest}", segment(organization))
}

fn tell(organization: &Organization) -> Result<()> {
    print(format_args!("{} has the id {}", printable(&organization.name), printable(&organization.id)))
}

fn show(OrganizationDetails { organization, members, services, keys }: &OrganizationDetails) -> Result<()> {
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    fact("name", organization.name.as_str().into());
    fact("members", Cell::new(PLAIN, members));
    fact("services", Cell::new(PLAIN, services));
    fact("API keys", Cell::new(PLAIN, keys));
    fact("since", organization.created.to_string().into());
    fact("id", organization.id.as_str().into());
    print(table)
}
