//! `bartizan key`: API keys that are kept in the store.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use bartizan_control::{
    ApiKey, ApiKeyState, ApiKeys, IssuedApiKey, KeyRate, MachineZone, NewApiKey, Overlap, Suspension,
};
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use crate::{
    admin::segment,
    asking::{Asking, list},
    command::addresses::duration,
    output::{BAD, Cell, FAINT, GOOD, PLAIN, Table, print, printable},
};

/// Make, show, rotate and end the API keys that are kept in the store.
///
/// An identity provider of the kind `api_key` with `store: true` lets them in.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key. Its secret is shown once.
    #[command(
        after_help = "Examples:\n  bartizan key create nightly --user ada@shop.test --permission orders:read\n  \
                            bartizan key create shop --org Acme --permission 'orders:*' --address 192.0.2.0/24 --for 90d"
    )]
    Create(Create),
    /// List keys, the newest first.
    List(List),
    /// Show one key.
    Show(One),
    /// Give a key another secret, shown once. The one so far works a while longer with `--overlap`.
    Rotate(Rotate),
    /// Refuse a key until it is resumed.
    Suspend(Suspend),
    /// Let a suspended key work again.
    Resume(One),
    /// Say how often a key may be used, besides what limits its route.
    #[command(
        after_help = "Examples:\n  bartizan key set-rate ID '100/min burst 20'\n  bartizan key set-rate ID"
    )]
    SetRate(SetRate),
    /// Say from which zone a key calls.
    #[command(after_help = "Examples:\n  bartizan key set-zone ID services\n  bartizan key set-zone ID")]
    SetZone(SetZone),
    /// End a key for good.
    Revoke(One),
}

#[derive(Debug, Args)]
struct Create {
    /// What it is for.
    name: String,
    /// The person it belongs to, by id or e-mail address.
    #[arg(long, conflicts_with = "service")]
    user: Option<String>,
    /// The service it belongs to, by client id.
    #[arg(long, value_name = "ID", conflicts_with = "organization")]
    service: Option<String>,
    /// The organisation it acts for, by id or name. Without `--user` it belongs to it.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    /// Something it may do, as far as its owner may; `*` is everything. May be repeated.
    #[arg(long = "permission", value_name = "PERMISSION", required = true)]
    permissions: Vec<String>,
    /// An address or a prefix it may be used from. May be repeated; without it from everywhere.
    #[arg(long = "address", value_name = "PREFIX")]
    addresses: Vec<String>,
    /// How often it may be used: `100/min` or `10/s burst 20`. Without it as often as its route allows.
    #[arg(long)]
    rate: Option<String>,
    /// From which zone it calls: `public`, `gateway`, `services` or `data`. Without it that of its provider.
    #[arg(long)]
    zone: Option<String>,
    /// How long it lives: seconds, or a number with `s`, `m`, `h` or `d`. Without it until it is revoked.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct List {
    /// Those of this person, by id or e-mail address.
    #[arg(long)]
    user: Option<String>,
    /// Those of this service, by client id.
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// Those that act for this organisation, by id or name.
    #[arg(long = "org", value_name = "NAME")]
    organization: Option<String>,
    /// Also those that are revoked.
    #[arg(long)]
    revoked: bool,
    /// Those after the key with this id: a list has a thousand keys.
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Rotate {
    /// The id of the key (see `bartizan key list`).
    key: String,
    /// How long the secret so far goes on working, 30 days at most. Without it, it ends at once.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    overlap: Option<Duration>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Suspend {
    /// The id of the key (see `bartizan key list`).
    key: String,
    /// Why, for whoever looks at it later.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetRate {
    /// The id of the key (see `bartizan key list`).
    key: String,
    /// `100/min` or `10/s burst 20`; without it as often as its route allows.
    rate: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct SetZone {
    /// The id of the key (see `bartizan key list`).
    key: String,
    /// `public`, `gateway`, `services` or `data`; without it that of its provider.
    zone: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct One {
    /// The id of the key (see `bartizan key list`).
    key: String,
    #[command(flatten)]
    asking: Asking,
}

impl Key {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::Create(command) => command.run().await,
            Command::List(command) => command.run().await,
            Command::Show(One { key, asking }) => {
                asking.print(&asking.client()?.get(&path(&key, ""), &[]).await?, show)
            }
            Command::Rotate(Rotate { key, overlap, asking }) => {
                let body = Overlap { overlap_seconds: overlap.unwrap_or_default().as_secs() };
                asking.print(&asking.client()?.post_json(&path(&key, "/rotate"), &body).await?, tell)
            }
            Command::Suspend(Suspend { key, reason, asking }) => {
                let body = Suspension { reason };
                asking.print(&asking.client()?.post_json(&path(&key, "/suspend"), &body).await?, show)
            }
            Command::Resume(One { key, asking }) => {
                asking.print(&asking.client()?.post(&path(&key, "/resume")).await?, show)
            }
            Command::SetRate(SetRate { key, rate, asking }) => asking
                .print(&asking.client()?.post_json(&path(&key, "/rate"), &KeyRate { rate }).await?, show),
            Command::SetZone(SetZone { key, zone, asking }) => asking
                .print(&asking.client()?.post_json(&path(&key, "/zone"), &MachineZone { zone }).await?, show),
            Command::Revoke(One { key, asking }) => {
                let gone: ApiKey = asking.client()?.delete(&path(&key, ""), &[]).await?;
                asking.print(&gone, |gone| {
                    print(format_args!("{} ({}) is revoked", printable(&gone.name), gone.hint))
                })
            }
        }
    }
}

impl Create {
    async fn run(self) -> Result<()> {
        let Self { name, user, service, organization, permissions, addresses, rate, zone, duration, asking } =
            self;
        let expires = duration.map(|duration| (SystemTime::now() + duration).into());
        let new =
            NewApiKey { name, user, service, organization, permissions, addresses, rate, zone, expires };
        asking.print(&asking.client()?.post_json("v1/keys", &new).await?, tell)
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let Self { user, service, organization, revoked, after, asking } = self;
        let texts = [("user", user), ("service", service), ("organization", organization), ("after", after)];
        let query = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
        let query: Vec<_> = query.chain(revoked.then(|| ("revoked", "true".to_owned()))).collect();
        let listed: ApiKeys = asking.client()?.get("v1/keys", &query).await?;
        let none = "no keys: make one with `bartizan key create NAME --user EMAIL --permission PERMISSION`";
        let head = ["NAME", "KEY", "PERMISSIONS", "STATE", "LAST USED", "ID"];
        asking.print(&listed, |listed| {
            list(&listed.keys, none, head, |key| {
                [
                    Cell::new(PLAIN, &key.name),
                    Cell::new(PLAIN, &key.hint),
                    Cell::new(PLAIN, key.permissions.join(" ")),
                    state(key),
                    Cell::new(PLAIN, last_used(key)),
                    Cell::new(FAINT, &key.id),
                ]
            })
        })
    }
}

fn path(key: &str, rest: &str) -> String {
    format!("v1/keys/{}{rest}", segment(key))
}

fn tell(IssuedApiKey { secret, key }: &IssuedApiKey) -> Result<()> {
    show(key)?;
    print(format_args!("\nkey, shown only now: {}", secret.expose_secret()))
}

fn show(key: &ApiKey) -> Result<()> {
    let mut table = Table::default();
    let mut fact = |name: &str, value: Cell| table.row([Cell::new(FAINT, name), value]);
    fact("name", key.name.as_str().into());
    fact("key", key.hint.as_str().into());
    let owner = key.user.as_deref().or(key.service.as_deref());
    fact("owner", owner.unwrap_or("its organisation").into());
    fact("organisation", key.organization.as_deref().unwrap_or("none").into());
    fact("permissions", key.permissions.join(" ").into());
    let addresses = if key.addresses.is_empty() { "from everywhere".into() } else { key.addresses.join(" ") };
    fact("addresses", addresses.into());
    fact("rate", key.rate.as_deref().unwrap_or("as its route allows").into());
    fact("zone", key.zone.as_deref().unwrap_or("as its provider says").into());
    fact("state", state(key));
    if let Some(overlap) = key.overlap_until {
        fact("old secret until", overlap.to_string().into());
    }
    fact("ends", key.expires.map_or_else(|| "never".into(), |at| at.to_string()).into());
    fact("last used", last_used(key).into());
    fact("id", key.id.as_str().into());
    print(table)
}

fn last_used(key: &ApiKey) -> String {
    key.last_used.map_or_else(|| "never".into(), |at| format!("{at} ({} uses)", key.uses))
}

fn state(key: &ApiKey) -> Cell {
    match (key.state, &key.suspended_because) {
        (ApiKeyState::Active, _) => Cell::new(GOOD, "active"),
        (ApiKeyState::Suspended, Some(reason)) => Cell::new(BAD, format!("suspended: {reason}")),
        (ApiKeyState::Suspended, None) => Cell::new(BAD, "suspended"),
        (ApiKeyState::Expired, _) => Cell::new(BAD, "expired"),
        (ApiKeyState::Revoked, _) => Cell::new(BAD, "revoked"),
    }
}
