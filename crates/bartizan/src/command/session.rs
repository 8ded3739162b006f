//! `bartizan session`: who is logged in.

use anyhow::Result;
use bartizan_control::Sessions;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    admin::segment,
    asking::{Asking, list, whole},
    failure::Misuse,
    output::{Cell, FAINT, PLAIN, printable},
};

/// See who is logged in, and end sessions.
#[derive(Debug, Args)]
pub(crate) struct Session {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List sessions that have not ended, the newest first.
    List(List),
    /// End a session, or every session of a person or for an organisation. It is refused from then on.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct List {
    /// Only those of this person, by id or e-mail address.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Revoke {
    /// The id of the session (see `bartizan session list`).
    session: Option<String>,
    /// Every session of this person, by id or e-mail address.
    #[arg(long, conflicts_with = "session")]
    user: Option<String>,
    /// Every session that acts for this organisation, by id or name.
    #[arg(long, conflicts_with_all = ["session", "user"])]
    org: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

impl Session {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::List(command) => command.run().await,
            Command::Revoke(command) => command.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let client = self.asking.client()?;
        let query: Vec<_> = self.user.into_iter().map(|user| ("user", user)).collect();
        let listed = whole(
            &client,
            "v1/sessions",
            &query,
            |all: &mut Sessions| all.next.take(),
            |all, part| {
                all.sessions.extend(part.sessions);
                all.next = part.next;
            },
        )
        .await?;
        let head = ["SESSION", "USER", "BEGAN", "LAST USED", "FROM", "CLIENT"];
        self.asking.print(&listed, |listed| {
            list(&listed.sessions, "nobody is logged in", head, |session| {
                [
                    Cell::new(PLAIN, &session.id),
                    Cell::new(FAINT, &session.user),
                    Cell::new(PLAIN, session.created.to_string()),
                    Cell::new(PLAIN, session.seen.to_string()),
                    Cell::new(PLAIN, &session.address),
                    Cell::new(FAINT, &session.client),
                ]
            })
        })
    }
}

impl Revoke {
    async fn run(self) -> Result<()> {
        let Self { session, user, org, asking } = self;
        let client = asking.client()?;
        match (session, user, org) {
            (Some(session), ..) => {
                client.delete::<()>(&format!("v1/sessions/{}", segment(&session)), &[]).await?;
                asking.done(&json!({ "session": session, "revoked": true }), "the session has ended")
            }
            (None, Some(user), _) => {
                client.delete::<()>("v1/sessions", &[("user", user.clone())]).await?;
                let said = format!("every session of {} has ended", printable(&user));
                asking.done(&json!({ "user": user, "revoked": true }), said)
            }
            (None, None, Some(org)) => {
                client.delete::<()>("v1/sessions", &[("organization", org.clone())]).await?;
                let said = format!("every session for {} has ended", printable(&org));
                asking.done(&json!({ "organization": org, "revoked": true }), said)
            }
            (None, None, None) => {
                let usage = "name a session, a person with `--user`, or an organisation with `--org`";
                Err(Misuse(usage.into()).into())
            }
        }
    }
}
