//! `bartizan service`: machines of organisations.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use bartizan_control::{
    CredentialKind, IssuedService, MachineZone, NewCredential, NewName, NewService, Overlap,
    Service as Known, ServiceCredential, ServiceExchange, ServicePermissions, Services, Suspension,
};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use crate::{
    admin::segment,
    asking::{Asking, list, whole},
    command::addresses::duration,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// Make, show and change services: machines of an organisation, with an identity of their own.
#[derive(Debug, Args)]
pub(crate) struct Service {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a service. Its secret is shown once.
    #[command(
        after_help = "Example:\n  bartizan service create Acme payment-service --permission payment:read --permission payment:write"
    )]
    Create(Create),
    /// List services.
    List(List),
    /// Show one service.
    Show(One),
    /// Give a service another secret, shown once. The one so far works a while longer with `--overlap`.
    Rotate(Rotate),
    /// Refuse a service and its API keys until it is resumed.
    Suspend(Suspend),
    /// Let a suspended service in again.
    Resume(One),
    /// Give a service another name.
    Rename(Rename),
    /// Set all that a service may do, beside its roles.
    SetPermissions(SetPermissions),
    /// Set what of the tokens that it is called with a service may carry on (RFC 8693).
    #[command(
        after_help = "Examples:\n  bartizan service set-exchange ID 'orders:*'\n  bartizan service set-exchange ID"
    )]
    SetExchange(SetExchange),
    /// Say from which zone a service calls. Its tokens so far end.
    #[command(
        after_help = "Examples:\n  bartizan service set-zone ID services\n  bartizan service set-zone ID"
    )]
    SetZone(SetZone),
    /// Let a service prove itself with public keys or a certificate, too.
    #[command(
        after_help = "Examples:\n  bartizan service add-credential ID --keys jwks.json\n  bartizan service add-credential ID --certificate uri:spiffe://shop.test/billing"
    )]
    AddCredential(AddCredential),
    /// Take a credential from a service, at once.
    RemoveCredential(RemoveCredential),
    /// Forget a service, with its credentials, roles and API keys.
    Delete(One),
}

#[derive(Debug, Args)]
struct Create {
    /// Its organisation, by id or name.
    organization: String,
    /// Its name there.
    name: String,
    /// Something it may do. May be repeated.
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// Something of the tokens that it is called with that it may carry on (RFC 8693). May be repeated.
    #[arg(long = "exchange", value_name = "PERMISSION")]
    exchange: Vec<String>,
    /// From which zone it calls: `public`, `gateway`, `services` or `data`. Without it that of services of its provider.
    #[arg(long)]
    zone: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct List {
    /// Those of this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct One {
    /// Its client id (see `bartizan service list`).
    service: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Rotate {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// How long the secret so far goes on working, 30 days at most. Without it, it ends at once.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    overlap: Option<Duration>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Suspend {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// Why, for whoever looks at it later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Rename {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// The name, which no other of its organisation has.
    name: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetPermissions {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// All that it may do, beside its roles; nothing: nothing.
    permissions: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetExchange {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// All that it may carry on, as far as a token allows it; nothing: it exchanges none.
    permissions: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetZone {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// `public`, `gateway`, `services` or `data`; without it that of services of its provider.
    zone: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct AddCredential {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// A file with public keys: a JWK set, or one JWK.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "certificate",
        required_unless_present = "certificate"
    )]
    keys: Option<PathBuf>,
    /// What a certificate must show: `sha256:HASH`, `uri:NAME`, `dns:NAME` or `email:ADDRESS`.
    #[arg(long, value_name = "NAME")]
    certificate: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct RemoveCredential {
    /// Its client id (see `bartizan service list`).
    service: String,
    /// The id of the credential (see `bartizan service show`).
    credential: String,
    #[command(flatten)]
    asking: Asking,
}

impl Service {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Create(Create { organization, name, permissions, exchange, zone, asking }) => {
                let new = NewService { organization, name, permissions, exchange, zone };
                asking.print(&asking.client()?.post_json("v1/services", &new).await?, tell)
            }
            Command::List(command) => command.run().await,
            Command::Show(One { service, asking }) => {
                asking.print(&asking.client()?.get(&path(&service, ""), &[]).await?, show)
            }
            Command::Rotate(Rotate { service, overlap, asking }) => {
                let body = Overlap { overlap_seconds: overlap.unwrap_or_default().as_secs() };
                asking.print(&asking.client()?.post_json(&path(&service, "/rotate"), &body).await?, tell)
            }
            Command::Suspend(Suspend { service, reason, asking }) => {
                let body = Suspension { reason };
                asking.print(&asking.client()?.post_json(&path(&service, "/suspend"), &body).await?, show)
            }
            Command::Resume(One { service, asking }) => {
                asking.print(&asking.client()?.post(&path(&service, "/resume")).await?, show)
            }
            Command::Rename(Rename { service, name, asking }) => {
                let body = NewName { name };
                asking.print(&asking.client()?.post_json(&path(&service, "/name"), &body).await?, show)
            }
            Command::SetPermissions(SetPermissions { service, permissions, asking }) => {
                let body = ServicePermissions { permissions };
                asking.print(&asking.client()?.post_json(&path(&service, "/permissions"), &body).await?, show)
            }
            Command::SetExchange(SetExchange { service, permissions, asking }) => {
                let body = ServiceExchange { exchange: permissions };
                asking.print(&asking.client()?.post_json(&path(&service, "/exchange"), &body).await?, show)
            }
            Command::SetZone(SetZone { service, zone, asking }) => {
                let body = MachineZone { zone };
                asking.print(&asking.client()?.post_json(&path(&service, "/zone"), &body).await?, show)
            }
            Command::AddCredential(command) => command.run().await,
            Command::RemoveCredential(RemoveCredential { service, credential, asking }) => {
                let query = [("credential", credential)];
                asking.print(&asking.client()?.delete(&path(&service, "/credentials"), &query).await?, show)
            }
            Command::Delete(One { service, asking }) => {
                let gone: Known = asking.client()?.delete(&path(&service, ""), &[]).await?;
                asking.print(&gone, |gone| print(format_args!("{} is forgotten", printable(&gone.name))))
            }
        }
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let Self { organization, asking } = self;
        let query: Vec<_> = organization.into_iter().map(|name| ("organization", name)).collect();
        let client = asking.client()?;
        let listed = whole(
            &client,
            "v1/services",
            &query,
            |all: &mut Services| all.next.take(),
            |all, part| {
                all.services.extend(part.services);
                all.next = part.next;
            },
        )
        .await?;
        let none = "no services: make one with `bartizan service create ORGANISATION NAME`";
        let head = ["NAME", "ORGANISATION", "PERMISSIONS", "STATE", "CLIENT ID"];
        asking.print(&listed, |listed| {
            list(&listed.services, none, head, |service| {
                [
                    Cell::new(PLAIN, &service.name),
                    Cell::new(FAINT, &service.organization),
                    Cell::new(PLAIN, service.permissions.join(" ")),
                    state(service),
                    Cell::new(PLAIN, &service.id),
                ]
            })
        })
    }
}

impl AddCredential {
    async fn run(self) -> Result<()> {
        let Self { service, keys, certificate, asking } = self;
        let keys = keys.map(|path| {
            fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))
        });
        let new = NewCredential { keys: keys.transpose()?, certificate };
        asking.print(&asking.client()?.post_json(&path(&service, "/credentials"), &new).await?, show)
    }
}

fn path(service: &str, rest: &str) -> String {
    format!("v1/services/{}{rest}", segment(service))
}

fn tell(IssuedService { secret, service }: &IssuedService) -> Result<()> {
    show(service)?;
    print(format_args!("\nsecret, shown only now: {}", secret.expose_secret()))
}

fn show(service: &Known) -> Result<()> {
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    fact("name", service.name.as_str().into());
    fact("organisation", service.organization.as_str().into());
    fact("permissions", service.permissions.join(" ").into());
    let exchange = if service.exchange.is_empty() { "no tokens".into() } else { service.exchange.join(" ") };
    fact("exchanges", exchange.into());
    fact("zone", service.zone.as_deref().unwrap_or("as its provider says").into());
    fact("state", state(service));
    for credential in &service.credentials {
        fact(kind(credential), describe(credential).into());
    }
    fact("client id", service.id.as_str().into());
    print(table)
}

fn kind(credential: &ServiceCredential) -> &'static str {
    match credential.kind {
        CredentialKind::Secret => "secret",
        CredentialKind::Keys => "public keys",
        CredentialKind::Certificate => "certificate",
    }
}

fn describe(credential: &ServiceCredential) -> String {
    let shown = match (credential.kind, &credential.value) {
        (CredentialKind::Certificate, Some(value)) => format!("{value}, "),
        _ => String::new(),
    };
    let until = credential.expires.map(|expires| format!(" until {expires}")).unwrap_or_default();
    format!("{shown}since {}{until}, id {}", credential.created, credential.id)
}

fn state(service: &Known) -> Cell {
    match &service.suspended_because {
        None => Cell::new(GOOD, "active"),
        Some(reason) => Cell::new(BAD, format!("suspended: {reason}")),
    }
}
