//! `bartizan token`: tokens that the gateway has issued, and the keys that sign them.

use anyhow::Result;
use bartizan_control::{
    RevokedKind, TokenAuthorizations, TokenKeyRotation, TokenKeyState, TokenKeys, TokenRevocation,
};
use clap::{Args, Subcommand};

use crate::{
    asking::{Asking, list, whole},
    output::{Cell, FAINT, GOOD, PLAIN, print, printable},
};

/// See what tokens the gateway has issued for, end them, and change the keys that sign them.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what people have authorised, the newest first.
    List(List),
    /// End tokens. Every gateway of the store refuses them within a second.
    Revoke(Revoke),
    /// List the keys that sign and verify tokens.
    Keys(Keys),
    /// Let another key sign now, without waiting for its time.
    RotateKeys(RotateKeys),
}

#[derive(Debug, Args)]
struct Keys {
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct RotateKeys {
    /// Drop the keys so far, because somebody else may know them. Every access token so far is refused.
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct List {
    /// Only what this person has authorised, by id or e-mail address.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    asking: Asking,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// One access token, by its `jti`.
    #[arg(long, value_name = "JTI")]
    token: Option<String>,
    /// One authorisation, by the `grant_id` of its access tokens: its refresh token, too.
    #[arg(long, value_name = "GRANT_ID")]
    authorization: Option<String>,
    /// Everything that this person has authorised, by id or e-mail address. Their sessions stay.
    #[arg(long)]
    user: Option<String>,
    /// Everything that was authorised for this organisation, by id or name.
    #[arg(long)]
    org: Option<String>,
}

impl Token {
    pub(crate) async fn run(self) -> Result<()> {
        match self.command {
            Command::List(command) => command.run().await,
            Command::Revoke(command) => command.run().await,
            Command::Keys(command) => command.run().await,
            Command::RotateKeys(command) => command.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<()> {
        let query: Vec<_> = self.user.into_iter().map(|user| ("user", user)).collect();
        let client = self.asking.client()?;
        let listed = whole(
            &client,
            "v1/tokens/authorizations",
            &query,
            |all: &mut TokenAuthorizations| all.next.take(),
            |all, part| {
                all.authorizations.extend(part.authorizations);
                all.next = part.next;
            },
        )
        .await?;
        let head = ["AUTHORIZATION", "CLIENT", "USER", "BEGAN", "LAST USED", "SCOPE"];
        self.asking.print(&listed, |listed| {
            list(&listed.authorizations, "nobody has authorised anything", head, |authorization| {
                [
                    Cell::new(PLAIN, &authorization.id),
                    Cell::new(PLAIN, &authorization.client),
                    Cell::new(FAINT, &authorization.user),
                    Cell::new(PLAIN, authorization.created.to_string()),
                    Cell::new(PLAIN, authorization.seen.to_string()),
                    Cell::new(FAINT, &authorization.scope),
                ]
            })
        })
    }
}

impl Keys {
    async fn run(self) -> Result<()> {
        let keys: TokenKeys = self.asking.client()?.get("v1/tokens/keys", &[]).await?;
        self.asking.print(&keys, show)
    }
}

impl RotateKeys {
    async fn run(self) -> Result<()> {
        let rotation = TokenKeyRotation { revoke: self.revoke };
        let keys: TokenKeys = self.asking.client()?.post_json("v1/tokens/keys/rotate", &rotation).await?;
        self.asking.print(&keys, show)
    }
}

fn show(keys: &TokenKeys) -> Result<()> {
    list(&keys.keys, "there are no keys", ["KEY", "ALGORITHM", "STATE", "SINCE"], |key| {
        let (style, state) = match key.state {
            TokenKeyState::Next => (FAINT, "next"),
            TokenKeyState::Active => (GOOD, "active"),
            TokenKeyState::Retiring => (FAINT, "retiring"),
        };
        [
            Cell::new(PLAIN, &key.id),
            Cell::new(PLAIN, &key.algorithm),
            Cell::new(style, state),
            Cell::new(PLAIN, key.since.to_string()),
        ]
    })
}

impl Revoke {
    async fn run(self) -> Result<()> {
        let What { token, authorization, user, org } = self.what;
        let named = [
            (RevokedKind::Token, token),
            (RevokedKind::Authorization, authorization),
            (RevokedKind::Person, user),
            (RevokedKind::Organization, org),
        ];
        for (kind, id) in named {
            let Some(id) = id else { continue };
            let said = format!("the tokens of {} have ended", printable(&id));
            let revocation = TokenRevocation { kind, id };
            self.asking.client()?.post_json::<()>("v1/tokens/revocations", &revocation).await?;
            self.asking.print(&revocation, |_| print(said))?;
        }
        Ok(())
    }
}
