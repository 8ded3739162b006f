//! `bartizan token`: tokens that the gateway has issued.

use anyhow::Result;
use bartizan_control::{RevokedKind, TokenRevocation};
use clap::{Args, Subcommand};

use crate::{
    admin::AdminOptions,
    output::{print, printable},
};

/// End tokens that the gateway has issued.
#[derive(Debug, Args)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// End tokens. Every gateway of the store refuses them within a second.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
struct Revoke {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    admin: AdminOptions,
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
            Command::Revoke(command) => command.run().await,
        }
    }
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
            let told = printable(&id);
            self.admin
                .client()?
                .post_json::<()>("v1/tokens/revocations", &TokenRevocation { kind, id })
                .await?;
            print(format_args!("the tokens of {told} have ended"))?;
        }
        Ok(())
    }
}
